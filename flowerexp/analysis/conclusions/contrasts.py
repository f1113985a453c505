"""Differences between levels of a factor, on the logarithm, with their standard errors: pure functions over arrays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from flowerexp.analysis.conclusions.constants import MOST_REPEATS, PRIOR_DEVIATION, PRIOR_FREEDOM
from flowerexp.analysis.estimate import Interval, student
from flowerexp.measurements.table import Array

POOLED_ABOVE = 0.25
"""Runs count as alike, and their repetitions are pooled, if chance makes them differ as much with more than this
probability (Bancroft 1964 recommends 0.25 for tests before pooling)."""

LEVEL = 0.95
"""The share of reports in which all intervals together hold the truth."""


@dataclass(frozen=True)
class Estimate:
    """A difference of two logarithms.

    Attributes:
        difference: of the first level from the second one.
        error: its standard error.
        freedom: the degrees of freedom of `error`.
        deviation: the standard deviation of one run, or of one repetition, that `error` comes from.
    """

    difference: float
    error: float
    freedom: float
    deviation: float

    def ratio(self, levels: int = 2, families: int = 1) -> Interval:
        """The ratio of the first level to the second one, with an interval that holds together with all others.

        Args:
            levels: how many levels the factor has: all pairs of them count as looked at.
            families: how many factors and series are looked at.
        """
        reach = quantile(levels, self.freedom, families) * self.error
        middle = math.exp(self.difference)
        return Interval(middle, middle * math.exp(-reach), middle * math.exp(reach))


@lru_cache(maxsize=1024)
def quantile(levels: int, freedom: float, families: int = 1) -> float:
    """How many standard errors an interval reaches to each side, if it is one of several.

    Within a factor this is Tukey's for all pairs of levels, with the standard error and the degrees of freedom of each
    pair (Tukey 1949; Kramer 1956; Games and Howell 1976); between factors it is Bonferroni's.

    Args:
        levels: how many levels the factor has.
        freedom: degrees of freedom.
        families: how many factors and series are looked at.
    """
    chance = (1 - LEVEL) / families
    if levels == 2 or freedom < 2 or chance < 0.001:  # for which there are no tables of Tukey's; Bonferroni's is wider
        return student(freedom, families * levels * (levels - 1) // 2)
    from statsmodels.stats.libqsturng import qsturng  # takes a second to import

    return float(qsturng(1 - chance, levels, freedom)) / math.sqrt(2)


def between_runs(
    logs: Array,
    levels: Array,
    others: Sequence[Array] = (),
    blocks: Array | None = None,
    within: float = 0.0,
) -> dict[tuple[int, int], Estimate]:
    """The differences between levels that whole runs have.

    The means are those of an additive model of the levels, the other factors and the blocks. The variance is that of
    runs of one config around their block, if some are repeated, else what the additive model leaves. It is combined
    with what is known of other runs, as for many experiments with few repeats each (Smyth 2004, the moderated t):
    `PRIOR_FREEDOM` degrees of freedom at `PRIOR_DEVIATION`. So a single run on each side has an interval, too.

    Args:
        logs: the logarithm of each run's value, of shape (n,).
        levels: the level of each run, from 0.
        others: likewise for each other factor that varies.
        blocks: the block of each run, such as its repeat; None if runs are not in blocks.
        within: the variance of a run's value by its own repetitions; what is known beforehand cannot be less.

    Returns:
        An estimate for each pair of levels, the smaller number first; without pairs that the design does not compare.
    """
    design = _design(levels, others, blocks)
    fitted, spread, rank = _least_squares(design, logs)
    variance, freedom = _variance(logs, levels, others, blocks) or (_per(spread, len(logs) - rank), len(logs) - rank)
    prior = max(PRIOR_DEVIATION**2, within)
    deviation = math.sqrt((PRIOR_FREEDOM * prior + freedom * variance) / (PRIOR_FREEDOM + freedom))
    inverse = np.linalg.pinv(design.T @ design)
    onto = inverse @ (design.T @ design)  # where a contrast stays the same if the design compares its levels
    found = {}
    for first, second in itertools.combinations(range(int(levels.max()) + 1), 2):
        contrast = np.zeros(design.shape[1])
        contrast[first], contrast[second] = 1.0, -1.0
        if np.allclose(onto[first] - onto[second], contrast, atol=1e-8):
            variance = float(inverse[first, first] + inverse[second, second] - 2 * inverse[first, second])
            difference = float(fitted[first] - fitted[second])
            found[first, second] = Estimate(
                difference, deviation * math.sqrt(variance), PRIOR_FREEDOM + freedom, deviation
            )
    return found


def _design(levels: Array, others: Sequence[Array], blocks: Array | None) -> Array:
    """A column for each level, and one less for each other factor; numbers are straight lines if there are too many."""
    columns = [_indicators(levels)]
    of_others = [_indicators(other)[:, 1:] for other in others]
    if sum(each.shape[1] for each in (*columns, *of_others)) >= len(levels):
        of_others = [_centred(other) if other.dtype.kind == "f" else _indicators(other)[:, 1:] for other in others]
    of_blocks = [] if blocks is None else [_indicators(blocks)[:, 1:]]
    return np.column_stack([*columns, *of_others, *of_blocks])


def _indicators(values: Array) -> Array:
    _, places = np.unique(values, return_inverse=True)
    return np.asarray(np.eye(int(places.max()) + 1)[places])


def _centred(values: Array) -> Array:
    return np.asarray((values - values.mean())[:, None])


def _least_squares(design: Array, logs: Array) -> tuple[Array, float, int]:
    """The coefficients, the sum of the squares that they leave, and the rank of the design."""
    fitted, _, rank, _ = np.linalg.lstsq(design, logs, rcond=None)
    return fitted, float(((logs - design @ fitted) ** 2).sum()), int(rank)


def _per(squares: float, freedom: int) -> float:
    return squares / freedom if freedom > 0 else 0.0


def _variance(logs: Array, levels: Array, others: Sequence[Array], blocks: Array | None) -> tuple[float, int] | None:
    """The variance of runs of one config around their blocks; None if no config is repeated."""
    places = np.zeros(len(logs), int)
    for values in (levels, *others):
        _, numbers = np.unique(values, return_inverse=True)
        places = places * (int(numbers.max()) + 1) + numbers
    design = _indicators(places)
    if blocks is not None:
        design = np.column_stack([design, _indicators(blocks)[:, 1:]])
    _, squares, rank = _least_squares(design, logs)
    freedom = len(logs) - rank
    return (squares / freedom, freedom) if freedom > 0 else None


@dataclass(frozen=True)
class Side:
    """How two levels differed in one run that has measured both, on the logarithm.

    Attributes:
        repetitions: the difference in each repetition, over all cells, of shape (repetitions,).
        cells: the variance of such a difference by how far cells disagree in it.
        freedom: the degrees of freedom of `cells`; 0 if there is only one cell, or one repetition.
    """

    repetitions: Array
    cells: float = 0.0
    freedom: int = 0


def within_runs(runs: Sequence[Side]) -> Estimate | None:
    """The difference of two levels that the same runs have measured, one beside the other in each repetition.

    What varies from one repetition to the next counts only if it is more than what varies between cells explains, and
    what varies from one run to the next only if it is more than that (`POOLED_ABOVE`).

    Args:
        runs: the differences in each.

    Returns:
        The estimate; None if nothing is repeated.
    """
    means = np.array([each.repetitions.mean() for each in runs])
    counts = np.array([len(each.repetitions) for each in runs])
    squares = math.fsum(float(((each.repetitions - each.repetitions.mean()) ** 2).sum()) for each in runs)
    freedom = sum(each.freedom for each in runs)
    inner = _Variance(math.fsum(each.cells * each.freedom for each in runs) / freedom if freedom else 0.0, freedom)
    inner = _pooled(inner, _Variance(_per(squares, int(counts.sum()) - len(runs)), int(counts.sum()) - len(runs)))
    size = len(runs) / float((1 / counts).sum())  # repetitions of a run: their harmonic mean
    if len(runs) > 1:
        inner = _pooled(inner, _Variance(float(means.var(ddof=1)) * size, len(runs) - 1))
    if not inner.freedom:
        return None
    error = math.sqrt(inner.value / size / len(runs))
    return Estimate(float(means.mean()), error, inner.freedom, math.sqrt(inner.value))


@dataclass(frozen=True)
class _Variance:
    value: float
    freedom: int


def _pooled(inner: _Variance, outer: _Variance) -> _Variance:
    """Both variances together, if chance explains how much larger the outer one is; else the outer one."""
    from scipy.special import fdtrc  # scipy.stats takes a second to import

    if not outer.freedom or not inner.freedom:
        return outer if outer.freedom else inner
    if not inner.value or fdtrc(outer.freedom, inner.freedom, outer.value / inner.value) <= POOLED_ABOVE:
        return outer
    freedom = inner.freedom + outer.freedom
    return _Variance((inner.value * inner.freedom + outer.value * outer.freedom) / freedom, freedom)


def repeats_needed(estimate: Estimate, margin: float, levels: int = 2, families: int = 1) -> int | None:
    """How many runs a side would settle an inconclusive comparison, if it stays as large and as noisy as it is.

    Args:
        estimate: the comparison.
        margin: the share by which values may differ without a difference that matters.
        levels: see `Estimate.ratio`.
        families: likewise.

    Returns:
        So many that either the difference is shown, or it is shown to be smaller than `margin`; None for more than
        `MOST_REPEATS`.
    """
    size = abs(estimate.difference)
    for repeats in range(2, MOST_REPEATS + 1):
        freedom = PRIOR_FREEDOM + 2 * (repeats - 1)
        reach = quantile(levels, freedom, families) * estimate.deviation * math.sqrt(2 / repeats)
        if size > reach or size + reach < math.log1p(margin):
            return repeats
    return None


@dataclass(frozen=True)
class Trend:
    """How values moved from the first run of a sweep to the last: a share of them, and how probable by chance."""

    change: float
    chance: float


def trend(logs: Array, settings: Array, order: Array) -> Trend | None:
    """Fit one slope over the order of runs, each setting with a level of its own.

    Args:
        logs: the logarithm of each run's value, of shape (n,).
        settings: the setting of each run, as a number.
        order: the place of each run in the order of time.

    Returns:
        The change from the first run to the last; None with fewer than three degrees of freedom.
    """
    from scipy.special import stdtr

    design = np.column_stack([_centred(order.astype(float)), _indicators(settings)])
    fitted, squares, rank = _least_squares(design, logs)
    freedom = len(logs) - rank
    known = np.linalg.pinv(design.T @ design)[0, 0]
    if freedom < 3 or not known or np.linalg.matrix_rank(design[:, 1:]) == rank:
        return None
    error = math.sqrt(squares / freedom * known)
    chance = 2 * float(stdtr(freedom, -abs(fitted[0]) / error)) if error else 0.0
    return Trend(math.expm1(float(fitted[0]) * float(np.ptp(order))), chance)
