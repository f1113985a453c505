"""In which order the runs of a sweep are made, and that this changes nothing else of them."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flowerexp import cli, tracking
from flowerexp.analysis.report.gather import load
from flowerexp.cluster_search import walk_of
from flowerexp.config import Config
from flowerexp.console import Screen
from flowerexp.journal.journal import Journal
from flowerexp.plan import PlannedRun, grouped
from flowerexp.sweep.order import in_time, with_order
from flowerexp.sweep.resume import Consent, resume
from flowerexp.sweep.run import planned_runs
from flowerexp.tracking.client import connect
from tests.sweep.made import install, planned, run_sweep

pytestmark = pytest.mark.usefixtures("blank_pictures")

Declared = Callable[..., list[PlannedRun]]


@pytest.fixture
def declared(config: Callable[..., Config]) -> Declared:
    """`declared(values, repeats, "sweep.order=random")`: the runs of a sweep over so many values, with their order."""

    def declared(values: int, repeats: int, *overrides: str, clusters: int = 1) -> list[PlannedRun]:
        made = config(*overrides)
        each = [replace(made.cluster, name=f"cluster {number}") for number in range(clusters)]
        runs = [
            PlannedRun("key", replace(made, repeat=repeat, cluster=each[value % clusters]), Path(f"{value}"), "")
            for repeat in range(1, repeats + 1)
            for value in range(values)
        ]
        return with_order(runs)

    return declared


def walked(runs: list[PlannedRun]) -> list[tuple[int, int]]:
    """Block and value of each run, in the order in which they are made."""
    return [(run.extra["block"], int(run.folder.name)) for run in in_time(runs)]


def test_runs_stay_where_they_are_declared_and_know_their_place_and_block(declared):
    runs = declared(5, 3)
    assert [int(run.folder.name) for run in runs] == [*range(5)] * 3
    assert sorted(run.extra["order"] for run in runs) == [*range(15)]
    assert [run.extra["block"] for run in runs] == [1] * 5 + [2] * 5 + [3] * 5


def test_blocked_runs_each_repeat_whole_in_an_order_of_its_own(declared):
    order = walked(declared(8, 4))
    assert [block for block, _ in order] == [1] * 8 + [2] * 8 + [3] * 8 + [4] * 8
    each = [[value for block, value in order if block == number] for number in range(1, 5)]
    assert [sorted(values) for values in each] == [[*range(8)]] * 4
    assert len({*map(tuple, each), tuple(range(8))}) == 5


def test_further_repeats_change_nothing_of_the_first(declared):
    assert walked(declared(8, 4))[:16] == walked(declared(8, 2))


def test_random_mixes_repeats(declared):
    order = walked(declared(8, 3, "sweep.order=random"))
    assert sorted(order) == sorted(walked(declared(8, 3)))
    assert [block for block, _ in order] != sorted(block for block, _ in order)


def test_interleaved_cancels_a_linear_drift(declared):
    runs = declared(3, 4, "sweep.order=interleaved")
    assert walked(runs) == [
        (block, value) for block in range(1, 5) for value in ((0, 1, 2), (2, 1, 0))[(block - 1) % 2]
    ]
    places = [sum(run.extra["order"] for run in runs if run.folder.name == value) for value in "012"]
    assert len(set(places)) == 1


def test_the_seed_decides(declared):
    one, same, other = (walked(declared(8, 1, f"sweep.seed={seed}")) for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("values", [2, 3, 4, 5, 6])
def test_without_a_seed_the_first_value_does_not_come_first(declared, values):
    assert walked(declared(values, 1))[0] != (1, 0)
    assert [value for block, value in walked(declared(2, 2))] == [1, 0, 0, 1]


@pytest.mark.parametrize("order", ["blocked", "random", "interleaved"])
def test_the_runs_of_a_cluster_stay_together(declared, order):
    runs = declared(6, 2, f"sweep.order={order}", clusters=3)
    names = [run.config.cluster.name for run in in_time(runs)]
    assert names == [name for name in dict.fromkeys(names) for _ in range(4)]
    assert [run for job in grouped(in_time(runs)) for run in job.runs] == in_time(runs)


def test_it_is_not_part_of_a_run(config):
    from flowerexp.plan import run_key

    assert run_key(config("sweep.order=random", "sweep.seed=7"), "code") == run_key(config(), "code")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home whose store is made once."""
    place = tmp_path_factory.mktemp("home")
    tracking.ensure(tracking.default_store(place))
    return place


