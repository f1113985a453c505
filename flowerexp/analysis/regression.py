"""Fit straight lines to measurements: the rate against each parameter.

Each measurement is a point. A product of parameters is collinear with its factors: read each line by itself, not as a
part of one model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flowerexp.analysis.estimate import student
from flowerexp.analysis.summary import measured_columns
from flowerexp.analysis.words import product
from flowerexp.experiment import Experiment
from flowerexp.measurements.table import Array, Measurements

FEWEST = 3
"""The fewest points that a line is fitted to: one through two points is always perfect."""


@dataclass(frozen=True)
class Fit:
    """A line ``value = intercept + slope * parameter``, by ordinary least squares."""

    series: str
    parameter: str
    slope: float  # of the value's unit, for each unit of the parameter
    intercept: float  # of the value's unit
    r2: float  # the share of the variance that the line explains, 0 to 1
    n: int  # measurements
    value: str
    low: float | None = None  # the ends of the slope's 95 % interval
    high: float | None = None
    p: float | None = None  # the probability of a slope as steep by chance


def against(experiment: Experiment) -> list[str]:
    """What lines are fitted against. A slope over repetitions would be drift, which the verdict judges."""
    return [*experiment.numeric, *map(product, experiment.products)]


def fit_all(measurements: Measurements) -> list[Fit]:
    """Fit every series' values against every parameter.

    The value is the rate, or each numeric column of an entrypoint that has no rate. A parameter is left out if it has
    only one value, or if there are fewer than three points.

    Args:
        measurements: of all executions; first ones are used.
    """
    fits = []
    for name, group in measurements.firsts.finished.by_series.items():
        for value in values_of(group):
            for parameter in against(group.experiment):
                xs, ys = points(group, parameter, value)
                if len(xs) >= FEWEST and np.ptp(xs):
                    fits.append(fit(name, parameter, value, xs, ys))
    return fits


def values_of(group: Measurements) -> list[str]:
    """The values of a series to fit: the rate, or without one, each column that was measured."""
    return [group.experiment.rate] if len(group.rated) else list(measured_columns(group))


def points(group: Measurements, parameter: str, value: str) -> tuple[Array, Array]:
    """The parameter and the value of each row that has both."""
    xs, ys = parameter_of(group, parameter), values(group, value)
    known = ~np.isnan(xs) & ~np.isnan(ys)
    return xs[known], ys[known]


def values(group: Measurements, value: str) -> Array:
    """Each row's value: its rate, or that of a column."""
    return group.rates if value == group.experiment.rate else group.numbers(value)


def parameter_of(group: Measurements, parameter: str) -> Array:
    """Each row's value of a parameter, or of a product of parameters."""
    factors = {product(names): names for names in group.experiment.products}.get(parameter, (parameter,))
    return np.asarray(np.prod([group.numbers(name) for name in factors], axis=0))


def averages_of(group: Measurements, fit: Fit) -> tuple[Array, Array]:
    """The values of a line's parameter, and the average at each: counts over seconds, both summed; else the mean."""
    xs, ys = parameter_of(group, fit.parameter), values(group, fit.value)
    known = ~np.isnan(xs) & ~np.isnan(ys)
    is_rate = fit.value == group.experiment.rate
    over, under = (group.counts, group.seconds) if is_rate else (ys, np.ones(len(ys)))
    levels, places = np.unique(xs[known], return_inverse=True)
    return levels, np.bincount(places, over[known]) / np.bincount(places, under[known])


def fit(series: str, parameter: str, value: str, xs: Array, ys: Array) -> Fit:
    """Fit one line.

    Args:
        series: whose values these are.
        parameter: what the line is against.
        value: the name of the values.
        xs: the parameter of each point, of at least three, which are not all the same.
        ys: its value.
    """
    from statsmodels.regression.linear_model import OLS

    line = OLS(ys, np.column_stack([np.ones(len(xs)), xs])).fit()
    intercept, slope = (float(part) for part in line.params)
    low, high = (float(end) for end in line.conf_int()[1])
    # Values that are all equal have no variance of which a line could explain a share.
    r2 = float(line.rsquared) if np.ptp(ys) else 0.0
    p = float(line.pvalues[1])
    return Fit(series, parameter, slope, intercept, r2, len(xs), value, low, high, p if math.isfinite(p) else None)


def band(xs: Array, ys: Array, places: Array) -> tuple[Array, Array]:
    """The 95 % confidence band of a line through some points: for the line, not for further points.

    Args:
        xs: the points' parameter, of at least three.
        ys: the points' value.
        places: where to compute the band.
    """
    middle, freedom = float(xs.mean()), len(xs) - 2
    across, away = float(((xs - middle) ** 2).sum()), ys - ys.mean()
    slope = float(((xs - middle) * away).sum()) / across
    left = float(((away - slope * (xs - middle)) ** 2).sum())
    reach = student(freedom) * np.sqrt(left / freedom * (1 / len(xs) + (places - middle) ** 2 / across))
    line = ys.mean() + slope * (places - middle)
    return line - reach, line + reach
