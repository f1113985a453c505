"""`compare SWEEP`: all settings from the best to the worst, a row each, with intervals that hold together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowerexp.analysis.conclusions.contrasts import Estimate
from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.report.gather import load
from flowerexp.analysis.report.ranking import rank
from flowerexp.comparing.ranked import ranked
from tests.analysis.rows import grid
from tests.analysis.sweeps import config, write_run, write_sweep

SPEEDS = {2: 1.0, 8: 3.0, 16: 1.01}
"""How fast each number of partitions reads."""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three settings, each of three runs; all of the first one's runs are suspect in `doubtful`."""
    folder = write_sweep(
        tmp_path_factory.mktemp("sweep") / "s", {"repeat": [1, 2, 3], "preprocess.shards": list(SPEEDS)}
    )
    for place, partitions in enumerate([*SPEEDS] * 3):
        rows = grid(sizes=(2, 4, 8), numbers=(3, 6, 12))
        wobble = 1 + 0.01 * ((place * 7) % 5)
        timed = [row | {"seconds": row["seconds"] / SPEEDS[partitions] * wobble} for row in rows]
        timed = [row | {"first_batch_seconds": row["first_batch_seconds"] / SPEEDS[partitions]} for row in timed]
        write_run(folder / str(place), config({"preprocess.shards": partitions}), place, rows=timed)
    return folder


def ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


def test_settings_are_ranked_within_each_series_and_repeats_are_one_row(sweep):
    lines = rank(load(sweep))
    tfrecords = [line for line in lines if line.context == {"reader": "tfrecords"}]
    assert len(lines) == 6
    assert [len(line.runs) for line in lines] == [3] * 6
    assert tfrecords[0].values == {"preprocess.shards": 8}
    assert [line.verdict for line in tfrecords] == ["best", "slower", "slower"]
    low, high = ends(tfrecords[1].ratio)
    assert low < 1 / 3 < high < 1
    assert [line.seconds for line in tfrecords] == [pytest.approx(5.05, rel=0.02)] * 3, "without what preparing took"


def test_the_intervals_of_all_settings_and_series_hold_together(sweep, monkeypatch):
    """Tukey's among three settings, Bonferroni's between two series: each is wider than that of a single comparison."""
    together = [line.ratio for line in rank(load(sweep)) if line.verdict != "best"]
    real, asked = Estimate.ratio, set()

    def alone(self: Estimate, *how: int) -> Interval:
        asked.add(how)
        return real(self)

    monkeypatch.setattr(Estimate, "ratio", alone)
    single = [line.ratio for line in rank(load(sweep)) if line.verdict != "best"]
    assert asked == {(3, 2)}
    for all_of_them, one in zip(together, single, strict=True):
        assert ends(all_of_them)[0] < ends(one)[0] < ends(one)[1] < ends(all_of_them)[1]


def test_a_setting_without_a_valid_run_comes_last_and_is_not_compared(sweep, tmp_path):
    folder = write_sweep(tmp_path / "s", {"preprocess.shards": [2, 4, 8]})
    record = json.loads((folder / "2/run.json").read_text())
    (folder / "2/run.json").write_text(json.dumps(record | {"verdict": {"state": "suspect", "reasons": ["noise"]}}))
    lines = rank(load(folder))
    assert [(line.values["preprocess.shards"], line.ratio, line.verdict) for line in lines[-2:]] == [
        (8, None, "suspect"),
        (8, None, "suspect"),
    ]
    assert {line.values["preprocess.shards"] for line in lines[:-2]} == {2, 4}


def test_a_sweep_over_the_experiments_own_parameters_ranks_their_values(tmp_path):
    folder = tmp_path / "s"
    write_sweep(folder, {"grid.reader": ["image_files", "tfrecords"]})
    for place, reader in enumerate(("image_files", "tfrecords")):
        rows = grid(sizes=(2, 4, 8), numbers=(3, 6, 12), readers=(reader,))
        write_run(folder / str(place), config({"grid.reader": [reader]}), place, rows=rows)
    lines = rank(load(folder))
    assert [line.values["grid.reader"] for line in lines] == ["tfrecords", "image_files"]
    assert [line.verdict for line in lines] == ["best", "slower"]


def test_the_table_names_what_the_next_command_takes_and_details_list_each_run(sweep):
    short, long = ranked(sweep), ranked(sweep, details=True)
    assert f"compare   flowerexp compare {sweep}/1 {sweep}/" in short
    assert "+2" in short
    assert len(long.splitlines()) == len(short.splitlines()) + 11
    assert "preparing" in long