@pytest.mark.slow
class TestWhenItRuns:
    QUALITIES = (70, 75, 80, 85, 90)

    @pytest.fixture
    def world(self, monkeypatch):
        return install(monkeypatch)

    @pytest.fixture
    def folder(self, home):
        return home / "outputs" / "today" / uuid.uuid4().hex[:8]

    @pytest.fixture
    def runs(self, home, folder):
        return with_order(planned(folder, home, self.QUALITIES))

    @pytest.fixture
    def order(self, runs):
        return [self.QUALITIES[int(run.folder.name)] for run in in_time(runs)]

    def test_it_is_walked_in_that_order_and_told_in_the_declared_one(self, world, folder, runs, order):
        _, said = run_sweep(folder, runs)
        assert world.measured == order != [*self.QUALITIES]
        assert [line.split()[0] for line in said.splitlines() if "preprocess.quality=" in line and "valid" in line] == [
            *"01234"
        ]
        with (folder / "runs.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert [line["values"] for line in lines] == [f"preprocess.quality={quality}" for quality in self.QUALITIES]
        places = [str(order.index(quality)) for quality in self.QUALITIES]
        assert [(line["order"], line["block"]) for line in lines] == [(place, "1") for place in places]
        record = json.loads((folder / "3" / "run.json").read_text())
        assert (record["order"], record["block"]) == (order.index(85), 1)
        (logged,) = [run for run in logged_runs(runs) if run.data.params["preprocess.quality"] == "85"]
        assert logged.data.tags["flowerexp.order"] == places[3]
        assert logged.data.tags["flowerexp.block"] == "1"
        found = load(folder).runs
        assert [(run.name, str(run.order), run.block) for run in found] == [
            (str(number), place, 1) for number, place in enumerate(places)
        ]

    def test_resume_goes_on_in_the_recorded_order(self, world, folder, runs, order):
        run_sweep(folder, runs)
        world.measured.clear()
        for name in "0124":
            shutil.rmtree(folder / name)
        planned_again = planned_runs(Journal(folder).read_plan(), folder, lambda script: "code")
        assert [run.extra["order"] for run in planned_again] == [run.extra["order"] for run in runs]
        resume(folder, Screen(), Consent(), walk_of)
        assert world.measured == [quality for quality in order if quality != 85]
        assert world.measured != sorted(world.measured)

    def test_the_plan_says_beforehand_what_the_launcher_does(self, world, home, capsys, monkeypatch):
        monkeypatch.setenv("FLOWEREXP_HOME", str(home))
        sweep = ["entrypoint=write_shards", "preprocess.quality=70,80", "preprocess.shards=1,2"]
        sweep += ["preprocess.orientation=stored,exif", "sweep.fraction=plackett_burman", "sweep.repeats=2"]
        shown = json.loads(said_by(capsys, "plan", "--json", "-m", *sweep))  # nothing is said beside it
        assert [run["order"] for run in shown["runs"]] != [*range(8)]
        folder = home / "outputs" / "today" / "designed"
        said = said_by(capsys, "-m", *sweep, f"hydra.sweep.dir={folder}")
        plan = Journal(folder).read_plan()
        assert plan["design"] == shown["design"]
        assert f"design    {plan['design']['said']}" in said.splitlines()
        assert (plan["design"]["runs"], plan["design"]["combinations"]) == (4, 8)
        for written, told in zip(plan["runs"], shown["runs"], strict=True):
            assert written["run"] == str(told["number"])
            assert [written[key] for key in ("order", "block", "overrides")] == [
                told[key] for key in ("order", "block", "overrides")
            ]
            of_hydra = (folder / written["run"] / ".hydra" / "overrides.yaml").read_text()
            assert [line.removeprefix("- ") for line in of_hydra.splitlines()] == written["overrides"]
        in_order = sorted(shown["runs"], key=lambda run: run["order"])
        assert shown["jobs"][0]["runs"] == [run["number"] for run in in_order]
        assert world.measured == [int(run["differs"]["preprocess.quality"]) for run in in_order]
        text = said_by(capsys, "plan", "-m", *sweep)
        assert f"design    {plan['design']['said']}" in text.splitlines()


def said_by(capsys, *arguments):
    """What a command prints."""
    with contextlib.suppress(SystemExit):
        cli.main([*arguments])
    return "".join(capsys.readouterr())


def logged_runs(runs):
    """The runs in the store that belong to this sweep."""
    store = tracking.Store.of(runs[0].config.tracking)
    query = f"tags.sweep_id = '{runs[0].extra['sweep_id']}'"
    found = connect(store).search_runs([tracking.ensure(store)], query)
    return [run for run in found if "run_key" in run.data.tags]
