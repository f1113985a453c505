"""95 % intervals of rates, medians and ratios, in pure functions over arrays.

The last axis holds the repetitions of a cell; cells along the axes before it are computed together, so a thousand cells
take about as long as one. No measurement is left out: an outlier widens the interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np

from flowerexp.measurements.table import Array

_LEVEL = 0.975  # below the upper end of a 95 % interval
FEWEST_RANKS = 6
"""With fewer values, no two of them enclose the median with 95 %: 1 - 2 / 2**5 is 93.8 %."""

Method = Literal["ranks", "student"]


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval, in the value's unit; the ends are None where nothing is repeated."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def excludes_one(self) -> bool:
        """For a ratio: whether it differs from 1 with 95 % confidence."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high

    @property
    def inverse(self) -> Interval:
        """For a ratio: the same one the other way round."""
        if not self.low or not self.high:
            return Interval(1 / self.value if self.value else math.inf)
        return Interval(1 / self.value, 1 / self.high, 1 / self.low)

    @property
    def reach(self) -> float | None:
        """Half of the interval's width as a share of the value, or None."""
        return (
            None if self.low is None or self.high is None or not self.value else (self.high - self.low) / 2 / self.value
        )


def median_intervals(values: Array) -> tuple[Array, Array, Array, Method]:
    """Medians with their intervals.

    From six values on, between two order statistics, whatever the distribution (Hahn and Meeker, Statistical Intervals,
    1991, 5.2); below, no order statistics reach 95 %, so it is Student's interval of the values' logarithms.

    Args:
        values: positive, of shape (..., n).

    Returns:
        The medians and the interval's ends, of shape (...), and the method; the ends are NaN for n < 2.
    """
    from scipy.special import bdtrik  # scipy.stats takes a second to import

    n = values.shape[-1]
    middle = np.median(values, axis=-1)
    if n < 2:
        return middle, np.full_like(middle, np.nan), np.full_like(middle, np.nan), "student"
    if n < FEWEST_RANKS:
        logs = np.log(values)
        reach = student(n - 1) * logs.std(axis=-1, ddof=1) / math.sqrt(n)
        return middle, np.exp(logs.mean(axis=-1) - reach), np.exp(logs.mean(axis=-1) + reach), "student"
    place = math.floor(bdtrik(1 - _LEVEL, n, 0.5))  # from 0; fewer below the median are improbable
    ordered = np.sort(values, axis=-1)
    return middle, ordered[..., place], ordered[..., n - 1 - place], "ranks"


def grouped_quantiles(values: Array, groups: Array, count: int, shares: Sequence[float]) -> Array:
    """Quantiles of each group, by linear interpolation; NaN of a group without values.

    Args:
        values: of shape (n,).
        groups: the group of each, from 0.
        count: how many groups there are.
        shares: which quantiles, from 0 to 1.

    Returns:
        The quantiles, of shape (shares, count).
    """
    if not len(values):
        return np.full((len(shares), count), np.nan)
    order = np.argsort(values)
    ordered = values[order[_by_group(groups[order], count)]]
    sizes = np.bincount(groups, minlength=count)
    places = np.cumsum(sizes) - sizes + np.asarray(shares)[:, None] * np.maximum(sizes - 1, 0)
    below = np.minimum(places.astype(int), len(values) - 1)
    above = np.minimum(np.ceil(places).astype(int), len(values) - 1)
    quantiles = ordered[below] + (places - below) * (ordered[above] - ordered[below])
    return np.where(sizes, quantiles, np.nan)


def _by_group(groups: Array, count: int) -> Array:
    """The order that brings each group together; numbers of 16 bits are sorted in a tenth of the time."""
    return np.argsort(groups.astype(np.uint16) if count <= 1 << 16 else groups, kind="stable")


