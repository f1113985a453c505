"""Ratios of rates: that they and their intervals are right, and what cannot be compared."""

from __future__ import annotations

import copy
import math
import random
import statistics
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowerexp.analysis.compare import comparable, rates, ratios, same_work, wall_times
from flowerexp.analysis.compared_run import ComparedRun
from flowerexp.config import Config, plain, typed
from flowerexp.experiment import Experiment, Parameter
from tests.analysis.rows import READ_SPEED, WRITE_TFRECORDS, grid, row, table, written

CONFIG: dict[str, Any] = {
    "entrypoint": plain(READ_SPEED),
    "dataset": {"kind": "synthetic", "images": 60, "seed": 1, "tfrecords": None},
    "grid": {"reader": ["tfrecords"], "batch_size": [2, 4, 6, 8], "batch_number": [3, 6, 12, 18]},
    "measure": {"repetitions": 3},
    "preprocess": {"partitions": 16, "target_size": [192, 192], "quality": 95, "exact": False},
    "cluster": {"kind": "local", "cores": 2},
    "caching": True,
}


def total_rate(rows):
    """Images/s of rows that were timed."""
    found = table(rows).total_rate
    assert found
    return found


def measured(rows, name="a", error=None, phases=None, fingerprint="f1", **changes):
    """A run; `preprocess__quality=90` changes one value of its config."""
    config = copy.deepcopy(CONFIG)
    for key, value in changes.items():
        node, _, leaf = key.partition("__")
        if leaf:
            config[node][leaf] = value
        else:
            config[node] = value
    facts = {"data_fingerprint": fingerprint} if fingerprint else {}
    made = typed(config, Config)
    return ComparedRun(name, made, table(rows, made.entrypoint), facts, phases or {}, error)


def simulated(chance, *, speed=1.0, noise=0.1, cells=9, repetitions=3, odd=0.0, shared=None):
    """Rows whose seconds vary by a lognormal factor; `odd` of them take three times as long."""
    sizes = [(2**place, number) for place in range(1, 4) for number in (3, 6, 12)][:cells]
    rows = []
    for repetition in range(1, repetitions + 1):
        for size, number in sizes:
            one = row(size=size, number=number, repetition=repetition)
            factor = math.exp(chance.gauss(0, noise)) * (3 if chance.random() < odd else 1) * (shared or 1.0)
            rows.append(one | {"seconds": one["seconds"] * factor / speed})
    return rows


