"""Where does the level of a line change? Steps that noise alone would find in at most one line of twenty.

Each of many intervals of the line is split everywhere, and the levels on both sides are compared. The intervals are
those of seeded binary segmentation (Kovács, Bühlmann, Li and Munk 2023, Biometrika 110), so that a step that is taken
back later is found too: one split of the whole line would not see it. The largest difference that noise makes in a
whole line is simulated, and only larger ones count; the narrowest interval with one is taken first (Baranowski, Chen
and Fryzlewicz 2019, JRSS B 81). The threshold holds for all intervals at the same time, so it holds for the line,
however many steps are found.

Noise is a first-order autoregression: neighbours in time are alike on a machine that drifts. Its autocorrelation is
estimated from what is left once obvious steps are taken out, and is never taken below `LEAST_CORRELATION`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowerexp.analysis.estimate import Interval, student
from flowerexp.measurements.table import Array

LEAST_SIDE = 3
"""The fewest points on each side of a step: one or two that are off are no new level."""
FALSE_ALARMS = 0.05
"""The largest share of lines without a step in which one is found."""
LEAST_CORRELATION = 0.3
"""The autocorrelation of neighbours that is assumed where less is estimated, from points that are too few to tell."""

_OBVIOUS = 0.01  # steps that are taken out before the autocorrelation is estimated
_MOST_CORRELATION = 0.9
_GRAIN = 20  # autocorrelations are rounded up to twentieths, so that few distributions are simulated
_SIMULATED = 1000  # lines
_AT_ONCE = 4_000_000  # numbers in one array
_DENSITY = 4  # intervals of one length that begin within that length
_PRIOR = 4  # degrees of freedom of the line's own variance in that of each interval
_STEADY = 0.8  # the share of the differences of neighbours, the smallest ones, that this variance comes from


@dataclass(frozen=True)
class Step:
    """A change of level.

    Attributes:
        at: the place of the first value after it.
        before: the geometric mean of the values since the step before.
        after: that of the values up to the next step.
        ratio: `after` over `before`, with its 95 % interval.
    """

    at: int
    before: float
    after: float
    ratio: Interval


@dataclass(frozen=True)
class Levels:
    """The steps of a line, and the noise around its levels.

    Attributes:
        means: the geometric mean of each level.
        steps: between them, in the order of time; empty if none was found.
        correlation: the autocorrelation of neighbours that was assumed.
        deviation: the standard deviation of the logarithm of one value.
        freedom: its degrees of freedom.
    """

    means: tuple[float, ...]
    steps: tuple[Step, ...]
    correlation: float
    deviation: float
    freedom: int


def levels(values: Sequence[float]) -> Levels | None:
    """Find the steps in a line.

    Args:
        values: positive, in the order of time, one for each point.

    Returns:
        The steps; None where there are fewer points than two sides have, or a value is not positive.
    """
    if len(values) < 2 * LEAST_SIDE or min(values) <= 0:
        return None
    logs = np.log(np.asarray(values, float))
    if np.ptp(logs) == 0:
        return Levels((float(values[0]),), (), LEAST_CORRELATION, 0.0, len(logs) - 1)
    scores = _scores(logs[None])[0]
    obvious = _found(logs, scores, _threshold(len(logs), LEAST_CORRELATION, _OBVIOUS))
    correlation = _correlation(logs, obvious)
    at = _found(logs, scores, _threshold(len(logs), correlation, FALSE_ALARMS))
    return _described(logs, at, correlation)


@functools.cache
def _splits(n: int) -> tuple[Array, Array, Array]:
    """The begin, the split and the end of each comparison in a line of `n` points, each of shape (comparisons,)."""
    spans = {(start, start + 2 * LEAST_SIDE) for start in range(n - 2 * LEAST_SIDE + 1)}
    length = float(n)
    while length >= 2 * LEAST_SIDE:
        whole = round(length)
        count = _DENSITY * (math.ceil(n / whole) - 1) + 1
        spans |= {(round(start), round(start) + whole) for start in np.linspace(0, n - whole, count).tolist()}
        length /= math.sqrt(2)
    every = [
        (begin, split, end) for begin, end in sorted(spans) for split in range(begin + LEAST_SIDE, end - LEAST_SIDE + 1)
    ]
    begin, split, end = np.array(every).T
    return begin, split, end


def _scores(logs: Array) -> Array:
    """How far the levels on both sides of each split differ, as normal scores.

    Args:
        logs: of shape (lines, points).

    Returns:
        Of shape (lines, comparisons). Student's t, whose variance is moderated by that of the whole line, is turned
        into a normal score (Wallace 1959), so that short and long intervals can be compared.
    """
    begin, split, end = _splits(logs.shape[1])
    left, right = split - begin, end - split
    centred = logs - logs.mean(axis=1, keepdims=True)
    sums, squares = (np.pad(np.cumsum(part, axis=1), ((0, 0), (1, 0))) for part in (centred, centred**2))
    of_left, of_right = sums[:, split] - sums[:, begin], sums[:, end] - sums[:, split]
    inside = squares[:, end] - squares[:, begin] - of_left**2 / left - of_right**2 / right
    freedom = left + right - 2 + _PRIOR
    variance = (np.maximum(inside, 0) + _PRIOR * _own_variance(logs)[:, None]) / freedom
    # Values that a program has counted may have no noise; the smallest number keeps the score finite.
    spread = np.maximum(variance * (1 / left + 1 / right), np.finfo(float).tiny)
    student_squared = (of_right / right - of_left / left) ** 2 / spread
    return np.asarray(np.sqrt(freedom * np.log1p(student_squared / freedom)) * (8 * freedom + 1) / (8 * freedom + 3))


def _own_variance(logs: Array, apart: int = 1) -> Array:
    """The variance of each line around its levels, from the smaller differences of neighbours, which steps leave.

    Args:
        logs: of shape (lines, points).
        apart: how many places neighbours are apart.
    """
    differences = np.sort((logs[:, apart:] - logs[:, :-apart]) ** 2, axis=1)
    kept = max(2, math.ceil(_STEADY * differences.shape[1]))
    return np.asarray(differences[:, :kept].mean(axis=1) / 2)


def _threshold(n: int, correlation: float, chance: float) -> float:
    """What the largest score of a line of noise exceeds with this probability."""
    largest = _largest(n, math.ceil(round(correlation * _GRAIN, 6)))
    return float(largest[math.ceil((1 - chance) * len(largest)) - 1])


@functools.cache
def _largest(n: int, correlation: int) -> Array:
    """The sorted largest scores of simulated lines of noise, of shape (_SIMULATED,); seeded.

    Args:
        n: points of a line.
        correlation: the autocorrelation, in parts of `_GRAIN`.
    """
    chance, share = np.random.default_rng(0), correlation / _GRAIN
    at_once = max(1, min(_SIMULATED, _AT_ONCE // len(_splits(n)[0])))
    found = []
    for done in range(0, _SIMULATED, at_once):
        noise = chance.standard_normal((min(at_once, _SIMULATED - done), n))
        noise[:, 0] /= math.sqrt(1 - share**2)
        for place in range(1, n):
            noise[:, place] += share * noise[:, place - 1]
        found.append(_scores(noise).max(axis=1))
    return np.sort(np.concatenate(found))


def _found(logs: Array, scores: Array, threshold: float) -> list[int]:
    """The places of the steps: that of the narrowest interval above the threshold first, then of those beside it."""
    begin, split, end = _splits(len(logs))
    left, steps = scores > threshold, []
    while left.any():
        width = np.where(left, end - begin, len(logs) + 1)
        best = int(np.argmax(np.where(width == width.min(), scores, -np.inf)))
        steps.append(int(split[best]))
        left &= (split[best] <= begin) | (end <= split[best])
    return _settled(logs, sorted(steps))


def _settled(logs: Array, steps: Sequence[int]) -> list[int]:
    """Each step where it splits the points between its neighbours best: its interval may have ended too early."""
    bounds, settled = [*steps[1:], len(logs)], [0]
    for after in bounds[: len(steps)]:
        before = settled[-1]
        places = np.arange(before + LEAST_SIDE, after - LEAST_SIDE + 1)
        sums = np.cumsum(logs[before:after] - logs[before:after].mean())[places - before - 1]
        between = sums**2 * (1 / (places - before) + 1 / (after - places))
        settled.append(int(places[between.argmax()]))
    return settled[1:]


def _residuals(logs: Array, steps: Sequence[int]) -> list[Array]:
    return [part - part.mean() for part in np.split(logs, steps)]


def _correlation(logs: Array, steps: Sequence[int]) -> float:
    """The autocorrelation of neighbours around the levels.

    The first estimate comes from the deviations from the levels; each level that is taken out lowers it by about 1/n,
    and steps that were not obvious raise it far. The second comes from the differences of neighbours and of next
    neighbours, which such steps hardly change (as in Chakar, Lebarbier, Lévy-Leduc and Robin 2017, Bernoulli 23); it is
    less sure, so its standard error is added. The smaller one counts.
    """
    parts = _residuals(logs, steps)
    squares = sum(float((part**2).sum()) for part in parts)
    products = sum(float((part[1:] * part[:-1]).sum()) for part in parts)
    around = products / squares + len(parts) / len(logs) if squares else 0.0
    near, far = (float(_own_variance(logs[None], apart)[0]) for apart in (1, 2))
    apart = far / near - 1 + 1 / math.sqrt(len(logs)) if near else 0.0
    return min(max(min(around, apart), LEAST_CORRELATION), _MOST_CORRELATION)


def _described(logs: Array, at: Sequence[int], correlation: float) -> Levels:
    """The levels between steps, with intervals that allow for the autocorrelation."""
    parts = _residuals(logs, at)
    freedom = len(logs) - len(parts)
    # A mean follows correlated values, so their deviations from it are smaller than from the level itself.
    expected = sum(len(part) - _inflation(len(part), correlation) for part in parts)
    variance = sum(float((part**2).sum()) for part in parts) / expected
    means = [float(part.mean()) for part in np.split(logs, at)]
    errors = [variance * _inflation(len(part), correlation) / len(part) for part in parts]
    steps = []
    for place, split in enumerate(at):
        change, reach = means[place + 1] - means[place], student(freedom) * math.sqrt(errors[place] + errors[place + 1])
        ratio = Interval(math.exp(change), math.exp(change - reach), math.exp(change + reach))
        steps.append(Step(split, math.exp(means[place]), math.exp(means[place + 1]), ratio))
    return Levels(tuple(map(math.exp, means)), tuple(steps), correlation, math.sqrt(variance), freedom)


def _inflation(n: int, correlation: float) -> float:
    """How many times larger the variance of the mean of `n` values is than that of as many independent ones."""
    apart = np.arange(1, n)
    return 1 + 2 * float(((1 - apart / n) * correlation**apart).sum())
