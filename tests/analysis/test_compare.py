"""Ratios of rates: that they and their intervals are right, and what cannot be compared."""

from __future__ import annotations

import copy
import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowerexp.analysis.charged import Seconds, seconds_of
from flowerexp.analysis.compare import comparable, ratios, same_work, values, wall_times
from flowerexp.analysis.compared_run import ComparedRun
from flowerexp.config import Config, plain, typed
from flowerexp.experiment import Experiment, Parameter, Value
from tests.analysis.rows import READ_SPEED, WRITE_SHARDS, grid, row, table, written

CONFIG: dict[str, Any] = {
    "entrypoint": plain(READ_SPEED),
    "dataset": {"kind": "synthetic", "images": 60, "seed": 1, "tfrecords": None},
    "grid": {"reader": ["tfrecords"], "batch_size": [2, 4, 6, 8], "batch_number": [3, 6, 12, 18]},
    "measure": {"repetitions": 3},
    "preprocess": {"shards": 16, "target_size": [192, 192], "quality": 95, "exact": False},
    "cluster": {"kind": "local", "cores": 2},
    "caching": True,
}


def total_value(rows):
    """What an experiment of reading is about: the steady images/s of some rows."""
    found = table(rows).total_value
    assert found
    return found


def changed(changes):
    config = copy.deepcopy(CONFIG)
    for key, value in changes.items():
        node, _, leaf = key.partition("__")
        if leaf:
            config[node][leaf] = value
        else:
            config[node] = value
    return typed(config, Config)


UNCHANGED = changed({})


def measured(rows, name="a", error=None, phases=None, fingerprint="f1", **changes):
    """A run; `preprocess__quality=90` changes one value of its config."""
    facts = {"data_fingerprint": fingerprint} if fingerprint else {}
    made = changed(changes) if changes else UNCHANGED
    return ComparedRun(name, made, table(rows, made.experiment), facts, phases or {}, error)


def simulated(chance, *, speed=1.0, noise=0.1, cells=9, repetitions=3, odd=0.0, shared=None):
    """Rows whose seconds vary by a lognormal factor; `odd` of them take three times as long."""
    sizes = [(2**place, number) for place in range(1, 4) for number in (3, 6, 12)][:cells]
    rows = []
    for repetition in range(1, repetitions + 1):
        for size, number in sizes:
            one = row(size=size, number=number, repetition=repetition)
            factor = math.exp(chance.gauss(0, noise)) * (3 if chance.random() < odd else 1) * (shared or 1.0)
            rows.append(one | {name: one[name] * factor / speed for name in ("seconds", "first_batch_seconds")})
    return rows


def ratio_of(base, other):
    (found,) = ratios([measured(rows) for rows in base], [measured(rows) for rows in other])
    return found


def runs_of(chance, count, *, speed=1.0, deviation=0.03):
    """Runs that are each off as a whole, as runs on a shared machine are."""
    return [
        simulated(chance, speed=speed, noise=0.02, cells=3, shared=math.exp(chance.gauss(0, deviation)))
        for _ in range(count)
    ]


@pytest.mark.parametrize("repeats", [(1, 1), (2, 2), (5, 5), (3, 1)])
@pytest.mark.parametrize("deviation", [0.02, pytest.param(0.05, marks=pytest.mark.long)])
@pytest.mark.slow
def test_two_sides_that_are_the_same_are_called_different_in_at_most_5_of_100_comparisons(repeats, deviation):
    chance, trials = random.Random(6), 300
    called = [
        ratio_of(*(runs_of(chance, count, deviation=deviation) for count in repeats)).verdict for _ in range(trials)
    ]
    assert sum(verdict in ("faster", "slower") for verdict in called) <= 0.05 * trials


@pytest.mark.slow
def test_five_repeats_find_a_slowdown_of_10_percent():
    chance, trials = random.Random(7), 200
    called = [ratio_of(runs_of(chance, 5), runs_of(chance, 5, speed=0.9)).verdict for _ in range(trials)]
    assert called.count("slower") >= 0.9 * trials
    assert "faster" not in called


