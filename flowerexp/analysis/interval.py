"""The 95 % confidence interval of a ratio of rates.

With one run on each side it comes from how far repetitions of a cell disagree, and how far the machine's speed varied
meanwhile, if there are enough of them to show that; with repeats of a run, from how far runs of the same config
disagree.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from flowerexp.analysis.estimate import student
from flowerexp.analysis.instability import instability_of
from flowerexp.measurements.table import Array, Measurements

Basis = Literal["repetitions", "cells", "runs"]
"""The disagreement that an interval comes from: that of repetitions, of cells or of runs."""

RESAMPLES = 2000
MOST_UNITS = 400
"""If a cell has more rows than this, they are resampled in bundles."""

_Error = tuple[float, float, Basis]  # of the ratio's logarithm: standard error, degrees of freedom, basis


def interval(
    base: Sequence[Measurements], other: Sequence[Measurements]
) -> tuple[tuple[float, float] | None, Basis | None]:
    """The interval of the ratio of two rates, unit/s of `other` over that of `base`.

    Args:
        base: for each run of one side its rows that have a rate; all runs have the same cells.
        other: the same for the other side.

    Returns:
        The two ends and the disagreement that they come from, or None if nothing is repeated.
    """
    estimate = _within(base[0], other[0]) if len(base) == len(other) == 1 else _between(base, other)
    if estimate is None:
        return None, None
    error, freedom, basis = estimate
    middle, reach = _log_rate(other) - _log_rate(base), student(freedom) * error
    return (math.exp(middle - reach), math.exp(middle + reach)), basis


def rate_over(runs: Sequence[Measurements]) -> float:
    """Unit/s over several runs: a sum over a sum."""
    return float(sum(run.counts.sum() for run in runs) / sum(run.seconds.sum() for run in runs))


def _log_rate(runs: Sequence[Measurements]) -> float:
    return math.log(rate_over(runs))


def _between(base: Sequence[Measurements], other: Sequence[Measurements]) -> _Error:
    """By how far runs that repeat each other disagree: their variance, pooled over both sides."""
    squares, freedom = 0.0, 0
    for side in (base, other):
        logs = [_log_rate([run]) for run in side]
        squares += sum((value - statistics.fmean(logs)) ** 2 for value in logs)
        freedom += len(logs) - 1
    return math.sqrt(squares / freedom * (1 / len(base) + 1 / len(other))), freedom, "runs"


def _within(base: Measurements, other: Measurements) -> _Error | None:
    """By how far repetitions disagree: a seeded bootstrap with each cell as a stratum.

    Strata are small, such as three repetitions, and a plain bootstrap would cover 87 to 94 % instead of 95 %. So each
    resample draws one row less than there are, with larger weights (Rao and Wu 1988), which makes the variance right,
    and the interval is Student's, on the ratio's logarithm.
    """
    strata, basis = _strata(base, other)
    if basis is None:
        return None
    chance, totals = np.random.default_rng(0), np.zeros((RESAMPLES, 4))
    whole = np.sum([stratum.sum(axis=0) for stratum in strata], axis=0)
    variances, freedoms = [], []
    for stratum in strata:
        units = _bundled(stratum, chance)
        n = len(units)
        totals += chance.multinomial(n - 1, np.full(n, 1 / n), size=RESAMPLES) @ units * (n / (n - 1))
        shares = stratum.sum(axis=0)[[1, 3]] / whole[[1, 3]]
        variances.append(float((shares**2).sum()) / n)  # as if the noise were the same share of each cell's seconds
        freedoms.append(n - 1)
    logs = np.log(totals[:, 2] / totals[:, 3]) - np.log(totals[:, 0] / totals[:, 1])
    freedom = sum(variances) ** 2 / sum(v * v / f for v, f in zip(variances, freedoms, strict=True))
    unsteady = [found for side in (base, other) if (found := instability_of(side)).deviation]
    freedom = min([freedom, *(each.freedom for each in unsteady)])
    return math.hypot(float(logs.std(ddof=1)), *(each.deviation for each in unsteady)), freedom, basis


def _bundled(stratum: Array, chance: np.random.Generator) -> Array:
    if len(stratum) <= MOST_UNITS:
        return stratum
    return np.stack([part.sum(axis=0) for part in np.array_split(chance.permutation(stratum), MOST_UNITS)])


def _strata(base: Measurements, other: Measurements) -> tuple[list[Array], Basis | None]:
    """The strata to resample: arrays with columns of counts and seconds of the base, and of the other side.

    Repetitions that both runs have are resampled together, because they do the same work; cells with only one
    measurement are resampled as a whole.
    """
    strata, lone = [], []
    sides = _by_cell(base), _by_cell(other)
    # In the order of their names: random numbers are seeded, so an interval stays the same.
    for cell in sorted(range(len(base.cell_keys)), key=lambda cell: repr(base.cell_keys[cell])):
        (places, left), (other_places, right) = (side[cell] for side in sides)
        if min(len(left), len(right)) < 2:
            lone.append(np.concatenate([left.sum(axis=0), right.sum(axis=0)]))
        elif places.keys() == other_places.keys():  # NaN, of a row without a repetition, is equal to nothing
            strata.append(np.column_stack([left, right[[other_places[repetition] for repetition in places]]]))
        else:
            strata.append(np.column_stack([left, np.zeros_like(left)]))
            strata.append(np.column_stack([np.zeros_like(right), right]))
    if len(lone) == 1:
        return [], None  # how far that cell varies is unknown
    return ([*strata, np.array(lone)], "cells") if lone else (strata, "repetitions")


def _by_cell(side: Measurements) -> list[tuple[dict[tuple[float, int], int], Array]]:
    """For each cell the place of each repetition, and counts and seconds as an array of shape (rows, 2).

    A repetition has a second number: its place among the rows with the same repetition, or without one.
    """
    values = np.column_stack([side.counts, side.seconds])
    order = np.argsort(side.cells, kind="stable")
    cells = []
    for rows in np.split(order, np.cumsum(np.bincount(side.cells))[:-1]):
        seen: Counter[float] = Counter()
        places = {}
        for place, repetition in enumerate(side.numbers("repetition")[rows].tolist()):
            places[repetition, seen[repetition]] = place
            seen[repetition] += 1
        cells.append((places, values[rows]))
    return cells
