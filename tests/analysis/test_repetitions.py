"""How repetitions of a cell differ: spread, drift and outliers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import linregress

from flowerexp.analysis.repetitions import drift, outliers, repetition_spread
from tests.analysis.rows import grid, row, table


def cell(*seconds, **more):
    return [row(repetition=place, seconds=each, **more) for place, each in enumerate(seconds, start=1)]


def test_the_spread_of_two_repetitions_is_known_and_that_of_one_is_not():
    assert repetition_spread(table(cell(1.0, 2.0))) == pytest.approx((0.875 - 0.625) / 0.75)
    assert repetition_spread(table(cell(1.0))) is None


def test_the_drift_of_a_cell_is_the_regression_of_its_log_rates():
    seconds = [1.0, 1.3, 1.1, 1.6, 1.5]
    found, expected = drift(table(cell(*seconds))), linregress(np.arange(5), -np.log(seconds))
    assert found is not None
    assert found.change == pytest.approx(np.expm1(4 * expected.slope))
    assert found.chance == pytest.approx(expected.pvalue)


def test_two_repetitions_of_many_cells_are_too_few_for_a_drift():
    assert drift(table(grid(repetitions=2))) is None
    assert drift(table(grid(repetitions=3))) is not None


def test_two_measurements_of_a_cell_cannot_say_which_is_the_outlier():
    rows = [one for one in grid() if (one["batch_size"], one["repetition"]) != (2, 3)]
    rows[0]["seconds"] *= 9
    assert rows[0]["batch_size"] == 2
    assert outliers(table(rows)) == []


def test_a_later_execution_is_no_outlier():
    rows = grid()
    assert outliers(table([*rows, rows[0] | {"execution": 2, "seconds": 9 * rows[0]["seconds"]}])) == []