def test_one_run_a_side_shows_a_large_difference_and_no_small_one():
    chance = random.Random(8)
    assert ratio_of(runs_of(chance, 1), runs_of(chance, 1, speed=2)).verdict == "faster"
    small = ratio_of(runs_of(chance, 1, deviation=0.0), runs_of(chance, 1, speed=0.85, deviation=0.0))
    assert small.verdict == "inconclusive"
    assert small.repeats in range(2, 8)


def test_runs_side_by_side_cancel_what_the_machine_did_to_both():
    """The machine gets slower by 30 % in each block; what matters is how runs differ within a block."""
    chance = random.Random(9)
    base, other = [], []
    for block in range(6):
        drift = 1.3**block
        base.append(simulated(chance, noise=0.01, cells=3, shared=drift))
        other.append(simulated(chance, noise=0.01, cells=3, shared=drift, speed=0.85))
    one, two = [measured(rows) for rows in base], [measured(rows) for rows in other]
    (alone,), (paired,) = ratios(one, two), ratios(one, two, paired=True)
    assert (alone.verdict, paired.verdict) == ("inconclusive", "slower")


def test_many_comparisons_widen_the_interval_of_each():
    chance = random.Random(10)
    base, other = ([measured(rows) for rows in runs_of(chance, 3)] for _ in range(2))
    (one,), (of_twenty,) = ratios(base, other), ratios(base, other, comparisons=20)
    assert one.interval.value == of_twenty.interval.value
    assert (of_twenty.interval.reach or 0) > (one.interval.reach or 1)


def test_suspect_runs_are_left_out_and_if_there_are_no_others_nothing_is_concluded():
    chance = random.Random(11)
    base = [measured(rows) for rows in runs_of(chance, 3)]
    other = [measured(rows) for rows in runs_of(chance, 3)]
    slow = replace(measured(runs_of(chance, 1, speed=0.2)[0], "slow"), verdict="suspect")
    assert ratios(base, [*other, slow]) == ratios(base, other)
    (found,) = ratios(base, [slow])
    assert (found.verdict, found.doubt) == ("suspect", "slow is suspect")


def test_equal_means_within_the_margin():
    chance = random.Random(12)
    base, other = ([measured(rows, margin=0.2) for rows in runs_of(chance, 5, deviation=0.01)] for _ in range(2))
    assert ratios(base, other)[0].verdict == "equal"
    strict = [replace(run, config=replace(run.config, margin=0.01)) for run in base]
    assert ratios(strict, other)[0].verdict == "inconclusive"


@given(st.floats(0.2, 5.0), st.integers(0, 2**32))
def test_the_ratio_of_two_runs_is_that_of_sums_and_lies_in_its_interval(speed, seed):
    chance = random.Random(seed)
    base, other = simulated(chance), simulated(chance, speed=speed, repetitions=4)
    found = ratio_of([base], [other])
    assert found.interval.value == pytest.approx(total_value(other) / total_value(base))
    assert found.interval.low <= found.interval.value <= found.interval.high
    assert found.gain == found.interval
    assert found == ratio_of([base], [other])


def test_where_lower_is_better_the_gain_is_the_other_way_round():
    entrypoint = plain(replace(READ_SPEED, value=Value(name="seconds", better="lower")))
    chance = random.Random(13)
    slow, fast = (measured(simulated(chance, speed=speed), entrypoint=entrypoint) for speed in (1, 2))
    (found,) = ratios([slow], [fast])
    assert found.verdict == "faster"
    assert found.interval.inverse == found.gain
    assert found.gain.value == pytest.approx(2, rel=0.1)


def test_a_column_of_the_experiments_own_is_better_or_worse():
    entrypoint = plain(replace(READ_SPEED, value=Value(name="loss", better="lower")))
    rows = [[one | {"loss": loss} for one in grid(readers=("tfrecords",))] for loss in (1.0, 2.0)]
    small, large = (measured(each, entrypoint=entrypoint) for each in rows)
    assert [ratios([small], [large])[0].verdict, ratios([large], [small])[0].verdict] == ["worse", "better"]
    zero = measured([one | {"loss": 0.0} for one in rows[0]], entrypoint=entrypoint)
    (found,) = ratios([small], [zero])
    assert (found.estimate, found.verdict) == (None, "inconclusive")


