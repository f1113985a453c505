"""The 95 % confidence interval of a ratio of rates.

What it allows for depends on what there is: with one run on each side, how far repetitions of a cell disagree, and how
far the machine wandered meanwhile, where there are enough of them to tell; with repeats of a run, how far runs of one
config disagree.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from flowerexp.analysis.instability import instability_of
from flowerexp.measurements import Row, number, total_rate

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

Cells = dict[tuple[Any, ...], list[Row]]
"""A run's rows by cell: rows that have images and seconds."""

Basis = Literal["repetitions", "cells", "runs"]
"""Whose disagreement an interval comes from."""

RESAMPLES = 2000
MOST_UNITS = 400
"""More rows than this in one cell (TFRecord files, say) are resampled in bundles."""

_LEVEL = 0.975  # below the upper end of a 95 % interval
_Error = tuple[float, float, Basis]  # of the ratio's logarithm: standard error, degrees of freedom, basis


def interval(base: Sequence[Cells], other: Sequence[Cells]) -> tuple[tuple[float, float] | None, Basis | None]:
    """The interval of the ratio of two rates, images/s of `other` over those of `base`.

    Args:
        base: for each run of one side its rows by cell; all runs have the same cells.
        other: the same for the other side.

    Returns:
        The two ends and whose disagreement they come from, or None where nothing is repeated.
    """
    found = _within(base[0], other[0]) if len(base) == len(other) == 1 else _between(base, other)
    if found is None:
        return None, None
    error, freedom, basis = found
    middle, reach = _log_rate(other) - _log_rate(base), _student(freedom) * error
    return (math.exp(middle - reach), math.exp(middle + reach)), basis


def _log_rate(runs: Iterable[Cells]) -> float:
    return math.log(total_rate(row for run in runs for rows in run.values() for row in rows) or math.nan)


def _student(freedom: float) -> float:
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    return float(stdtrit(freedom, _LEVEL))


def _between(base: Sequence[Cells], other: Sequence[Cells]) -> _Error:
    """From how far runs that repeat each other disagree: their variance, pooled over both sides."""
    squares, freedom = 0.0, 0
    for side in (base, other):
        logs = [_log_rate([run]) for run in side]
        squares += sum((value - statistics.fmean(logs)) ** 2 for value in logs)
        freedom += len(logs) - 1
    return math.sqrt(squares / freedom * (1 / len(base) + 1 / len(other))), freedom, "runs"


def _within(base: Cells, other: Cells) -> _Error | None:
    """From how far repetitions disagree: a seeded bootstrap, each cell a stratum.

    Strata are small, three repetitions say, and a plain bootstrap would cover 87 to 94 % where 95 % are meant. So each
    resample draws one row fewer than there are and weighs them up (Rao and Wu 1988), which makes the variance right,
    and the interval is Student's, on the ratio's logarithm.
    """
    import numpy as np

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
    wandered = [instability_of([row for rows in side.values() for row in rows]) for side in (base, other)]
    if any(one.deviation for one in wandered):
        freedom = min(freedom, *(one.freedom for one in wandered if one.deviation))
    return math.hypot(float(logs.std(ddof=1)), *(one.deviation for one in wandered)), freedom, basis


def _bundled(stratum: Array, chance: numpy.random.Generator) -> Array:
    import numpy as np

    if len(stratum) <= MOST_UNITS:
        return stratum
    return np.stack([part.sum(axis=0) for part in np.array_split(chance.permutation(stratum), MOST_UNITS)])


def _strata(base: Cells, other: Cells) -> tuple[list[Array], Basis | None]:
    """What is resampled: arrays of rows of the base's images and seconds, and the other's images and seconds.

    Repetitions that both runs have are resampled together, since they read the same files; cells that have only one
    measurement are resampled as wholes.
    """
    import numpy as np

    strata, lone = [], []
    for key, rows in base.items():
        one, two = _by_repetition(rows), _by_repetition(other[key])
        if min(len(one), len(two)) < 2:
            lone.append([*np.sum([*one.values()], axis=0), *np.sum([*two.values()], axis=0)])
        elif one.keys() == two.keys() and all(repetition is not None for repetition, _ in one):
            strata.append(np.array([[*values, *two[place]] for place, values in one.items()]))
        else:
            strata.append(np.array([[*values, 0, 0] for values in one.values()]))
            strata.append(np.array([[0, 0, *values] for values in two.values()]))
    if len(lone) == 1:
        return [], None  # nothing says how far that cell varies
    return ([*strata, np.array(lone)], "cells") if lone else (strata, "repetitions")


def _by_repetition(rows: Iterable[Row]) -> dict[tuple[float | None, int], tuple[float, float]]:
    """Images and seconds by repetition, and by place among the rows that share one or name none."""
    seen: Counter[float | None] = Counter()
    found = {}
    for row in rows:
        repetition = number(row, "repetition")
        found[repetition, seen[repetition]] = (number(row, "images") or 0.0, number(row, "seconds") or 0.0)
        seen[repetition] += 1
    return found
