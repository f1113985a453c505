"""The interval of a ratio of rates, in small cases whose result follows from a formula."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from scipy.stats import t

from flowerexp.analysis import interval as module
from flowerexp.analysis.instability import instability_of
from flowerexp.analysis.interval import interval, rate_over
from tests.analysis.rows import row, table


def run(*seconds, **more):
    """A cell of 6 images, measured once for each of some seconds."""
    return table([row(repetition=place, seconds=each, **more) for place, each in enumerate(seconds, start=1)])


def reach(ends):
    """Half the interval's width on the logarithm."""
    return math.log(ends[1] / ends[0]) / 2


def middle(ends):
    return math.sqrt(ends[0] * ends[1])


def test_a_rate_over_runs_is_a_sum_over_a_sum():
    assert rate_over([run(1.0), run(4.0, 1.0)]) == pytest.approx(18 / 6)


class TestRunsThatRepeatEachOther:
    def test_the_interval_is_students_by_the_pooled_variance_of_their_rates(self):
        base, other = [run(1.0), run(1.1), run(1.3)], [run(0.5), run(0.7)]
        ends, basis = interval(base, other)
        assert ends is not None
        squares = [[math.log(6 / each) for each in side] for side in ((1.0, 1.1, 1.3), (0.5, 0.7))]
        pooled = sum((len(logs) - 1) * statistics.variance(logs) for logs in squares) / 3
        expected = t.ppf(0.975, 3) * math.sqrt(pooled * (1 / 3 + 1 / 2))
        assert basis == "runs"
        assert reach(ends) == pytest.approx(expected)
        assert middle(ends) == pytest.approx(rate_over(other) / rate_over(base))

    def test_one_side_alone_may_be_repeated(self):
        ends, basis = interval([run(1.0)], [run(0.5), run(0.6)])
        assert ends is not None
        assert basis == "runs"
        expected = t.ppf(0.975, 1) * statistics.stdev([math.log(0.5), math.log(0.6)]) * math.sqrt(1 + 1 / 2)
        assert reach(ends) == pytest.approx(expected)


