"""The model of a measurement's seconds: fixed + per_part x parts + per_unit x count.

A measurement starts once, and then does some work for each of its parts and each of its units; rates follow from that,
and are not on a straight line. A test says which of this model and a straight line fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from flowerexp.analysis.estimate import Interval
from flowerexp.measurements.table import Array, Measurements

SURE = 0.01
"""Below this probability a model is rejected: cells lie further from it than their repetitions explain."""

TERMS = ("fixed", "per_part", "per_unit")
"""The seconds of a measurement: once, for each of its parts, and for each unit that it counts."""


@dataclass(frozen=True)
class Misfit:
    """The test for lack of fit: whether cells lie further from a model than their repetitions explain."""

    f: float
    p: float
    r2: float  # of the rates: the share of their variance that the model explains

    @property
    def fits(self) -> bool:
        """Whether chance can explain how far cells lie from the model."""
        return self.p >= SURE


@dataclass(frozen=True)
class TimeModel:
    """Where the seconds of a series go.

    Attributes:
        series: whose seconds.
        n: measurements.
        terms: seconds by `TERMS`; without ``per_part`` if there are no parts, or the grid cannot separate them
            from units.
        misfit: of this model; None where no cell was repeated.
        straight: the same for a straight line of the rate against the count.
        inflation: how much larger the variances of terms are because parts and units rise together (a variance
            inflation factor; 1 means not at all).
        product_inflation: the same for the first product of parameters beside its factors.
    """

    series: str
    n: int
    terms: dict[str, Interval]
    misfit: Misfit | None
    straight: Misfit | None
    inflation: float | None
    product_inflation: float | None

    def seconds(self, parts: float, count: float) -> float:
        """The seconds that the model expects for a measurement."""
        sizes = {"fixed": 1.0, "per_part": parts, "per_unit": count}
        return math.fsum(term.value * sizes[name] for name, term in self.terms.items())


def time_models(measurements: Measurements) -> list[TimeModel]:
    """Fit the model to each series that has counts, seconds and at least two cells.

    By least squares, weighted by how long a cell takes, because noise grows with that.

    Args:
        measurements: of all executions; first ones are used.
    """
    groups = measurements.firsts.by_series.items()
    return [model for name, group in groups if (model := _model(name, group)) is not None]


def _model(name: str, group: Measurements) -> TimeModel | None:
    from statsmodels.regression.linear_model import WLS

    timed = group.timed
    for key in timed.experiment.numeric:
        timed = timed.where(~np.isnan(timed.numbers(key)))
    counts, parts, seconds, cells = timed.counts, timed.parts, timed.seconds, timed.cells
    if len(counts) < 5 or not np.ptp(counts):
        return None
    expected = (np.bincount(cells, seconds) / np.bincount(cells))[cells]
    columns = {"fixed": np.ones(len(counts)), "per_part": parts, "per_unit": counts}
    if np.isnan(parts).any() or np.linalg.matrix_rank(np.column_stack([*columns.values()])) < 3:
        del columns["per_part"]
    fitted = WLS(seconds, np.column_stack([*columns.values()]), weights=expected**-2).fit()
    ends = fitted.conf_int()
    terms = {
        key: Interval(float(value), float(low), float(high))
        for key, value, (low, high) in zip(columns, fitted.params, ends, strict=True)
    }
    straight = WLS(timed.rates, np.column_stack([np.ones(len(counts)), counts]), weights=(expected / counts) ** 2).fit()
    predicted = counts / np.maximum(fitted.fittedvalues, 1e-9)
    return TimeModel(
        name,
        len(counts),
        terms,
        _misfit(fitted, cells, _share(timed.rates, predicted)),
        _misfit(straight, cells, _share(timed.rates, straight.fittedvalues)),
        _inflation(np.column_stack([parts, counts])) if "per_part" in columns else None,
        _product_inflation(timed),
    )


def _share(values: Array, predicted: Array) -> float:
    """The share of the values' variance that predictions explain; below 0 if their mean would predict better."""
    whole = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - predicted) ** 2).sum()) / whole if whole else 0.0


def _misfit(fitted: Any, cells: Array, r2: float) -> Misfit | None:
    """Compare a model with the one that has a level for each cell, which fits at least as well as any other."""
    from scipy.special import fdtrc

    values, weights, count = fitted.model.endog, fitted.model.weights, int(cells.max()) + 1
    more, freedom = count - len(fitted.params), len(cells) - count
    if more <= 0 or not freedom:
        return None
    levels = np.bincount(cells, weights * values) / np.bincount(cells, weights)
    least = float((weights * (values - levels[cells]) ** 2).sum())
    f = (fitted.ssr - least) / more / (least / freedom) if least else math.inf
    return Misfit(float(f), float(fdtrc(more, freedom, max(f, 0.0))), r2) if math.isfinite(f) else None


def _inflation(factors: Array, place: int = -1) -> float:
    from statsmodels.stats.outliers_influence import variance_inflation_factor

    design = np.column_stack([np.ones(len(factors)), factors])
    return float(variance_inflation_factor(design, place % design.shape[1]))


def _product_inflation(timed: Measurements) -> float | None:
    product = next(iter(timed.experiment.products), None)
    if product is None:
        return None
    _, first = np.unique(timed.cells, return_index=True)
    grid = np.column_stack([timed.numbers(key)[first] for key in product])
    design = np.column_stack([grid, grid.prod(axis=1)])
    if np.linalg.matrix_rank(np.column_stack([np.ones(len(design)), design])) <= design.shape[1]:
        return None  # fewer than two values of one of them: the product is the other
    return _inflation(design)