def grouped_medians(values: Array, groups: Array, count: int) -> tuple[Array, Array, Array]:
    """Medians of groups, with their intervals where all values of a group are positive.

    Args:
        values: of shape (n,).
        groups: the group of each, from 0.
        count: how many groups there are.

    Returns:
        The medians and the intervals' ends, of shape (count,); NaN where there are none.
    """
    ordered = values[_by_group(groups, count)]
    sizes = np.bincount(groups, minlength=count)
    starts = np.cumsum(sizes) - sizes
    intervals = np.full((3, count), np.nan)
    for size in np.unique(sizes[sizes > 0]):  # groups of the same size together
        alike = np.flatnonzero(sizes == size)
        with np.errstate(divide="ignore", invalid="ignore"):
            intervals[:, alike] = median_intervals(ordered[starts[alike][:, None] + np.arange(size)])[:3]
    intervals[1:, np.unique(groups[values <= 0])] = np.nan
    return intervals[0], intervals[1], intervals[2]


def stratified_rate(counts: Array, seconds: Array, cells: Array) -> Interval:
    """The rate over many cells, sum over sum, with an interval from how far repetitions of each cell disagree.

    The variance is a ratio estimator's (Cochran, Sampling Techniques, 1977, 6.4); the interval is Student's on the
    logarithm, since a rate cannot fall below zero.

    Args:
        counts: of each measurement, of shape (n,).
        seconds: likewise.
        cells: the number of each measurement's cell, from 0; cells that were measured once form one stratum.

    Returns:
        Unit/s; without ends where there is one measurement only.
    """
    rate = float(counts.sum() / seconds.sum())
    found = stratified_error(counts, seconds, cells)
    if found is None:
        return Interval(rate)
    error, freedom = found
    factor = math.exp(student(freedom) * error) if error else 1.0
    return Interval(rate, rate / factor, rate * factor)


def stratified_error(counts: Array, seconds: Array, cells: Array) -> tuple[float, float] | None:
    """The standard error of the logarithm of a `stratified_rate`, and its degrees of freedom; None for one measurement.

    Args:
        counts: see `stratified_rate`.
        seconds: likewise.
        cells: likewise.
    """
    rate = float(counts.sum() / seconds.sum())
    sizes = np.bincount(cells)
    strata = np.where(sizes[cells] < 2, len(sizes), cells)
    sizes = np.bincount(strata)
    if sizes.max() < 2:
        return None
    # Cells that differ in length differ in rate, so a residual is taken from its own cell's mean.
    residuals = counts - rate * seconds
    means = np.bincount(strata, residuals) / np.maximum(sizes, 1)
    squares = np.bincount(strata, (residuals - means[strata]) ** 2)
    repeated = sizes > 1
    n, variances = sizes[repeated], squares[repeated] * sizes[repeated] / (sizes[repeated] - 1)
    if not variances.any():
        return 0.0, float((n - 1).sum())
    freedom = variances.sum() ** 2 / (variances**2 / (n - 1)).sum()  # Satterthwaite 1946
    return float(math.sqrt(variances.sum()) / counts.sum()), float(freedom)


def paired_ratio(numerators: Array, denominators: Array, families: int = 1) -> Interval:
    """The typical ratio of pairs, their geometric mean, with Student's interval of its logarithm.

    Args:
        numerators: positive, of shape (n,).
        denominators: likewise; the two of a pair are at the same place.
        families: how many intervals hold together with 95 % (Bonferroni).

    Returns:
        The ratio; without ends for a single pair.
    """
    logs = np.log(numerators / denominators)
    middle = float(np.exp(logs.mean()))
    if len(logs) < 2:
        return Interval(middle)
    factor = math.exp(student(len(logs) - 1, families) * float(logs.std(ddof=1)) / math.sqrt(len(logs)))
    return Interval(middle, middle / factor, middle * factor)


@overload
def student(freedom: float, families: int = 1) -> float: ...
@overload
def student(freedom: Array, families: int = 1) -> Array: ...
def student(freedom: float | Array, families: int = 1) -> float | Array:
    """Student's quantile of a 95 % interval: how many standard errors it reaches to each side.

    Args:
        freedom: degrees of freedom, a number or an array.
        families: how many intervals hold together with 95 % (Bonferroni).
    """
    from scipy.special import stdtrit

    quantile = stdtrit(freedom, 1 - (1 - _LEVEL) / families)
    return np.asarray(quantile) if isinstance(freedom, np.ndarray) else float(quantile)
