"""How far does a machine's speed vary? Estimated from a single run, and included in the intervals of its rates.

A shared machine is faster in one minute than in another, so a sweep and its repeat differ by more than their
repetitions do. Each repetition of a run measures every cell once, so the mean of its residuals follows the machine.
Speeds vary like 1/f noise: as much between parts of a run as between runs. The Allan deviation of such noise is the
same at every averaging time (Allan 1966; IEEE Std 1139), so it can be estimated from one run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flowerexp.analysis.estimate import Interval, student
from flowerexp.measurements.table import Array, Measurements

FEWEST_REPETITIONS = 6
"""Fewer repetitions have too few parts of a run to compare."""

WHOLE = 0.9
"""A repetition with a smaller share of the cells does not show the machine."""

CHANCE = 0.05
"""A machine counts as steady if noise makes repetitions differ as much with more than this probability."""


@dataclass(frozen=True)
class Instability:
    """How far runs on a machine differ, beyond what their repetitions show.

    Attributes:
        deviation: the standard deviation of the logarithm of a run's value; 0 if none was found.
        freedom: its degrees of freedom.
    """

    deviation: float = 0.0
    freedom: int = 0

    @property
    def reach(self) -> float:
        """How far the logarithm of a rate may be off to each side, at 95 %."""
        return student(self.freedom) * self.deviation if self.deviation else 0.0


STEADY = Instability()
"""The instability of a run that shows none, or is too short to show it."""


def widened(middle: Array, low: Array, high: Array, reach: Array | float) -> tuple[Array, Array]:
    """The ends of intervals that include an instability: on the logarithm, reaches add up as squares.

    Args:
        middle: of each interval; positive, as its ends are.
        low: its lower end; NaN stays NaN.
        high: its upper end.
        reach: `Instability.reach`, of each interval or of all.
    """
    return (
        middle * np.exp(-np.hypot(np.log(middle / low), reach)),
        middle * np.exp(np.hypot(np.log(high / middle), reach)),
    )


def wider(interval: Interval, instability: Instability) -> Interval:
    """The interval of a run's rate, including the machine's instability."""
    value, low, high = interval.value, interval.low, interval.high
    if low is None or high is None or not instability.deviation or not low > 0:
        return interval
    down, up = (math.hypot(math.log(ratio), instability.reach) for ratio in (value / low, high / value))
    return Interval(value, value / math.exp(down), value * math.exp(up))


def instability_of(measurements: Measurements) -> Instability:
    """The instability of a run; measurements without a repetition, or a value above 0, are left out."""
    over, under = measurements.value
    valued = measurements.where((over > 0) & (under > 0) & ~np.isnan(measurements.numbers("repetition")))
    if not len(valued):
        return STEADY
    over, under = valued.value
    return instability(np.log(over / under), valued.cells, valued.numbers("repetition"))


def instability(logs: Array, cells: Array, repetitions: Array) -> Instability:
    """The instability of a run.

    If repetitions differ by more than their noise explains (an F test), this is the root of the Allan variance of
    their means, without the part of the noise, averaged over averaging times of 1, 2, 4, ... repetitions, up to a third
    of all. The rounds of `measure.until` are left out where they lack cells: those that are measured again are the
    noisiest, and their noise would pass for the machine's.

    Args:
        logs: logarithms of the values, of shape (n,).
        cells: the cell of each, as a number from 0.
        repetitions: the repetition of each, in the order of time.
    """
    from scipy.special import fdtrc  # scipy.stats takes a second to import

    repetitions = np.unique(repetitions, return_inverse=True)[1]
    sizes = np.bincount(repetitions)
    whole = (sizes >= WHOLE * sizes.max())[repetitions]
    logs = logs[whole]
    cells, repetitions = (np.unique(each[whole], return_inverse=True)[1] for each in (cells, repetitions))
    sizes = np.bincount(repetitions)
    count, freedom = len(sizes), len(logs) - int(cells.max()) - len(sizes)
    if count < FEWEST_REPETITIONS or freedom < 1:
        return STEADY
    residuals = logs - (np.bincount(cells, logs) / np.bincount(cells))[cells]
    levels = np.bincount(repetitions, residuals) / sizes
    noise = float(((residuals - levels[repetitions]) ** 2).sum()) / freedom
    between = float((sizes * levels**2).sum()) / (count - 1)
    if between <= noise or (noise and fdtrc(count - 1, freedom, between / noise) > CHANCE):
        return STEADY
    sums, variances, length = np.concatenate([[0.0], np.cumsum(levels)]), [], 1
    while 3 * length <= count:
        means = (sums[length:] - sums[:-length]) / length
        steps = means[length:] - means[:-length]
        variances.append(float((steps**2).mean()) / 2 - noise / sizes.mean() / length)
        length *= 2
    return Instability(math.sqrt(max(0.0, math.fsum(variances) / len(variances))), count - 1)
