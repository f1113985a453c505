"""How do repetitions of the same cell differ: by chance, by drift, or by single outliers?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from flowerexp.analysis.estimate import grouped_quantiles
from flowerexp.measurements.table import Array, Measurements

DRIFT = 0.10
"""A change of the rates over the repetitions by more than this share is a drift, unless chance explains it."""

DRIFT_CHANCE = 0.01
"""Chance explains a drift if it makes one as large with more than this probability."""

OUTLIER = 3.5
"""A modified z-score above which a measurement is flagged (Iglewicz and Hoaglin 1993)."""

_NORMAL = 0.6745  # the upper quartile of the standard normal distribution: turns a median into a standard deviation
_LEAST = 0.10  # a measurement nearer than this to its cell's median is no outlier, however quiet the others are


def settled(rows: Measurements) -> Measurements:
    """The rows without those of first parts, where each part is a row of its own; else all."""
    parts = rows.experiment.parts
    return rows.where(rows.numbers(parts.column) != 1) if parts and parts.column else rows


def repetition_spread(rows: Measurements) -> float | None:
    """How far repetitions of the same cell disagree: the median over cells of the `spread` of their rates."""
    timed = settled(rows.timed)
    timed = timed.where(timed.known("repetition"))
    if not len(timed):
        return None
    spreads = spread(timed.rates, timed.cells, len(timed.cell_keys))
    return float(np.nanmedian(spreads)) if not np.isnan(spreads).all() else None


def spread(values: Array, groups: Array, count: int) -> Array:
    """Interquartile range as a share of the median, of each group; NaN below two values.

    Args:
        values: of shape (n,).
        groups: the group of each, from 0.
        count: how many groups there are.
    """
    low, middle, high = grouped_quantiles(values, groups, count, (0.25, 0.5, 0.75))
    enough = (np.bincount(groups, minlength=count) > 1) & (middle > 0)
    shares = np.full(count, np.nan)
    np.divide(high - low, middle, out=shares, where=enough)
    return shares


@dataclass(frozen=True)
class Drift:
    """How rates moved from the first repetition to the last: a share of them, and how probable by chance."""

    change: float
    chance: float

    @property
    def matters(self) -> bool:
        """Whether it is too large to be ignored, and too improbable to be chance."""
        return abs(self.change) > DRIFT and self.chance < DRIFT_CHANCE


def drift(measurements: Measurements) -> Drift | None:
    """Fit one slope to the repetitions of all cells, on the logarithm of the rates, each cell with a level of its own.

    Returns:
        The change from the first repetition to the last, and Student's two-sided probability of one as large by chance;
        None below three repetitions: two of them always lie on a line.
    """
    timed = settled(measurements.timed)
    timed = timed.where(~np.isnan(timed.numbers("repetition")))
    sizes = np.bincount(timed.cells)
    repeated = sizes[timed.cells] > 1
    if not repeated.any():
        return None
    x, y = (
        (values - (np.bincount(timed.cells, values) / sizes)[timed.cells])[repeated]
        for values in (timed.numbers("repetition"), np.log(timed.rates))
    )
    freedom = len(x) - np.count_nonzero(sizes > 1) - 1
    across = float((x * x).sum())
    if len(np.unique(x.round(6))) < 3 or freedom < 1 or not across:
        return None
    from scipy.special import stdtr  # scipy.stats takes a second to import

    slope = float((x * y).sum()) / across
    left = float(((y - slope * x) ** 2).sum())
    chance = 2 * float(stdtr(freedom, -abs(slope) / math.sqrt(left / freedom / across))) if left else 0.0
    return Drift(math.expm1(slope * float(np.ptp(x))), chance)


def outliers(measurements: Measurements) -> list[dict[str, Any]]:
    """Flag measurements that are far from the median of their cell; they still count everywhere.

    The scale is the median deviation over all cells of the series, since one cell has too few repetitions.

    Returns:
        The parameters and repetition of each, its rate and the median rate of its cell, in unit/s.
    """
    timed, experiment = settled(measurements.firsts.timed), measurements.experiment
    timed = timed.where(np.bincount(timed.cells)[timed.cells] > 2) if len(timed) else timed
    (middles,) = grouped_quantiles(timed.rates, timed.cells, len(timed.cell_keys), (0.5,))
    away = np.abs(np.log(timed.rates / middles[timed.cells]))
    counted = away > 0  # a distance of 0, as that of each cell's middle measurement, says nothing
    (scales,) = grouped_quantiles(away[counted], timed.series[counted], len(timed.series_names), (0.5,))
    far = (away > OUTLIER * np.nan_to_num(scales)[timed.series] / _NORMAL) & (away > _LEAST)
    names = (*experiment.categorical, *experiment.numeric, "repetition")
    return [
        {**{name: row.get(name) for name in names}, experiment.rate: float(rate), "cell_median": float(middle)}
        for row, rate, middle in zip(timed.where(far).rows(), timed.rates[far], middles[timed.cells][far], strict=True)
    ]
