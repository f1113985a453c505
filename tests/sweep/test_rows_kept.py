"""Rows that were measured before a job died stay: they are shown, and the next attempt measures what is missing."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pytest

from flowerexp import tracking
from flowerexp.cluster_search import walk_of
from flowerexp.console import Screen
from flowerexp.errors import ConfigError, DataError
from flowerexp.journal.journal import Journal
from flowerexp.sweep.resume import Consent, resume
from flowerexp.tracking.client import connect
from tests.sweep.made import events, install, planned, run_sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("blank_pictures")]


@pytest.fixture
def world(monkeypatch):
    made = install(monkeypatch)
    made.goes_on = True
    return made


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    place = tmp_path_factory.mktemp("home")
    tracking.ensure(tracking.default_store(place))
    return place


@pytest.fixture
def folder(home, tmp_path):
    return home / "outputs" / "today" / tmp_path.name


def again(folder, **consent):
    stream = io.StringIO()
    return resume(folder, Screen(stream), Consent(**consent), walk_of), stream.getvalue()


def record_of(folder):
    return json.loads((folder / "run.json").read_bytes())


def line_of(folder, run):
    with (folder / "runs.csv").open(newline="") as table:
        return next(line for line in csv.DictReader(table) if line["run"] == run)


def measured(folder):
    lines = (folder / "results" / "measurements.jsonl").read_text().splitlines()
    return sorted((row["repetition"], row["attempt"]) for row in map(json.loads, lines))


def test_rows_of_a_run_that_was_lost_are_shown_as_those_of_an_unfinished_one(world, home, folder):
    world.dies[80] = 4
    results, _ = run_sweep(folder, planned(folder, home, (70, 80)))
    assert [event["run"] for event in events(folder, "lost")] == ["1"]
    record = record_of(folder / "1")
    assert record["state"] == "failed"
    assert "ended without results (exit code 137)" in record["error"]
    assert "unfinished: 4 measurements were made before it ended" in record["notes"]
    assert record["facts"]["cores"] == 2
    assert (folder / "1" / "analysis" / "measurements.parquet").exists()
    (rate,) = [value for key, value in line_of(folder, "1").items() if key and key.endswith("images/s")]
    assert float(rate) == pytest.approx(160 / (4 * 0.8 + 0.1))
    assert line_of(folder, "1")["state"] == "lost"
    (lost,) = [result for result in results if result.error]
    client = connect(tracking.Store.of(lost.run.config.tracking))
    logged = client.get_run(lost.run_id)
    assert logged.info.status == "FAILED"
    assert any(key.endswith("images_per_second") for key in logged.data.metrics)


def test_a_run_goes_on_from_the_rows_of_all_its_attempts(world, home, folder):
    world.dies[80] = 2
    run_sweep(folder, planned(folder, home, (70, 80)))
    world.dies[80] = 5
    state, said = again(folder)
    assert not state.succeeded
    assert "goes on   preprocess.quality=80: 2 rows of it are kept" in said
    assert measured(folder / "1") == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2)]
    assert record_of(folder / "1")["facts"]["attempts"] == 2
    del world.dies[80]
    state, said = again(folder)
    assert state.succeeded
    assert [number for quality, number in world.repetitions if quality == 80] == [1, 2, 3, 4, 5, 6]
    assert measured(folder / "1") == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 3)]
    record = record_of(folder / "1")
    assert (record["facts"]["attempts"], record["facts"]["measurements_before"]) == (3, 5)
    assert "its measurements are those of 3 attempts: 2, 3, 1" in record["notes"]
    assert {path.name for path in (folder / "1").iterdir()} >= {"results", "analysis"}
    assert not (folder / "1" / "earlier").exists()
    assert not (folder / "1" / "results" / "rows").exists()


def test_a_launcher_that_died_too_costs_no_row(world, home, folder):
    """Nobody has brought home anything: what is left is what the job wrote."""
    world.dies[80] = 3
    run_sweep(folder, planned(folder, home, (70, 80)))
    own = folder / "1"
    record = record_of(own)
    for name in ("analysis", "mlflow.json", "results/measurements.jsonl"):
        path = own / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    unended = {key: value for key, value in record.items() if key not in ("files", "seal")}
    unended["facts"] = {"code_hash": record["facts"]["code_hash"]}
    (own / "run.json").write_text(json.dumps({**unended, "state": "running", "ended_at": None}))
    lines = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (folder / "journal.jsonl").write_text("".join(line for line in lines if '"lost"' not in line))
    del world.dies[80]
    state, said = again(folder)
    assert state.succeeded, said
    assert [number for quality, number in world.repetitions if quality == 80] == [1, 2, 3, 4, 5, 6]


def test_an_attempt_that_did_not_begin_costs_no_row_of_those_before(world, home, folder):
    world.dies[80] = 3
    runs = planned(folder, home, (70, 80))
    run_sweep(folder, runs)
    world.refuses = True
    again(folder)
    world.refuses = False
    del world.dies[80]
    state, said = again(folder)
    assert state.succeeded, said
    assert [number for quality, number in world.repetitions if quality == 80] == [1, 2, 3, 4, 5, 6]


def test_other_code_measures_everything_again(world, home, folder, monkeypatch):
    world.dies[80] = 3
    run_sweep(folder, planned(folder, home, (70, 80)))
    monkeypatch.setattr("flowerexp.job.bundle.Bundle.code_hash", "changed")
    with pytest.raises(ConfigError, match="code has changed"):
        again(folder)
    _, said = again(folder, changed_code=True)
    assert "goes on" not in said
    assert [number for quality, number in world.repetitions if quality == 80] == [1, 2, 3, 1, 2, 3]
    monkeypatch.undo()
    install(monkeypatch).goes_on = True
    _, said = again(folder)
    assert "run 1 is measured from the start: what it has measured was measured with other code" in said


def test_other_data_is_refused_or_measured_again_as_a_whole(world, home, folder):
    world.dies[80] = 3
    world.fingerprint = lambda config: "that of other data"
    run_sweep(folder, planned(folder, home, (80,)))
    del world.dies[80]
    with pytest.raises(DataError, match="has changed since this sweep began"):
        again(folder)
    again(folder, changed_data=True)
    assert [number for _, number in world.repetitions] == [1, 2, 3, 1, 2, 3, 4, 5, 6]


def test_rows_that_are_damaged_are_measured_again(world, home, folder):
    world.dies[80] = 3
    run_sweep(folder, planned(folder, home, (70, 80)))
    part = next((folder / "1" / "results" / "rows").iterdir())
    part.write_text(part.read_text().replace("40", "41"))
    del world.dies[80]
    state, said = again(folder)
    assert state.succeeded
    assert f"run 1 is measured from the start: {part} is damaged" in said
    assert measured(folder / "1") == [(number, 1) for number in range(1, 7)]


def test_an_entrypoint_that_yields_rows_by_itself_begins_anew(world, home, folder):
    world.dies[80] = 3
    run_sweep(folder, planned(folder, home, (70, 80)))
    own = folder / "1"
    for part in (own / "results" / "rows").iterdir():
        row = json.loads(part.read_text())
        del row["attempt"]
        part.write_text(json.dumps(row) + "\n")
    record = {key: value for key, value in record_of(own).items() if key not in ("files", "seal")}
    (own / "run.json").write_text(json.dumps(record))
    del world.dies[80]
    _, said = again(folder)
    assert "goes on" not in said
    assert Journal(folder).read().succeeded
