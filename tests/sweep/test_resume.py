"""What resume makes again, brings home, logs and refuses; on jobs that run in this process."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import uuid
from pathlib import Path

import pytest

from flowerexp import tracking
from flowerexp.cluster_search import walk_of
from flowerexp.console import Screen
from flowerexp.errors import ConfigError, DataError, TrackingError
from flowerexp.journal.journal import Journal
from flowerexp.orchestrate import collect as collecting
from flowerexp.orchestrate import log
from flowerexp.sweep.resume import Consent, resume
from tests.sweep.made import events, install, planned, run_sweep, runs_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("blank_pictures")]

QUALITIES = (70, 80, 90)


@pytest.fixture
def world(monkeypatch):
    return install(monkeypatch)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home whose store is made once."""
    place = tmp_path_factory.mktemp("home")
    tracking.ensure(tracking.default_store(place))
    return place


@pytest.fixture
def folder(home):
    return home / "outputs" / "today" / uuid.uuid4().hex[:8]


def again(folder, **consent):
    """Resume; returns the state and what was said."""
    stream = io.StringIO()
    return resume(folder, Screen(stream), Consent(**consent), walk_of), stream.getvalue()


def test_a_finished_sweep_is_left_alone(world, home, folder):
    results, _ = run_sweep(folder, planned(folder, home, QUALITIES))
    assert [result.run_id is not None for result in results] == [True] * 3
    state, said = again(folder)
    assert state.succeeded
    assert "3 of 3 runs are done already" in said
    assert world.measured == [70, 80, 90]


FILES = ("run.json", "results/status.json", "results/measurements.jsonl", "results/phases.json",
         "analysis/summary.json", "analysis/measurements.parquet")  # fmt: skip


@pytest.mark.parametrize("damage", ["removed", "emptied", "changed"])
def test_runs_whose_files_are_damaged_are_noticed_and_whole_again(world, home, folder, damage):
    """Each file of ours is damaged, each in a run of its own."""
    qualities = [70 + number for number in range(len(FILES) + 1)]
    run_sweep(folder, planned(folder, home, qualities))
    table = runs_of(folder)
    for number, name in enumerate(FILES):
        path = folder / str(number) / name
        if damage == "removed":
            path.unlink()
        else:
            path.write_bytes(b"" if damage == "emptied" else path.read_bytes()[:-3] + b"7}\n")
    world.measured.clear()
    state, said = again(folder)
    assert state.succeeded
    for number, name in enumerate(FILES):
        path = folder / str(number) / name
        missing = f"run {number}: {path.parent} holds no run: run.json is missing"
        assert f"run {number}: {path} is damaged: " in said or (name == "run.json" and missing in said)
    assert runs_of(folder) == table
    # What was measured is still there where only what was made of it is damaged.
    assert world.measured == [71, 72, 73]


def test_a_folder_that_is_gone_is_made_again(world, home, folder):
    run_sweep(folder, planned(folder, home, QUALITIES))
    shutil.rmtree(folder / "2")
    state, said = again(folder)
    assert state.succeeded
    assert "run.json is missing" in said
    assert world.measured == [70, 80, 90, 90]


def test_what_failed_on_its_own_is_made_again_on_request_only(world, home, folder):
    world.errors[80] = ValueError("made to fail")
    run_sweep(folder, planned(folder, home, QUALITIES))
    state, said = again(folder)
    assert not state.succeeded
    assert "3 of 3 runs are done already" in said
    assert world.measured == [70, 80, 90]
    del world.errors[80]
    state, said = again(folder, failed=True)
    assert state.succeeded
    assert "2 of 3 runs are done already" in said
    assert "again     preprocess.quality=80: --failed: ValueError: made to fail" in said
    assert world.measured == [70, 80, 90, 80]


def test_what_the_machine_is_to_blame_for_is_made_again(world, home, folder):
    def blame_the_machine(job):
        for path in folder.glob("*/results/status.json"):
            status = json.loads(path.read_bytes())
            if status["state"] == "failed":
                path.write_text(json.dumps({**status, "retry": True}))

    world.errors[80], world.after = ConnectionError("worker died"), blame_the_machine
    run_sweep(folder, planned(folder, home, QUALITIES))
    assert events(folder, "failed")[0]["retry"] is True
    world.errors.clear()
    state, said = again(folder)
    assert state.succeeded
    assert "2 of 3 runs are done already" in said
    assert world.measured == [70, 80, 90, 80]


def test_what_was_measured_when_the_disk_was_full_comes_home_without_measuring_again(world, home, folder, monkeypatch):
    real = collecting.record

    def full(run, started_at, ended):
        if run.folder.name == "1" and ended:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run.folder / "run.json"))
        real(run, started_at, ended)

    with monkeypatch.context() as patched:
        patched.setattr(collecting, "record", full)
        _, said = run_sweep(folder, planned(folder, home, QUALITIES))
    assert "No space left on device" in said
    assert f"1 of 3 runs have no results: flowerexp resume {folder}" in said
    state, said = again(folder)
    assert state.succeeded
    assert world.measured == [70, 80, 90]


