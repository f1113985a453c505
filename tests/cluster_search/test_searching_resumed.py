"""What the loop of a search does with its journal, on a sweep that starts nothing."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from flowerexp.cluster_search import attempt
from flowerexp.cluster_search.candidates import make_search
from flowerexp.errors import BudgetError, ConfigError, JobError
from flowerexp.journal.events import RunEnded
from flowerexp.journal.journal import Journal
from flowerexp.plan import PlannedRun
from tests.cluster_search.pretended import COUNTS, SETTINGS, TYPES, Killed, observed, seconds_of


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(search, tmp_path):
    whole = search(seconds_of, "whole")
    statuses = [one["status"] for one in whole.account["tries"]]
    assert "aborted" in statuses
    assert 4 <= len(statuses) < len(TYPES) * len(COUNTS), "it stops before all were tried"

    def dies_in_the_third(run):
        return "killed" if pretended_runs(tmp_path / "killed") == 2 else seconds_of(run)

    with pytest.raises(Killed):
        search(dies_in_the_third, "killed")
    pretended = search(seconds_of, "killed")
    assert observed(tmp_path / "killed") == observed(tmp_path / "whole")
    assert pretended.ran == whole.ran[2:]
    assert pretended.account["tries"] == whole.account["tries"]
    assert pretended.account["recommendation"]["winner"] == whole.account["recommendation"]["winner"]
    states = Journal(tmp_path / "killed").read()
    assert states.succeeded
    assert set(states.runs.values()) == {"finished", "aborted", "not_tried"}


def pretended_runs(folder: Path) -> int:
    return len(Journal(folder).read().observed)


def test_what_later_runs_find_made_is_no_part_of_a_run(search):
    sweep = search(lambda _: 12.0, rule="exhaustive")
    assert {one["seconds"] for one in sweep.account["tries"]} == {12.0}


def test_what_ended_unseen_is_not_run_again(search, tmp_path):
    def killed_after(run):
        return "killed" if pretended_runs(tmp_path / "sweep") == 1 else seconds_of(run)

    with pytest.raises(Killed):
        search(killed_after)
    journal = Journal(tmp_path / "sweep")
    (open_one,) = [name for name, state in journal.read().runs.items() if state == "started"]
    (journal.folder / open_one).mkdir()
    (journal.folder / open_one / "run.json").write_text(json.dumps({"started_at": 5.0, "ended_at": 55.0, "phases": {}}))
    journal.append(RunEnded(run=open_one, state="finished"))
    resumed = search(seconds_of)
    assert open_one not in resumed.ran
    assert resumed.account["tries"][1]["seconds"] == 50.0


def test_what_failed_for_the_machines_sake_is_run_again(search, tmp_path):
    with pytest.raises(Killed):
        search(lambda _: "killed")
    journal = Journal(tmp_path / "sweep")
    (open_one,) = journal.read().runs
    journal.append(RunEnded(run=open_one, state="failed", error="a worker was killed", retry=True))
    resumed = search(seconds_of)
    assert resumed.ran[0] == open_one
    assert resumed.account["tries"][0]["status"] == "finished"


def test_clusters_that_cannot_be_had_are_left_out_and_of_none_nothing_is_recommended(search):
    sweep = search(lambda run: seconds_of(run) if "n1-standard" in run.label else "refused")
    assert "n1-standard-2" in sweep.account["recommendation"]["winner"]
    assert "refused" in {one["status"] for one in sweep.account["tries"]}
    with pytest.raises(JobError, match="no cluster can be recommended"):
        search(lambda _: "refused", "nowhere")


def test_failures_end_a_search_where_that_is_asked(search):
    with pytest.raises(JobError, match="2 runs of the search failed"):
        search(lambda _: "lost", max_failures=2)


def test_a_clock_that_is_set_back_does_not_end_a_search(search, monkeypatch):
    clock = SimpleNamespace(time=lambda: time.time() - 5)
    monkeypatch.setattr(attempt, "time", clock)
    with pytest.raises(JobError, match="2 runs of the search failed"):
        search(lambda _: "lost", max_failures=2)


def test_a_budget_that_pays_for_no_run_starts_none(search, tmp_path):
    with pytest.raises(BudgetError, match=r"of the budget of \$0.01 are left"):
        search(seconds_of, budget=0.01)
    assert not Journal(tmp_path / "sweep").read().jobs


def test_constraints_hold_for_the_winner(search):
    free, fast = search(seconds_of, "free"), search(seconds_of, "fast", max_seconds=200)
    assert free.account["recommendation"]["seconds"] > 200
    assert fast.account["recommendation"]["seconds"] <= 200
    with pytest.raises(JobError):
        search(seconds_of, "none", max_usd=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rule": "savings"}, "hydra.sweeper.rule: there is no rule savings; did you mean 'saving'?"),
        ({"expected_runs": -1}, "hydra.sweeper.expected_runs: expected_runs is -1"),
        ({"usd_per_vcpu_hour": 0}, "hydra.sweeper.usd_per_vcpu_hour"),
    ],
)
def test_a_setting_that_makes_no_sense(configs, settings, message):
    run = PlannedRun("0", configs[0][1], Path("0"), "code", {"label": "a"})
    with pytest.raises(ConfigError) as error:
        make_search([run], {**SETTINGS, **settings})
    assert message in str(error.value)


def test_what_cannot_be_compared_is_refused(configs, config):
    def runs(*made):
        return [PlannedRun(str(n), one, Path(str(n)), "code", {"label": f"cluster={n}"}) for n, one in enumerate(made)]

    with pytest.raises(ConfigError, match="caching differs"):
        make_search(runs(configs[0][1], replace(configs[1][1], caching=False)), SETTINGS)
    with pytest.raises(ConfigError, match="0 and 1 are the same cluster"):
        make_search(runs(configs[0][1], configs[0][1]), SETTINGS)
    with pytest.raises(ConfigError, match="only its own master knows"):
        make_search(runs(config("cluster=spark_master", "cluster.master=yarn")), SETTINGS)
    with pytest.raises(ConfigError, match="only the first run of write_shards does the work"):
        make_search(runs(config("entrypoint=write_shards")), SETTINGS)
    with pytest.raises(ConfigError, match="0 has no price"):
        make_search(runs(config()), SETTINGS)


def test_sizes_and_prices_of_every_kind_of_cluster(config):
    place = ("gcp.project=mine",)
    made = {
        "single_node": config("cluster=single_node", *place),
        "four_nodes": config("cluster=four_nodes", *place),
        "serverless": config("cluster=serverless", *place),
        "local": config("cluster.cores=2", "cluster.memory=512m"),
        "local_nodes": config("cluster=local_nodes"),
    }
    runs = [PlannedRun(name, one, Path(name), "code", {"label": f"cluster={name}"}) for name, one in made.items()]
    found = make_search(runs, {**SETTINGS, "usd_per_vcpu_hour": 0.5}).candidates
    shapes = {one.name: (one.shape.vcpus_per_node, one.shape.memory_gb_per_node, one.shape.nodes) for one in found}
    assert shapes == {
        "single_node": (8, 30, 1), "four_nodes": (2, 7.5, 3), "serverless": (4, 16, 2),
        "local": (2, 0.5, 1), "local_nodes": (1, 1, 2),
    }  # fmt: skip
    usd = {one.name: one.usd_per_hour for one in found}
    assert (usd["local"], usd["local_nodes"]) == (1.0, 1.0)
    assert 0.4 < (usd["single_node"] or 0) < (usd["four_nodes"] or 0)
