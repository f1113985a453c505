"""Choose the form of a model by cross-validation.

Candidates are straight or of second degree, in the values or in their logarithms, or in the logarithms of numbers as
well (a power law). Each predicts every cell from all others, and of a sweep every run's config from those of the
others; the simplest is chosen among those that are not worse than the best by more than a standard error of the
difference (Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984, 3.4.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from flowerexp.analysis.model.cells import Cells
from flowerexp.analysis.model.factors import MOST_TERMS, Design, Factor, independent, terms_of
from flowerexp.analysis.model.noise import divisors
from flowerexp.analysis.model.predicting import Scale
from flowerexp.measurements.table import Array

_TOLD = 1e-9
"""Where a cell has no less than this of its own prediction left to others, they say something of it."""
_WORST = 1e-3
"""A prediction below this share of what was measured, or below 0, counts as so far off."""


@dataclass(frozen=True)
class Trial:
    """A candidate.

    Attributes:
        scale: of the values.
        degree: of its terms.
        design: its terms, those that can be told apart.
        off: how far it is off in each cell that it has not seen, as a logarithm (of values that are not all positive in
            their standard deviations); NaN where the others do not tell.
    """

    scale: Scale
    degree: int
    design: Design
    off: Array


def choose(
    factors: Sequence[Factor],
    products: Sequence[Sequence[str]],
    cells: Cells,
    logs: Cells | None,
    groups: Array,
    growing: bool,
) -> Trial:
    """Try all candidates that are possible, and choose.

    Args:
        factors: numbers first.
        products: names of numbers whose product is always a term.
        cells: of all runs together.
        logs: the same of the values' logarithms; None where not all have one.
        groups: which cells are left out together.
        growing: whether noise grows with a plain value.
    """
    tried: list[Trial] = []
    for degree in (1, 2):
        for scale, power in _kinds(factors, logs is not None):
            design = _design([_sized(factor, power) for factor in factors], products, degree, cells)
            if degree > 1 and not _is_more(design, tried[0].design, len(cells.means)):
                continue
            own = logs if scale == "log" and logs else cells
            rest = _unseen(design.matrix(cells.columns), own, groups, growing and scale == "plain")
            tried.append(Trial(scale, degree, design, _off(rest, own, scale, logs is not None)))
    alone = np.arange(len(groups))
    if np.isnan(tried[0].off).all() and (groups != alone).any():
        return choose(factors, products, cells, logs, alone, growing)
    return _simplest(tried, groups)


def _kinds(factors: Sequence[Factor], positive: bool) -> list[tuple[Scale, bool]]:
    """Scales of the value, and whether numbers are logarithms, too."""
    powers = any(factor.is_number and factor.values[0] > 0 for factor in factors)
    kinds: list[tuple[Scale, bool]] = [("plain", False), ("log", False), ("log", True)]
    return kinds[: 1 if not positive else 2 + powers]


def _sized(factor: Factor, power: bool) -> Factor:
    if not factor.is_number:
        return factor
    logarithm = power and factor.values[0] > 0
    ends = np.abs(np.log(factor.range) if logarithm else factor.range)
    return replace(factor, logarithm=logarithm, size=float(ends.max()))


def _design(factors: Sequence[Factor], products: Sequence[Sequence[str]], degree: int, cells: Cells) -> Design:
    """The terms that the cells can tell apart."""
    whole = Design(tuple(factors), tuple(terms_of(factors, products, degree)))
    kept = independent(whole.matrix(cells.columns))
    return Design(whole.factors, tuple(whole.terms[place] for place in kept))


def _is_more(design: Design, straight: Design, cells: int) -> bool:
    """Does it say more than the straight one, with fewer terms than there are cells?"""
    return len(straight.terms) < len(design.terms) <= min(MOST_TERMS, cells - 1)


def _unseen(matrix: Array, cells: Cells, groups: Array, growing: bool) -> Array:
    """What is left over of each cell where its group is left out of the fit; NaN where the others do not tell.

    No fit is made again: Allen's identity (Technometrics 16, 1974), of groups.
    """
    root = np.sqrt(cells.counts) / divisors(matrix, cells, growing)
    basis, _ = np.linalg.qr(root[:, None] * matrix)
    rest = root * cells.means
    rest = rest - basis @ (basis.T @ rest)
    found = np.full_like(rest, np.nan)
    if len(np.unique(groups)) == len(groups):
        free = 1 - (basis**2).sum(axis=1)
        return np.asarray(np.divide(rest, free, out=found, where=free > _TOLD) / root)
    order = np.argsort(groups, kind="stable")
    for own in np.split(order, np.cumsum(np.bincount(groups))[:-1]):
        values, vectors = np.linalg.eigh(np.eye(len(own)) - basis[own] @ basis[own].T)
        if values[0] > _TOLD:
            found[own] = vectors @ ((vectors.T @ rest[own]) / values)
    return found / root


def _off(rest: Array, cells: Cells, scale: Scale, positive: bool) -> Array:
    if scale == "log":
        return -rest
    if not positive:
        return np.asarray(rest / (cells.means.std() or 1.0))
    return np.asarray(np.log(np.maximum(1 - rest / cells.means, _WORST)))


def _simplest(tried: Sequence[Trial], groups: Array) -> Trial:
    """The simplest that is not worse than the best by more than a standard error of the difference."""
    known = ~np.isnan(tried[0].off)
    if not known.any():
        return tried[0]
    able = [one for one in tried if not np.isnan(one.off[known]).any()]
    own, sizes = np.unique(groups[known], return_inverse=True, return_counts=True)[1:]
    squares = [np.bincount(own, one.off[known] ** 2) / sizes for one in able]  # of a group, which errs as a whole
    best = min(squares, key=lambda each: float(each.mean()))
    doubts = ((each - best).std() / np.sqrt(max(len(best) - 1, 1)) for each in squares)
    fair = [(each - best).mean() <= doubt for each, doubt in zip(squares, doubts, strict=True)]
    return able[fair.index(True)]