def ratio_of(base, other):
    (found,) = ratios([measured(rows) for rows in base], [measured(rows) for rows in other])
    return found


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"repetitions": 2, "cells": 6},
        {"repetitions": 3, "cells": 1},
        {"repetitions": 2, "noise": 0.4},
        {"repetitions": 5, "odd": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("truth", [1.0, 1.25])
def test_the_interval_covers_the_true_ratio_in_95_of_100_runs(shape, truth):
    chance = random.Random(5)
    trials, covered, widths = 500, 0, []
    for _ in range(trials):
        found = ratio_of([simulated(chance, **shape)], [simulated(chance, speed=truth, **shape)])
        covered += found.low <= truth <= found.high
        widths.append(math.log(found.high / found.low))
    assert 0.92 <= covered / trials <= 0.98
    if not shape:  # 9 cells of 3, of which the large ones count most: some 12 that count, each side with noise of 10 %
        assert 0.09 < statistics.fmean(widths) < 0.16


@pytest.mark.parametrize("repeats", [(2, 2), (5, 5), (3, 1)])
def test_repeats_of_runs_bring_in_how_far_runs_disagree(repeats):
    """Runs that are each 20 % off as a whole: one on each side is fooled, repeats are not."""
    chance = random.Random(6)

    def runs(count, speed):
        return [simulated(chance, speed=speed, noise=0.03, shared=math.exp(chance.gauss(0, 0.2))) for _ in range(count)]

    trials, covered = 400, 0
    for _ in range(trials):
        found = ratio_of(runs(repeats[0], 1.0), runs(repeats[1], 1.3))
        assert found.basis == "runs"
        covered += found.low <= 1.3 <= found.high
    assert 0.92 <= covered / trials <= 0.98
    fooled = sum(ratio_of(runs(1, 1.0), runs(1, 1.0)).verdict != "inconclusive" for _ in range(100))
    assert fooled > 50, "if this were few, compare need not say that one run a side does not show it"


@given(st.floats(0.2, 5.0), st.integers(0, 2**32))
def test_the_ratio_is_that_of_sums_and_lies_in_its_interval(speed, seed):
    chance = random.Random(seed)
    base, other = simulated(chance), simulated(chance, speed=speed, repetitions=4)
    found = ratio_of([base], [other])
    assert found.ratio == pytest.approx(total_rate(other) / total_rate(base))
    assert found.low <= found.ratio <= found.high
    assert found.verdict == (
        "inconclusive" if found.low <= 1 <= found.high else "faster" if found.ratio > 1 else "slower"
    )
    assert found == ratio_of([base], [other]), "the bootstrap is seeded"


def test_noise_that_both_runs_share_does_not_widen_the_interval():
    """Repetitions read the same files in both runs, and are compared pair by pair."""
    base = simulated(random.Random(1), noise=0.3)
    alike = [one | {"seconds": one["seconds"] / 1.1} for one in base]
    found = ratio_of([base], [alike])
    assert (found.low, found.high) == (pytest.approx(1.1), pytest.approx(1.1))
    reordered = [one | {"repetition": None} for one in alike]
    assert ratio_of([base], [reordered]).high > 1.2


def test_a_run_is_as_fast_as_itself():
    rows = grid()
    for found in ratios([measured(rows)], [measured(rows)]):
        assert (found.ratio, found.verdict) == (1.0, "inconclusive")


def test_one_measurement_a_cell_takes_the_cells_for_repetitions_and_says_so():
    chance = random.Random(3)
    found = ratio_of([simulated(chance, repetitions=1)], [simulated(chance, repetitions=1, speed=2)])
    assert (found.basis, found.verdict) == ("cells", "faster")
    assert found.low < 2 < found.high


def test_one_measurement_alone_says_nothing():
    found = ratio_of([[row()]], [[row(seconds=0.001)]])
    assert (found.low, found.high, found.basis, found.verdict) == (None, None, None, "inconclusive")


def test_only_common_readers_cells_and_first_executions_count():
    base = grid(readers=("image_files", "tfrecords"))
    other = [*grid(sizes=(2, 4), readers=("tfrecords",)), *[row(execution=2, seconds=1e-9)] * 3]
    (found,) = ratios([measured(base)], [measured(other)])
    assert (found.series, found.cells) == ("tfrecords", 8)
    assert found.base == pytest.approx(
        total_rate([r for r in base if r["reader"] == "tfrecords" and r["batch_size"] < 6])
    )
    assert found.verdict == "inconclusive"


def test_rows_without_a_reader_go_by_their_entrypoint_and_many_of_them_take_no_long_time():
    chance = random.Random(4)
    several = [
        [written(file, chance.gauss(0.5, 0.05) / speed) for file in range(count)]
        for speed, count in ((1, 16), (2, 20_000))
    ]
    one, two = (measured(rows, entrypoint=plain(WRITE_TFRECORDS)) for rows in several)
    (found,) = ratios([one], [two])
    assert found.low
    assert found.high
    assert (found.series, found.basis, found.verdict) == ("write_tfrecords", "repetitions", "faster")
    assert 1.9 < found.low < 2.0 < found.high < 2.15
    assert rates([one]) == {"write_tfrecords": pytest.approx(total_rate(several[0]))}


@pytest.mark.parametrize(
    "changes",
    [
        {"caching": False},
        {"cluster__cores": 8},
        {"preprocess__partitions": 2},
        {"measure__repetitions": 9},
        {"grid__batch_size": [8, 6, 4, 2]},
    ],
    ids=str,
)
def test_what_one_compares_may_differ(changes):
    assert comparable(measured(grid()), measured(grid(), "b", **changes)) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fingerprint": "f2"}, "different data (f1 and f2)"),
        (
            {"fingerprint": None},
            "different data (f1 and kind=synthetic, on_error=fail, on_warning=keep, images=60...)",
        ),
        ({"grid__batch_size": [2]}, "different grid.batch_size ([2, 4, 6, 8] and [2])"),
        ({"grid__batch_number": [3]}, "different grid.batch_number ([3, 6, 12, 18] and [3])"),
        ({"preprocess__target_size": [96, 64]}, "different preprocess.target_size (192x192 and 96x64)"),
        ({"preprocess__quality": 80}, "different preprocess.quality (95 and 80)"),
        ({"preprocess__exact": True}, "different preprocess.exact (False and True)"),
        ({"dataset__tfrecords": "/files"}, "different TFRecord files (None and /files)"),
        ({"entrypoint__name": "other"}, "different entrypoint (read_speed and other)"),
        ({"error": "no room"}, "b failed: no room"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_not_comparable_is_refused_with_the_reason(changes, reason):
    assert comparable(measured(grid()), measured(grid(), "b", **changes)) == [reason]


def test_what_a_reader_does_not_touch_may_differ():
    one, two = (measured(grid(readers=("image_files",)), preprocess__quality=quality) for quality in (80, 95))
    assert comparable(one, two) == []
    existing = [measured(grid(readers=("tfrecords",)), fingerprint=f, dataset__tfrecords="/a") for f in ("f1", None)]
    assert comparable(*existing) == []


def test_runs_without_anything_in_common_are_refused():
    image_files, tfrecords = (measured(grid(readers=(reader,)), reader) for reader in ("image_files", "tfrecords"))
    assert comparable(image_files, tfrecords) == ["no reader in common (image_files and tfrecords)"]
    assert comparable(image_files, measured([], "b")) == ["b has no measurements"]
    assert comparable(measured([{"reader": "x", "score": 1}]), tfrecords) == ["a has no measured images/s"]
    small, large = (measured(grid(sizes=(size,))) for size in (2, 4))
    assert comparable(small, large) == ["they have no cell in common"]


def test_wall_times_are_those_of_whole_phases_where_they_are_known():
    phases = {"start": 2.0, "measure": 4.0, "measure.rows": 3.0}
    assert wall_times([measured([], phases=phases)]) == {"total": 6.0, "measure": 4.0}
    assert wall_times([measured([], phases=p) for p in (phases, {"start": 4.0})]) == {"total": 5.0}


def test_wall_times_compare_only_where_the_work_is_the_same():
    both, one, more = measured(grid()), measured(grid(readers=("tfrecords",))), measured(grid(repetitions=4))
    assert same_work(both, measured(grid(noise=0.3)))
    assert not same_work(both, one)
    assert not same_work(both, more)
    few, many = (
        measured([written(file, 1.0, 96 // files) for file in range(files)], entrypoint=plain(WRITE_TFRECORDS))
        for files in (2, 16)
    )
    assert same_work(few, many)


COUNT = Experiment(
    name="count",
    question="How fast?",
    script="count.py",
    unit="words",
    parameters={"how": Parameter(type="text"), "size": Parameter(type="int")},
    settings={"language": "en"},
)


def counted(how="sort", sizes=(1, 2), censored=(), name="a", **changes):
    """A run of an experiment that uses no data, over two sizes."""
    made = {"entrypoint": plain(replace(COUNT, **changes)), "grid": {"how": [how], "size": [*sizes]}}
    rows = [
        {"how": how, "size": size, "repetition": again, "words": size, "seconds": 1.0 + again, "censored": False}
        for size in sizes
        for again in (1, 2)
    ]
    rows += [{**rows[0], "size": size, "repetition": 3, "words": None, "censored": True} for size in censored]
    config = typed(made, Config)
    return ComparedRun(name, config, table(rows, config.entrypoint))


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        ({"how": "hash"}, ["no how in common (sort and hash)"]),
        ({"sizes": (1, 3)}, ["different grid.size ([1, 2] and [1, 3])"]),
        ({"settings": {"language": "de"}}, ["different entrypoint.settings.language (en and de)"]),
        ({"unit": "letters", "column": "words"}, ["different entrypoint.unit (words and letters)"]),
        ({"censored": (1, 2)}, ["b has no measured words/s"]),
        ({"censored": (1,)}, []),
    ],
)
def test_any_experiment_is_compared_by_what_it_declares(changes, reasons):
    assert comparable(counted(), counted(name="b", **changes)) == reasons


def test_cells_of_which_some_were_stopped_are_left_out():
    (found,) = ratios([counted()], [counted(censored=(1,))])
    assert (found.cells, found.base) == (1, 4 / 5)
