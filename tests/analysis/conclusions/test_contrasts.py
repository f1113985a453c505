"""Differences between levels: that their intervals hold the truth as often as they say, whatever the design."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import studentized_range

from flowerexp.analysis.conclusions.constants import MOST_REPEATS, PRIOR_DEVIATION, PRIOR_FREEDOM
from flowerexp.analysis.conclusions.contrasts import (
    Estimate,
    Side,
    between_runs,
    quantile,
    repeats_needed,
    trend,
    within_runs,
)
from flowerexp.analysis.estimate import student


class TestQuantile:
    @pytest.mark.parametrize(("levels", "freedom", "families"), [(3, 4, 1), (5, 18, 4), (12, 60, 2)])
    def test_it_is_tukeys_for_all_pairs_of_several_levels(self, levels, freedom, families):
        known = studentized_range.ppf(1 - 0.05 / families, levels, freedom) / math.sqrt(2)
        assert quantile(levels, freedom, families) == pytest.approx(known, rel=0.003)

    def test_it_is_students_for_two_levels(self):
        assert quantile(2, 7) == student(7)
        assert quantile(2, 7, 5) == pytest.approx(student(7, 5))
        assert student(7, 5) > student(7)

    @pytest.mark.parametrize(("levels", "freedom", "families"), [(3, 1, 1), (4, 9, 200)])
    def test_where_there_are_no_tables_it_is_bonferronis_which_is_wider(self, levels, freedom, families):
        pairs = levels * (levels - 1) // 2
        assert quantile(levels, freedom, families) == pytest.approx(student(freedom, pairs * families))


def misses(simulate, trials=400):
    """In how many of some designs an interval of any pair of equal levels excludes no difference."""
    chance, wrong = np.random.default_rng(1), 0
    for _ in range(trials):
        estimates, levels = simulate(chance)
        wrong += any(each.ratio(levels).excludes_one for each in estimates.values())
    return wrong / trials


class TestBetweenRuns:
    @pytest.mark.parametrize(("levels", "repeats"), [(2, 5), (4, 3), (6, 2), (3, 1)])
    @pytest.mark.parametrize("deviation", [0.02, 0.06])
    def test_levels_that_are_equal_seldom_differ(self, levels, repeats, deviation):
        def simulate(chance):
            logs = chance.normal(0, deviation, levels * repeats)
            return between_runs(logs, np.repeat(np.arange(levels), repeats)), levels

        assert misses(simulate) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 400)

    def test_blocks_take_a_drift_of_the_machine_out_of_the_noise(self):
        chance = np.random.default_rng(2)
        levels, blocks = np.tile([0, 1], 6), np.repeat(np.arange(6), 2)
        logs = 0.3 * blocks + 0.1 * levels + chance.normal(0, 0.02, 12)
        alone, blocked = between_runs(logs, levels)[0, 1], between_runs(logs, levels, blocks=blocks)[0, 1]
        assert not alone.ratio().excludes_one
        assert blocked.ratio().excludes_one
        assert blocked.difference == pytest.approx(-0.1, abs=0.04)
        assert blocked.freedom == PRIOR_FREEDOM + 5

    def test_a_single_run_a_side_rests_on_what_other_runs_have_shown(self):
        found = between_runs(np.array([0.0, 0.1]), np.array([0, 1]))[0, 1]
        assert found.freedom == PRIOR_FREEDOM
        assert found.deviation == pytest.approx(PRIOR_DEVIATION)
        assert not found.ratio().excludes_one
        assert between_runs(np.array([0.0, 0.1]), np.array([0, 1]), within=0.04)[0, 1].deviation == pytest.approx(0.2)

    def test_many_repeats_outweigh_it(self):
        logs = np.random.default_rng(3).normal(0, 0.01, 80)
        found = between_runs(logs, np.tile([0, 1], 40))[0, 1]
        assert 0.009 < found.deviation < 0.02

    def test_other_factors_are_taken_out_also_from_a_fraction_of_all_combinations(self):
        """Four two-level factors in eight runs: each effect is found beside the others."""
        rows = np.array([*itertools.product((0, 1), repeat=3)])
        design = np.column_stack([rows, rows.sum(axis=1) % 2])
        effects = np.array([0.5, -0.3, 0.0, 0.8])
        logs = design @ effects + np.random.default_rng(4).normal(0, 0.01, 8)
        for place, effect in enumerate(effects):
            others = [design[:, other] for other in range(4) if other != place]
            found = between_runs(-logs, design[:, place], others)[0, 1]
            assert found.difference == pytest.approx(effect, abs=0.03)
            assert found.ratio(families=4).excludes_one == (effect != 0)

    def test_levels_that_the_design_does_not_compare_have_no_estimate(self):
        """Both factors always vary together: neither can be told from the other."""
        levels = np.array([0, 0, 1, 1])
        assert between_runs(np.zeros(4), levels, [levels]) == {}

    def test_a_factor_of_many_numbers_is_a_straight_line_beside_another_one(self):
        chance = np.random.default_rng(5)
        levels, sizes = np.tile([0, 1], 8), chance.permutation(16).astype(float)
        logs = 0.2 * levels + 0.05 * sizes + chance.normal(0, 0.01, 16)
        found = between_runs(-logs, levels, [sizes])[0, 1]
        assert found.difference == pytest.approx(0.2, abs=0.03)
        assert found.ratio().excludes_one


class TestWithinRuns:
    def test_the_noise_of_repetitions_makes_the_interval(self):
        def simulate(chance):
            found = within_runs([Side(chance.normal(0, 0.05, 6))])
            assert found is not None
            return {(0, 1): found}, 2

        assert 0.02 <= misses(simulate, 1000) <= 0.07
        exact = within_runs([Side(np.array([0.1, 0.2, 0.3]))])
        assert exact is not None
        assert exact.difference == pytest.approx(0.2)
        assert exact.freedom == 2
        assert exact.error == pytest.approx(0.1 / math.sqrt(3))

    def test_runs_that_disagree_count_as_runs_and_others_are_pooled(self):
        alike = within_runs([Side(np.array([0.1, 0.2, 0.3])), Side(np.array([0.11, 0.21, 0.31]))])
        apart = within_runs([Side(np.array([0.1, 0.2, 0.3])), Side(np.array([1.1, 1.2, 1.3]))])
        assert alike is not None
        assert apart is not None
        assert (alike.freedom, apart.freedom) == (5, 1)
        assert apart.ratio().low < 0.1  # type: ignore[operator]

    @pytest.mark.parametrize(("runs", "between"), [(1, 0.0), (4, 0.0), (4, 0.05)])
    def test_equal_levels_seldom_differ(self, runs, between):
        def simulate(chance):
            sides = []
            for _ in range(runs):
                cells = chance.normal(0, 0.06, (9, 3)) + chance.normal(0, between)
                left = cells - cells.mean(axis=0) - cells.mean(axis=1, keepdims=True) + cells.mean()
                sides.append(Side(cells.mean(axis=0), float((left**2).sum()) / 16 / 9, 16))
            found = within_runs(sides)
            assert found is not None
            return {(0, 1): found}, 2

        assert misses(simulate, 600) <= 0.075

    def test_nothing_that_is_repeated_is_nothing_known(self):
        assert within_runs([Side(np.array([0.3]))]) is None


class TestRepeats:
    def test_they_settle_the_comparison_if_it_stays_as_it_is(self):
        unclear = Estimate(0.08, 0.06, 4, 0.06)
        needed = repeats_needed(unclear, 0.05)
        assert needed is not None
        reach = student(PRIOR_FREEDOM + 2 * (needed - 1)) * 0.06 * math.sqrt(2 / needed)
        assert reach < 0.08
        assert repeats_needed(Estimate(0.16, 0.06, 4, 0.06), 0.05) < needed  # type: ignore[operator]

    def test_a_difference_below_the_margin_is_settled_by_showing_that_it_is(self):
        assert repeats_needed(Estimate(0.0, 0.06, 4, 0.02), 0.05) is not None

    def test_a_difference_at_the_margin_in_much_noise_needs_too_many(self):
        assert repeats_needed(Estimate(0.01, 0.1, 4, 0.5), 0.011) is None
        assert MOST_REPEATS < 1000


class TestTrend:
    def test_a_drift_is_found_beside_what_settings_change(self):
        order = np.arange(12)
        settings = np.array([0, 1, 2, 2, 0, 1, 1, 2, 0, 0, 1, 2])
        logs = settings * 0.4 + order * 0.02 + np.random.default_rng(7).normal(0, 0.01, 12)
        found = trend(logs, settings, order)
        assert found is not None
        assert found.change == pytest.approx(math.expm1(0.02 * 11), rel=0.15)
        assert found.chance < 0.001

    def test_an_order_that_is_that_of_the_settings_says_nothing(self):
        assert trend(np.zeros(8), np.arange(8), np.arange(8)) is None

    def test_noise_is_no_drift(self):
        chance = np.random.default_rng(8)
        found = [trend(chance.normal(0, 1, 12), np.tile([0, 1, 2], 4), np.arange(12)) for _ in range(400)]
        assert sum(each is not None and each.chance < 0.05 for each in found) <= 0.08 * 400
