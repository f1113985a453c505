"""Measurements whose parts are rows of their own, such as the epochs of a training."""

import itertools
import json
from pathlib import Path

import pytest

from flowerexp.errors import JobError
from flowerexp.workload import failures
from tests.workload.engine.tiny import config, make, workload

pytestmark = pytest.mark.spark

PARTS = {"name": "lap", "column": "lap", "planned": "laps", "count": "laps_of_row"}
PARTS |= {"first_count": "first_lap_things", "first_seconds": "first_lap_seconds"}
CLOCK = itertools.count()


def laps_of(**changes):
    return config({"laps": [2, 3]}, parts=PARTS, **{"repetitions": 1, **changes})


def laps(prepared, cell):
    for lap in range(1, cell["laps"] + 1):
        yield {"things": 10 * lap, "double": 2 * lap}


def nothing(spark, config):
    return None


def keys(rows):
    return sorted((row["laps"], row["repetition"], row["lap"]) for row in rows)


def test_each_part_is_a_row_and_the_first_one_is_apart(spark, tmp_path, told):
    rows = make(spark, laps_of(repetitions=2), workload(laps, nothing), tmp_path)
    assert keys(rows) == [(n, again, lap) for n in (2, 3) for again in (1, 2) for lap in range(1, n + 1)]
    for row in rows:
        assert (row["things"], row["double"], row["laps_of_row"]) == (10 * row["lap"], 2 * row["lap"], 1)
        assert (row["execution"], row["warm_ups"], row["neighbours"], row["censored"]) == (1, 0, 0, False)
        first = (10, row["seconds"]) if row["lap"] == 1 else (None, None)
        assert (row["first_lap_things"], row["first_lap_seconds"]) == first
    ordered = [row["started_ns"] for row in rows]
    assert ordered == sorted(ordered)


def test_a_yield_without_a_result_stops_the_clock(spark, tmp_path, monkeypatch):
    ticks = itertools.count(0, 1_000_000_000)
    monkeypatch.setattr("flowerexp.workload.engine.limit.time.perf_counter_ns", lambda: next(ticks))

    def stops(prepared, cell):
        for lap in range(cell["laps"]):
            yield
            for _ in range(5):
                next(ticks)
            yield {"things": lap + 1}

    rows = make(spark, laps_of(probe=False), workload(stops, nothing), tmp_path)
    assert {row["seconds"] for row in rows} == {1.0}


def test_parts_before_a_failure_are_kept(spark, tmp_path):
    def fails(prepared, cell):
        yield 1
        yield 2
        raise ZeroDivisionError("the third lap")

    rows: list[dict[str, object]] = []
    with pytest.raises(ZeroDivisionError, match="third"):
        make(spark, config({"laps": [3]}, parts=PARTS, repetitions=1), workload(fails, nothing), tmp_path, rows)
    assert keys(rows) == [(3, 1, 1), (3, 1, 2)]
    parts = sorted((tmp_path / "rows").glob("*.jsonl"))
    assert [json.loads(line)["lap"] for part in parts for line in part.read_text().splitlines()] == [1, 2]


def test_a_measurement_that_was_cut_short_is_made_again_and_a_whole_one_is_not(spark, tmp_path, told):
    first = make(spark, laps_of(), workload(laps, nothing), tmp_path / "first")
    kept = [row for row in first if (row["laps"], row["lap"]) != (3, 3)]
    folder = tmp_path / "first" / "rows"
    for part in folder.glob("*"):
        part.unlink()
    (folder / "00001.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in kept))
    earlier = [str(tmp_path / "first")]
    rows = make(spark, laps_of(), workload(laps, nothing), tmp_path / "second", earlier=_folders(earlier))
    assert keys(rows) == keys(first)
    assert {row["laps"]: row["attempt"] for row in rows} == {2: 1, 3: 2}
    assert any("2 rows of earlier attempts are left out" in note for note in told.notes)


def _folders(outputs):
    return [str(Path(output) / "rows") for output in outputs]


def test_a_part_that_takes_too_long_ends_the_measurement(spark, tmp_path):
    def slow(prepared, cell):
        yield 1
        while True:
            pass

    rows = make(spark, laps_of(max_seconds=0.2, repetitions=2), workload(slow, nothing), tmp_path)
    assert keys(rows) == [(2, 1, 1), (2, 1, 2), (3, 1, 1), (3, 1, 2)]
    assert [row["censored"] for row in sorted(rows, key=lambda row: row["lap"])] == [False, False, True, True]


@pytest.mark.parametrize("result", ["no generator", "nothing"])
def test_what_is_not_a_generator_of_parts_is_refused(spark, tmp_path, result):
    def none(prepared, cell):
        yield from ()

    of = workload((lambda prepared, cell: 3) if result == "no generator" else none, nothing)
    with pytest.raises(JobError) as caught:
        make(spark, laps_of(), of, tmp_path)
    assert "tiny: measure returned" in failures.explained(caught.value).problem
