"""Smoke runs before a search: what they rule out, what they cost, and that none is made twice."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra

from flowerexp import app, index
from flowerexp.cluster_search.candidates import name_of
from flowerexp.cluster_search.smoke import CHANGES, smoke_runs, with_changes
from flowerexp.console import Screen
from flowerexp.errors import BudgetError, ConfigError, JobError
from flowerexp.journal import JOURNAL
from flowerexp.journal.journal import Journal
from flowerexp.plan import PlannedRun, run_key
from flowerexp.search.smoke import TOO_MUCH
from flowerexp.sweep.compose import Composer
from tests.cluster_search.pretended import SETTINGS, Killed, observed, seconds_of
from tests.composing import composed

SMOKE: dict[str, Any] = {
    "smoke": True,
    CHANGES: {
        "sampling": {"fraction": 0.02, "least": 150, "on_short": "drop"},
        "entrypoint": {"settings": {"on_short": "drop"}},
    },
    "rule": "random",
    "max_runs": 3,
}
BROKEN = "n1-standard-2 workers.count=2"
SLOW = "n2-standard-8 workers.count=16"
REFUSED = "n1-highmem-4 workers.count=4"


def ends(run: PlannedRun) -> float | str:
    """A smoke run is mostly overhead; one fails, one is far too slow, and one has no machines."""
    name = name_of(run)
    if "sampling=smoke" not in name:
        return seconds_of(run)
    if BROKEN in name:
        return "lost"
    if REFUSED in name:
        return "refused"
    return 500.0 if SLOW in name else 20.0 + 0.02 * seconds_of(run)


def verdicts(sweep: Any) -> list[tuple[str, str, str | None]]:
    return [(one["candidate"], one["status"], one["dropped"]) for one in sweep.account["smoke"]]


def is_smoke(name: str) -> bool:
    return name.endswith("-smoke")


def test_the_hopeless_are_dropped_and_the_others_searched(search, tmp_path):
    sweep = search(ends, **SMOKE)
    smoke = {one["candidate"]: one for one in sweep.account["smoke"]}
    assert len(smoke) == 12
    left_out = {one["candidate"]: one["status"] for one in sweep.account["tries"] if one["why"] is None}
    assert {next(text for text in (BROKEN, SLOW, REFUSED) if text in name): how for name, how in left_out.items()} == {
        BROKEN: "dropped", SLOW: "dropped", REFUSED: "refused",
    }  # fmt: skip
    (slow,) = (one for name, one in smoke.items() if SLOW in name)
    assert slow["status"] == "aborted", "it is not waited for"
    assert slow["seconds"] < 500
    assert f"{TOO_MUCH:g} times as much" in slow["dropped"]
    for name, status in left_out.items():
        assert f"{status:<9} {name}: " in sweep.said
    assert "smoke     2 of 12 clusters dropped" in sweep.said

    assert [is_smoke(name) for name in sweep.ran] == [True] * 11 + [False] * 3
    assert sweep.aside == [f"{n}-smoke" for n in range(12)], "which bear their part of the clusters' bills"
    ran = {one["candidate"] for one in sweep.account["tries"]} - left_out.keys()
    assert sweep.account["recommendation"]["winner"] in ran
    state = Journal(tmp_path / "sweep").read()
    assert state.succeeded
    assert len(state.observed) == 3 + 3, "the search learns nothing from smoke runs"


def test_what_smoke_runs_came_to_is_spent_and_predicts_nothing(search):
    def slower(run):
        return 2 * how if isinstance(how := ends(run), float) and is_smoke(run.folder.name) else how

    asked = {**SMOKE, "rule": "saving"}
    one, other = search(ends, "one", **asked), search(slower, "other", **asked)
    assert one.account["tries"] == other.account["tries"]
    assert one.account["candidates"] == other.account["candidates"]
    found, costlier = one.account["recommendation"], other.account["recommendation"]
    assert (found["smoke_runs"], found["dropped"]) == (11, 2)
    assert costlier["smoke_spent"] > 1.5 * found["smoke_spent"] > 0
    timed = search(slower, "timed", **asked, objective="time").account["recommendation"]
    assert timed["pays_after"] is not None
    saved = timed["typical"] - timed["value"]
    assert timed["pays_after"] * saved > timed["smoke_spent"] > 11 * 40


def test_none_is_made_where_none_is_asked_for(search):
    sweep = search(ends, rule="random", max_runs=3)
    assert not any(map(is_smoke, sweep.ran))
    assert sweep.account["smoke"] is None
    assert "smoke_runs" not in sweep.account["recommendation"]


@pytest.mark.slow
def test_killed_at_any_time_no_smoke_run_is_made_twice(search, tmp_path):
    """The journal is cut after one of its lines, as if the launcher had been killed right after it."""
    whole = search(ends, "whole", **SMOKE)
    lines = (tmp_path / "whole" / JOURNAL).read_text().splitlines(keepends=True)
    events = [json.loads(line) for line in lines]
    over = next(place for place, event in enumerate(events) if event["event"] == "smoke_over")
    first = next(place for place, event in enumerate(events) if "smoked" in event)
    for cut in (*range(first + 2), *range(over - 5, over + 2)):  # around a smoke run, and from the last one on
        folder = tmp_path / f"cut{cut}"
        shutil.copytree(tmp_path / "whole", folder)
        (folder / JOURNAL).write_text("".join(lines[:cut]))
        ended = {event["run"] for event in events[:cut] if event["event"] in ("finished", "lost", "failed")}
        # What was lost with the launcher, before it was looked at, is run again.
        unseen = {event["run"] for event in events[:cut] if event["event"] == "lost"}
        unseen -= {event["run"] for event in events[:cut] if "smoked" in event}
        resumed = search(ends, f"cut{cut}", **SMOKE)
        assert resumed.ran == [name for name in whole.ran if name not in ended - unseen]
        assert observed(folder) == observed(tmp_path / "whole")
        assert verdicts(resumed) == verdicts(whole)
        assert resumed.account["tries"] == whole.account["tries"]


def test_killed_in_a_smoke_run(search, tmp_path):
    def dies_in_the_third(run):
        return "killed" if len(Journal(tmp_path / "sweep").read().smoked) == 2 else ends(run)

    with pytest.raises(Killed):
        search(dies_in_the_third, **SMOKE)
    account = json.loads((tmp_path / "sweep" / "search.json").read_bytes())
    assert (account["finished"], len(account["smoke"]), account["tries"]) == (False, 2, [])
    resumed = search(ends, **SMOKE)
    assert [name for name in resumed.ran if is_smoke(name)] == [f"{n}-smoke" for n in range(2, 12) if n != 5]


def test_if_all_fail_none_is_dropped(search):
    sweep = search(lambda run: "lost" if is_smoke(run.folder.name) else seconds_of(run), **SMOKE)
    assert list(map(is_smoke, sweep.ran)) == [True] * 3 + [False] * 3
    assert {one["status"] for one in sweep.account["tries"]} == {"finished"}
    assert "smoke     given up: all failed" in sweep.said


def test_they_count_as_failures_and_against_the_budget(search, tmp_path):
    with pytest.raises(JobError, match="1 runs of the search failed"):
        search(ends, "failing", **SMOKE, max_failures=1)
    with pytest.raises(BudgetError, match=r"sampling=smoke would cost at least .* are left"):
        search(ends, "poor", **SMOKE, budget=0.01)
    assert not Journal(tmp_path / "poor").read().jobs


def test_one_that_finished_before_is_not_run_again(search, configs, tmp_path):
    place = tmp_path / "sweep"
    label, config = configs[0]
    run = PlannedRun("0", replace(config, home=str(place)), place / "0", "code", {"label": label})
    (smoke,) = smoke_runs([run], SMOKE)
    place.mkdir()
    record = {"started_at": 0.0, "ended_at": 21.0, "phases": {}}
    (place / "earlier").mkdir()
    (place / "earlier" / "run.json").write_text(json.dumps(record))
    cluster = index.cluster_hash(config.cluster)
    done = index.Finished(smoke.run_key, None, "id", str(place / "earlier"), 21.0, 1, cluster, smoke.entrypoint, 9.0)
    index.add(smoke.config, done)
    sweep = search(lambda run: 20.0, **SMOKE)
    assert "0-smoke" not in sweep.ran
    first = sweep.account["smoke"][0]
    assert (first["prior"], first["seconds"]) == (True, 21.0)
    assert sweep.account["recommendation"]["smoke_runs"] == 11


def test_a_smoke_run_is_that_of_the_option(configs):
    label, config = configs[0]
    run = PlannedRun("0", config, Path("sweep/0"), "code", {"label": label})
    (smoke,) = smoke_runs([run], SMOKE)
    option = composed(["cluster=four_nodes", "gcp.project=mine", "quota=none", "sampling=smoke"])
    option = replace(option, cluster=config.cluster)
    assert smoke.config == option
    assert smoke.run_key == run_key(option, "code") != run_key(config, "code")
    with pytest.raises(ConfigError, match=r"hydra.sweeper.smoke: a smoke run takes 2.000% of the files"):
        smoke_runs([smoke], SMOKE)


def test_an_experiment_that_uses_no_sample_has_none(configs):
    config = configs[0][1]
    entrypoint = replace(config.entrypoint, uses=("dataset",))
    run = PlannedRun("0", replace(config, entrypoint=entrypoint, sampling=None), Path("0"), "code", {"label": "a"})
    with pytest.raises(ConfigError, match=r"^hydra.sweeper.smoke: .* and read_speed does not use sampling; leave"):
        smoke_runs([run], SMOKE)


def test_settings_that_follow_from_the_option_follow_in_smoke_runs_too():
    application = app.create(None)
    try:
        overrides = ["entrypoint=read_speed", "measure.repetitions=7"]
        found = with_changes({"smoke": True}, Composer(application, "config"), overrides)
    finally:
        GlobalHydra.instance().clear()
    changes = {
        "sampling": {"fraction": 0.02, "least": 150, "on_short": "drop"},
        "entrypoint": {"settings": {"on_short": "drop"}},
    }
    assert found[CHANGES] == changes


def test_a_lone_cluster_has_none(search, configs, tmp_path):
    from flowerexp.cluster_search.searching import Searching
    from tests.cluster_search.pretended import Pretended

    label, config = configs[0]
    run = PlannedRun("0", replace(config, home=str(tmp_path)), tmp_path / "0", "code", {"label": label})
    journal = Journal(tmp_path)
    sweep: Any = Pretended(journal, [run], Screen(io.StringIO()), ends)
    Searching(sweep, {**SETTINGS, **SMOKE}).run(lambda _: None)
    assert sweep.ran == ["0"]
