"""Effects: what is compared, with what, and what is said of it."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flowerexp.analysis.conclusions.effects import Effect, drift_of, effects_of
from flowerexp.analysis.conclusions.evidence import Evidence, Factor, evidence_of
from flowerexp.analysis.conclusions.of_run import conclude
from flowerexp.analysis.conclusions.sentences import Conclusions
from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.verdict import Verdict, judge
from flowerexp.experiment import Experiment, Parameter, Value
from flowerexp.measurements.coded import Coded
from tests.analysis.rows import READ_SPEED, grid, table

SORT = Experiment(
    name="sort",
    question="How fast can words be sorted?",
    script="sort.py",
    unit="words",
    parameters={
        "how": Parameter(
            type="text", choices=("merge", "radix"), labels={"merge": "Merge sort", "radix": "Radix sort"}
        ),
        "size": Parameter(type="int", compare=False),
        "threads": Parameter(type="int"),
    },
)
VALID = Verdict("valid")


def rows(threads=(1,), gain=1.5, noise=0.02, repetitions=6, seed=0, **speeds) -> list[dict[str, Any]]:
    """Radix sort is `gain` times as fast as merge sort; `speeds` by threads, such as t4=2.0."""
    chance = np.random.default_rng(seed)
    return [
        {
            "how": how,
            "size": size,
            "threads": count,
            "repetition": repetition,
            "words": size,
            "seconds": size
            / 1000
            / (gain if how == "radix" else 1)
            / speeds.get(f"t{count}", 1.0)
            * math.exp(chance.normal(0, noise)),
        }
        for repetition in range(1, repetitions + 1)
        for how, size, count in itertools.product(("merge", "radix"), (10, 100), threads)
    ]


def answer(measured, experiment=SORT, margin=0.05, verdict=VALID):
    return conclude(table(measured, experiment), verdict, margin).answer


class TestOneRun:
    def test_a_categorical_parameter_is_what_it_is_about(self):
        text = answer(rows())
        assert text.startswith("Choose radix sort: 1.4")
        assert " × the words/s of merge sort (95 % interval 1." in text

    def test_a_condition_is_not_compared_and_a_numeric_parameter_is_named_only_if_it_matters(self):
        (effect,) = effects_of(evidence_of(table(rows(), SORT)), 0.05)
        assert effect.factor.key == "how"
        assert "threads" not in answer(rows(threads=(1, 4)))
        assert "choose threads 4: 2." in answer(rows(threads=(1, 4), t4=2.0))

    def test_what_makes_no_difference_is_said_with_its_bound(self):
        text = answer(rows(gain=1.0, noise=0.005, repetitions=12))
        assert text.startswith("No difference found: ")
        assert "merge sort" in text
        assert text.endswith(" do not differ by more than 0.5% in words/s.")
        unclear = answer(rows(gain=1.0, noise=0.2))
        assert unclear.startswith("No difference found between ")
        assert "is possible" in unclear

    def test_what_was_measured_once_may_be_chance(self):
        one = [row for row in rows(repetitions=1) if row["size"] == 10]
        assert (
            "radix sort measured better than merge sort, but nothing was repeated: it may be chance"
            in answer(one).lower()
        )

    def test_where_lower_is_better_the_lowest_is_chosen(self):
        slow = replace(SORT, value=Value(name="seconds", better="lower"))
        text = answer(rows(), slow)
        assert text.startswith("Choose radix sort: 0.6")
        assert "the seconds of merge sort" in text

    def test_a_run_that_is_not_valid_has_no_answer(self):
        text = answer(rows(), verdict=Verdict("suspect", ("other processes were at work",)))
        assert text == "No answer: the run is suspect: other processes were at work."

    def test_a_single_series_has_its_value_for_an_answer(self):
        only = [row for row in rows() if row["how"] == "merge"]
        assert answer(only).startswith("Merge sort: 1,0")
        assert "(95 % interval" in answer(only)

    def test_cells_that_were_stopped_in_one_series_are_left_out_of_both(self):
        """Radix sort is fast only in the size that merge sort could not finish."""
        measured = rows(gain=1.0)
        for row in measured:
            if row["size"] == 100 and row["how"] == "radix":
                row["seconds"] /= 9
            if row["size"] == 100 and row["how"] == "merge" and row["repetition"] == 1:
                row |= {"censored": True, "words": None}
        assert "9" not in answer(measured).partition("(")[0]

    @pytest.mark.parametrize("measured", [[], [{"words": 3}], [{"how": "merge", "seconds": 1.0, "words": 0}]])
    def test_without_values_nothing_is_concluded(self, measured):
        found = table(measured, SORT)
        assert conclude(found, judge(found), 0.05).answer.startswith("No answer: ")

    def test_read_speed_says_what_else_differs_between_readers(self):
        found = conclude(table(grid()), VALID, 0.05)
        assert found.answer.startswith("Choose TFRecords: 2.")
        assert [effect.factor.key for effect in found.effects] == ["reader"]


def swept(values, *, levels=("2", "16"), experiment=READ_SPEED, blocks=3, noise=0.02, readers=("tfrecords",), seed=1):
    """Evidence of one run for each level and block; `values` are the steady images/s of each level."""
    chance = np.random.default_rng(seed)
    runs = [(level, block, reader) for block in range(blocks) for level in range(len(levels)) for reader in readers]
    number = np.array([block * len(levels) + level for level, block, _ in runs])
    top = np.array([values[level] * math.exp(chance.normal(0, noise)) for level, _, _ in runs])
    ones = np.ones(len(runs))
    columns = {
        "preprocess.shards": np.array([levels[level] for level, _, _ in runs]),
        "reader": np.array([reader for _, _, reader in runs]),
        "batch_size": ones,
        "batch_number": ones,
    }
    coded, none = {name: Coded.of(column) for name, column in columns.items()}, np.zeros(len(runs), int)
    factors = [Factor("preprocess.shards", "partitions"), Factor("reader", "reader", asked=False)]
    count = blocks * len(levels)
    return Evidence(
        experiment, top, ones, number, none, coded, factors, np.arange(count) // len(levels), np.arange(count)
    )


def concluded(evidence, margin=0.05, **more):
    effects = effects_of(evidence, margin)
    return Conclusions(evidence.experiment, effects, {"tfrecords": Interval(1.0)}, **more)


@pytest.mark.parametrize(("repeatable", "more"), [(True, "."), (False, "; sort finds what an earlier run has written")])
def test_without_a_value_the_answer_says_why_there_is_none(repeatable, more):
    answer = Conclusions(replace(SORT, repeatable=repeatable), [], {}).answer
    assert answer.startswith(f"No answer: nothing was measured{more}")


class TestSweeps:
    def test_the_best_level_is_chosen_with_those_that_are_not_shown_to_be_worse(self):
        found = concluded(swept([100, 150, 151], levels=("2", "8", "16"), blocks=6, noise=0.01))
        assert found.answer.startswith("Choose partitions 16 or partitions 8: 1.5")
        assert "the steady images/s of partitions 2 (95 % interval" in found.answer

    def test_equal_levels_are_said_to_be_and_the_cheapest_is_named(self):
        costs = {"preprocess.shards": {"2": 0.01, "16": 0.02}}
        found = concluded(swept([100, 100], blocks=20, noise=0.01), margin=0.1, costs=costs)
        assert found.answer.startswith("No difference found: partitions 2 and 16 do not differ by more than ")
        assert found.answer.endswith("; 2 costs least, $0.0100 a run.")

    def test_what_is_open_says_how_many_runs_would_settle_it(self):
        found = concluded(swept([100, 107], blocks=1))
        assert "no difference found between partitions 2 and 16" in found.answer.lower()
        (effect,) = found.effects
        assert effect.repeats is not None
        assert f"about {effect.repeats} runs of each setting would settle it" in found.answer

    def test_what_a_series_does_not_depend_on_is_not_compared_in_it(self):
        both = swept([100, 200], readers=("image_files", "tfrecords"))
        contexts = [effect.context for effect in effects_of(both, 0.05) if effect.factor.key != "reader"]
        assert contexts == [{"reader": "tfrecords"}]

    def test_each_further_comparison_widens_the_others(self):
        evidence = swept([100, 120])
        (alone,), (among,) = effects_of(evidence, 0.05), effects_of(evidence, 0.05, more_families=9)
        assert alone.widest.value == among.widest.value
        assert (among.widest.reach or 0) > (alone.widest.reach or 0)

    @pytest.mark.slow
    def test_a_choice_among_many_that_are_the_same_is_seldom_called_a_difference(self):
        """Twelve settings of the same speed, as a sweep that looks for the best has them."""
        names = tuple(map(str, range(12)))
        wrong = 0
        for seed in range(200):
            evidence = swept([100.0] * 12, levels=names, blocks=2, noise=0.05, seed=seed)
            wrong += any(effect.outcome == "differs" for effect in effects_of(evidence, 0.05))
        assert wrong <= 0.05 * 200 + 6

    def test_runs_that_drift_are_noticed(self):
        steady = swept([100, 100], blocks=6)
        assert drift_of(steady) is None
        moved = replace(steady, top=steady.top * 1.05 ** np.arange(len(steady.top)))
        found = drift_of(moved)
        assert found is not None
        assert found.change == pytest.approx(1.05**11 - 1, rel=0.2)

    def test_values_that_are_not_above_zero_are_not_compared(self):
        evidence = swept([100, 100])
        assert effects_of(replace(evidence, top=evidence.top * 0), 0.05) == []


def test_an_effect_without_an_estimate_is_unknown():
    effect = Effect(Factor("a", "a"), {}, [], {}, "runs", 1, 0.05)
    assert (effect.outcome, effect.repeats, effect.bound) == ("unknown", None, None)