class TestTwoRuns:
    def test_repetitions_that_only_one_run_has_vary_independently(self):
        """The variances of both sides add up, with the degrees of freedom of Satterthwaite."""
        base, other = run(1.0, 1.2, 1.1, 0.9), run(0.5, 0.6, 0.55)
        ends, basis = interval([base], [other])
        assert ends is not None
        assert basis == "repetitions"
        parts = [statistics.variance(side) / len(side) / statistics.fmean(side) ** 2 for side in SIDES]
        sizes = [1 / 4, 1 / 3]
        freedom = sum(sizes) ** 2 / (sizes[0] ** 2 / 3 + sizes[1] ** 2 / 2)
        assert reach(ends) == pytest.approx(t.ppf(0.975, freedom) * math.sqrt(sum(parts)), rel=0.06)

    def test_repetitions_that_both_runs_have_vary_together(self):
        """The same work is slow in both runs, so that the ratio hardly varies."""
        seconds = (1.0, 1.5, 0.7, 1.2)
        shared, _ = interval([run(*seconds)], [run(*(each / 2 for each in seconds))])
        assert shared is not None
        assert reach(shared) == pytest.approx(0, abs=1e-9)
        apart, _ = interval([run(*seconds)], [run(*(each / 2 for each in reversed(seconds)))])
        assert apart is not None
        assert reach(apart) > 0.3

    def test_repetitions_are_matched_by_their_number_and_not_by_their_order(self):
        seconds = (1.0, 1.5, 0.7, 1.2)
        rows = [row(repetition=place, seconds=each / 2) for place, each in enumerate(seconds, start=1)]
        shared, _ = interval([run(*seconds)], [table(rows[::-1])])
        assert shared is not None
        assert reach(shared) == pytest.approx(0, abs=1e-9)

    def test_rows_that_share_a_repetition_are_matched_in_their_order(self):
        def twice(*seconds):
            return table([row(repetition=1 + place // 2, seconds=each) for place, each in enumerate(seconds)])

        shared, _ = interval([twice(1.0, 1.5, 0.7, 1.2)], [twice(0.5, 0.75, 0.35, 0.6)])
        assert shared is not None
        assert reach(shared) == pytest.approx(0, abs=1e-9)

    def test_cells_that_were_measured_once_are_one_stratum(self):
        def cells(*seconds):
            return table([row(size=place, seconds=each, images=6) for place, each in enumerate(seconds, start=1)])

        ends, basis = interval([cells(1.0, 1.2, 0.9)], [cells(0.5, 0.7, 0.4)])
        assert ends is not None
        assert basis == "cells"
        assert ends[0] < rate_over([cells(0.5, 0.7, 0.4)]) / rate_over([cells(1.0, 1.2, 0.9)]) < ends[1]
        assert interval([cells(1.0)], [cells(0.5)]) == (None, None)

    def test_a_lone_cell_beside_repeated_ones_leaves_no_interval(self):
        """How far that cell varies is unknown."""
        rows = [row(repetition=place, seconds=1 + place / 10) for place in (1, 2, 3)]
        lone = row(size=4, seconds=2.0)
        assert interval([table([*rows, lone])], [table([*rows, lone])]) == (None, None)

    def test_cells_with_different_numbers_of_repetitions_keep_their_weights(self):
        """A cell of 2 repetitions that vary, beside one of 6 that do not: by Rao and Wu its sum has 2 variances."""
        varying, steady = (1.0, 1.2), [0.5] * 6

        def of(*seconds):
            small = [row(repetition=place, seconds=each) for place, each in enumerate(seconds, start=1)]
            large = [row(size=4, repetition=place, seconds=each) for place, each in enumerate(steady, start=1)]
            return table([*small, *large])

        ends, basis = interval([of(1.0, 1.0)], [of(*varying)])
        assert ends is not None
        assert basis == "repetitions"
        totals = [2.0 + 3.0, 2.2 + 3.0]
        sizes = [
            ((2.0 / totals[0]) ** 2 + (2.2 / totals[1]) ** 2) / 2,
            ((3 / totals[0]) ** 2 + (3 / totals[1]) ** 2) / 6,
        ]
        freedom = sum(sizes) ** 2 / (sizes[0] ** 2 / 1 + sizes[1] ** 2 / 5)
        error = math.sqrt(2 * statistics.variance(varying)) / totals[1]
        assert reach(ends) == pytest.approx(t.ppf(0.975, freedom) * error, rel=0.05)

    def test_two_repetitions_are_enough_and_one_is_not(self):
        assert interval([run(1.0, 1.1)], [run(0.5, 0.6)])[1] == "repetitions"
        assert interval([run(1.0)], [run(0.5, 0.6, 0.55)]) == (None, None)

    def test_a_machine_whose_speed_varies_widens_the_interval_and_leaves_it_fewer_degrees_of_freedom(self):
        steady = [[1 + 0.01 * ((7 * place + cell) % 5) for cell in range(9)] for place in range(12)]
        drifted = [[each * (1.0 if 3 <= place < 9 else 1.3) for each in cells] for place, cells in enumerate(steady)]

        def of(repetitions):
            return table(
                [
                    row(size=cell + 1, repetition=place, seconds=each, images=6)
                    for place, cells in enumerate(repetitions, start=1)
                    for cell, each in enumerate(cells)
                ]
            )

        narrow, _ = interval([of(steady)], [of(steady[::-1])])
        wide, _ = interval([of(drifted)], [of(steady[::-1])])
        assert narrow is not None
        assert wide is not None
        found = instability_of(of(drifted))
        assert found.deviation > 0.05
        assert reach(wide) > t.ppf(0.975, found.freedom) * found.deviation > 3 * reach(narrow)
        assert reach(wide) < t.ppf(0.975, found.freedom) * (found.deviation + reach(narrow))

    def test_very_many_rows_of_a_cell_are_resampled_in_bundles_of_the_same_variance(self, monkeypatch):
        chance = np.random.default_rng(3)
        seconds = chance.lognormal(0, 0.3, 600).tolist()
        base, other = run(*seconds), run(*seconds[:500])
        exact, _ = interval([base], [other])
        monkeypatch.setattr(module, "MOST_UNITS", 100)
        bundled, _ = interval([base], [other])
        assert exact is not None
        assert bundled is not None
        assert reach(bundled) == pytest.approx(reach(exact), rel=0.25)


SIDES = ((1.0, 1.2, 1.1, 0.9), (0.5, 0.6, 0.55))