def test_what_could_not_be_logged_is_logged_without_measuring_again(world, home, folder, monkeypatch):
    from flowerexp.orchestrate import logger

    def down(run):
        if run.folder.name == "1":
            raise TrackingError("logging to http://h failed: Connection refused")
        return log(run)

    with monkeypatch.context() as patched:
        patched.setattr(logger, "log", down)
        results, said = run_sweep(folder, planned(folder, home, QUALITIES))
    assert [result.error is None for result in results] == [True, False, True]
    assert f"1 of 3 runs are not in MLflow yet: flowerexp resume {folder}" in said
    assert Journal(folder).read().runs["1"] == "finished"
    assert not Journal(folder).read().succeeded
    assert "run 1 finished: logging to http://h failed: Connection refused" in said
    state, said = again(folder)
    assert state.succeeded
    assert "3 of 3 runs are done already" in said
    assert "logged    preprocess.quality=80: MLflow run " in said
    assert world.measured == [70, 80, 90]


class TestJournal:
    def test_a_line_that_is_damaged_is_said_and_its_run_brought_home(self, world, home, folder):
        run_sweep(folder, planned(folder, home, QUALITIES))
        path = folder / "journal.jsonl"
        lines = path.read_text().splitlines()
        ended = next(n for n, line in enumerate(lines) if '"finished"' in line and '"run":"1"' in line)
        lines[ended] = lines[ended][:20] + "\x00garbage"
        path.write_text("\n".join(lines) + "\n")
        state, said = again(folder)
        assert f"{path} is damaged: line {ended + 1} is skipped" in said
        assert world.measured == [70, 80, 90]
        assert set(state.runs.values()) == {"finished"}

    def test_a_journal_that_is_gone_costs_nothing_that_was_measured_but_time(self, world, home, folder):
        run_sweep(folder, planned(folder, home, QUALITIES))
        table = runs_of(folder)
        (folder / "journal.jsonl").unlink()
        state, _ = again(folder)
        assert state.succeeded
        assert runs_of(folder) == table

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"runs": 7}'])
    def test_a_damaged_plan_is_one_line(self, world, home, folder, text):
        run_sweep(folder, planned(folder, home, QUALITIES))
        (folder / "plan.json").write_text(text)
        with pytest.raises(DataError, match=r"plan\.json is damaged"):
            again(folder)


class TestData:
    def test_changed_data_is_refused_as_changed_code_is(self, world, home, folder, tmp_path):
        photos = self._photos(tmp_path)
        world.errors[90] = ValueError("made to fail")
        runs = planned(folder, home, QUALITIES, "dataset=folder", f"dataset.path={photos}")
        run_sweep(folder, runs)
        (photos / "daisy" / "0.jpg").write_bytes(b"other")
        world.errors.clear()
        with pytest.raises(DataError, match=f"^dataset: {photos} has changed since .* --changed-data$"):
            again(folder, failed=True)
        assert world.measured == [70, 80, 90]
        state, said = again(folder, failed=True, changed_data=True)
        assert "the data changed during the sweep: 1 of 3 runs read other data" in said
        assert state.succeeded
        from flowerexp.analysis.report import make_report

        make_report(folder)
        assert "the data changed during the sweep: 1 of 3" in (folder / "report.md").read_text()
        with pytest.raises(DataError, match="1 of 3 runs read other data"):
            again(folder)

    def test_data_that_changes_while_a_sweep_runs_is_said_and_no_success(self, world, home, folder, tmp_path):
        photos = self._photos(tmp_path)
        world.fingerprint = lambda config: f"after {len(world.measured) > 1}"
        runs = planned(folder, home, QUALITIES, "dataset=folder", f"dataset.path={photos}")
        with pytest.raises(DataError, match=r"2 of 3 runs read other data .*: runs 1, 2; start a new sweep"):
            run_sweep(folder, runs)

    def test_runs_that_ask_for_other_data_are_not_compared(self, world, home, folder):
        first, second = (planned(folder, home, (70, 80), f"dataset.images={images}") for images in (40, 50))
        runs = [first[0], second[1]]
        results, said = run_sweep(folder, runs)
        assert len(results) == 2
        assert "changed" not in said

    def _photos(self, tmp_path: Path) -> Path:
        (tmp_path / "photos" / "daisy").mkdir(parents=True)
        for number in range(3):
            (tmp_path / "photos" / "daisy" / f"{number}.jpg").write_bytes(b"picture")
        return tmp_path / "photos"


def test_a_search_makes_no_failed_run_again(world, home, folder):
    run_sweep(folder, planned(folder, home, QUALITIES))
    plan = Journal(folder).read_plan()
    (folder / "plan.json").write_text(json.dumps({**plan, "search": {"rule": "saving"}}))
    with pytest.raises(ConfigError, match=r"^--failed: a search"):
        again(folder, failed=True)