def test_only_common_readers_cells_and_first_executions_count():
    base = grid(readers=("image_files", "tfrecords"))
    other = [*grid(sizes=(2, 4), readers=("tfrecords",)), *[row(execution=2, seconds=1e-9)] * 3]
    (found,) = ratios([measured(base)], [measured(other)])
    assert (found.series, found.cells) == ("tfrecords", 8)
    assert found.base == pytest.approx(
        total_value([r for r in base if r["reader"] == "tfrecords" and r["batch_size"] < 6])
    )
    assert found.verdict == "inconclusive"


def test_rows_without_a_reader_go_by_their_entrypoint_and_many_of_them_take_no_long_time():
    chance = random.Random(4)
    several = [
        [written(file, chance.gauss(0.5, 0.05) / speed) for file in range(count)]
        for speed, count in ((1, 16), (2, 20_000))
    ]
    one, two = (measured(rows, entrypoint=plain(WRITE_SHARDS)) for rows in several)
    (found,) = ratios([one], [two])
    assert (found.series, found.verdict) == ("write_shards", "faster")
    assert 1.9 < found.interval.value < 2.15
    assert values([one]) == {
        "write_shards": pytest.approx(16 / math.fsum(row["seconds"] for row in several[0]), rel=99)
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"caching": False},
        {"cluster__cores": 8},
        {"preprocess__shards": 2},
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


def test_runs_of_one_sweep_may_differ_in_what_it_varies():
    pair = [measured(grid(), preprocess__quality=quality) for quality in (80, 95)]
    assert comparable(*pair) == ["different preprocess.quality (80 and 95)"]
    assert comparable(*(replace(run, sweep="s") for run in pair)) == []
    assert comparable(*(replace(run, sweep=place) for run, place in zip(pair, "st", strict=True))) != []


def test_runs_without_anything_in_common_are_refused():
    image_files, tfrecords = (measured(grid(readers=(reader,)), reader) for reader in ("image_files", "tfrecords"))
    assert comparable(image_files, tfrecords) == ["no reader in common (image_files and tfrecords)"]
    assert comparable(image_files, measured([], "b")) == ["b has no measurements"]
    assert comparable(measured([{"reader": "x", "score": 1}]), tfrecords) == ["a has no measured steady images/s"]
    small, large = (measured(grid(sizes=(size,))) for size in (2, 4))
    assert comparable(small, large) == ["they have no cell in common"]


def test_a_run_is_charged_for_measuring_and_preparing_and_warming_up_stand_apart():
    first = {"prepare": 2.0, "warm_up": 1.0, "cache": 0.5, "measure": 4.0, "measure.rows": 3.0}
    assert wall_times([measured([], phases=first)]) == Seconds(own=4.5, preparing=2.0, warm_up=1.0)
    later = {"warm_up": 1.0, "measure": 3.5}
    assert wall_times([measured([], phases=phases) for phases in (first, later)]) == Seconds(4.0, 1.0, 1.0)


def test_a_run_that_only_prepares_is_charged_for_what_no_other_run_finds_made():
    experiment = replace(READ_SPEED, shared=("generate",))
    assert seconds_of({"generate": 5.0, "prepare": 2.0}, experiment) == Seconds(own=2.0, preparing=5.0, warm_up=0.0)


def test_wall_times_compare_only_where_the_work_is_the_same():
    both, one, more = measured(grid()), measured(grid(readers=("tfrecords",))), measured(grid(repetitions=4))
    assert same_work(both, measured(grid(noise=0.3)))
    assert not same_work(both, one)
    assert not same_work(both, more)
    few, many = (
        measured([written(file, 1.0, 96 // files) for file in range(files)], entrypoint=plain(WRITE_SHARDS))
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


def test_a_parameter_and_a_setting_that_one_side_does_not_know_equal_their_defaults():
    entrypoint = copy.deepcopy(CONFIG["entrypoint"])
    entrypoint["parameters"]["workers"] = plain(Parameter(type="int", default=0))
    entrypoint["limits"]["steps"] = plain(Parameter(type="bool", default=False))
    entrypoint["settings"]["steps"] = False
    today = {"entrypoint": entrypoint, "grid": {**CONFIG["grid"], "workers": [0]}}
    assert comparable(measured(grid()), measured(grid(), "b", **today)) == []
    today["grid"]["workers"] = [2]
    assert comparable(measured(grid()), measured(grid(), "b", **today)) == ["different grid.workers (None and [2])"]
