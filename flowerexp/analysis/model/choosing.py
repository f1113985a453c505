"""Choose the form of a model by cross-validation.

Candidates are of first or second degree, and either in values and numbers as they are, or in their logarithms (a power
law; numbers that are not all positive stay as they are). Each predicts every cell from all others, of a sweep every
run's config from those of the others, and every value of a number from those around it. The simplest is chosen among
those that are not worse than the best by more than a standard error of the difference (Breiman, Friedman, Olshen and
Stone, Classification and Regression Trees, 1984, 3.4.3).
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

_LEAST_FREE = 1e-9
"""A cell can be predicted from the others if its own share of its prediction is below 1 by more than this."""
_MOST_BETWEEN = 100
"""Numbers with more values are not tested for how well one is predicted from the others: they are close enough."""
_WORST = 1e-3
"""A prediction below this share of the measured value, or below 0, counts as off by this share."""


@dataclass(frozen=True)
class Trial:
    """A candidate.

    Attributes:
        scale: of the values.
        degree: of its terms.
        design: its terms, without those that depend on others.
        off: its error in each cell if that is left out of the fit, as a logarithm (for values that are not all
            positive, in their standard deviations); NaN where the others cannot predict it.
        between: the same if all cells with its value of a number are left out, for each number and each of its values
            but the smallest and the largest; of shape (numbers, cells).
    """

    scale: Scale
    degree: int
    design: Design
    off: Array
    between: Array


def choose(
    factors: Sequence[Factor],
    products: Sequence[Sequence[str]],
    cells: Cells,
    logs: Cells | None,
    groups: Array,
    growing: bool,
) -> Trial:
    """Try all possible candidates, and choose one.

    Args:
        factors: numbers first.
        products: names of numbers whose product is always a term.
        cells: of all runs together.
        logs: the same for the logarithms of values; None if some value is not positive.
        groups: which cells are left out together.
        growing: whether noise grows with a plain value.
    """
    kinds: list[tuple[Cells, Scale]] = [(cells, "plain")]
    kinds += [(logs, "log")] if logs else []
    tried: list[Trial] = []
    for degree in (1, 2):
        for kind, scale in kinds:
            design = _design([_sized(factor, scale == "log") for factor in factors], products, degree, cells)
            if degree > 1 and not _is_more(design, tried[0].design, len(cells.means)):
                continue
            unseen = _Unseen(design.matrix(cells.columns), kind, growing and scale == "plain", scale, logs is not None)
            between = [_between(unseen, cells.columns[factor.name]) for factor in factors if factor.is_number]
            tried.append(Trial(scale, degree, design, unseen.off(groups), np.array(between).reshape(-1, len(groups))))
    alone = np.arange(len(groups))
    if np.isnan(tried[0].off).all() and (groups != alone).any():
        return choose(factors, products, cells, logs, alone, growing)
    return _simplest(tried, groups)


def _sized(factor: Factor, power: bool) -> Factor:
    if not factor.is_number:
        return factor
    logarithm = power and factor.values[0] > 0
    ends = np.abs(np.log(factor.range) if logarithm else factor.range)
    return replace(factor, logarithm=logarithm, size=float(ends.max()))


def _design(factors: Sequence[Factor], products: Sequence[Sequence[str]], degree: int, cells: Cells) -> Design:
    """The terms, without those that depend on others in these cells."""
    whole = Design(tuple(factors), tuple(terms_of(factors, products, degree)))
    kept = independent(whole.matrix(cells.columns))
    return Design(whole.factors, tuple(whole.terms[place] for place in kept))


def _is_more(design: Design, straight: Design, cells: int) -> bool:
    """Whether it has more terms than the straight one, but fewer than there are cells."""
    return len(straight.terms) < len(design.terms) <= min(MOST_TERMS, cells - 1)


class _Unseen:
    """A candidate's predictions for cells that are left out of its fit."""

    def __init__(self, matrix: Array, cells: Cells, growing: bool, scale: Scale, positive: bool) -> None:
        self._cells, self._scale, self._positive = cells, scale, positive
        self._root = np.sqrt(cells.counts) / divisors(matrix, cells, growing)
        self._basis, _ = np.linalg.qr(self._root[:, None] * matrix)
        scaled = self._root * cells.means
        self._rest = scaled - self._basis @ (self._basis.T @ scaled)

    def off(self, groups: Array) -> Array:
        """The error in each cell if its group is left out of the fit; NaN where the others cannot predict it.

        Nothing is fitted again: this is Allen's identity (Technometrics 16, 1974) for groups.
        """
        errors = np.full_like(self._rest, np.nan)
        if len(np.unique(groups)) == len(groups):
            free = 1 - (self._basis**2).sum(axis=1)
            return self._measured(np.divide(self._rest, free, out=errors, where=free > _LEAST_FREE))
        order = np.argsort(groups, kind="stable")
        for group in np.split(order, np.cumsum(np.bincount(groups))[:-1]):
            errors[group] = self._left_out(group)
        return self._measured(errors)

    def _left_out(self, group: Array) -> Array | float:
        """The residuals of a group by a fit to the others, by an inverse of low rank."""
        basis = self._basis[group]
        values, vectors = np.linalg.eigh(np.eye(basis.shape[1]) - basis.T @ basis)
        if values[0] <= _LEAST_FREE:
            return np.nan
        inner = vectors @ ((vectors.T @ (basis.T @ self._rest[group])) / values)
        return np.asarray(self._rest[group] + basis @ inner)

    def _measured(self, rest: Array) -> Array:
        rest = rest / self._root
        if self._scale == "log":
            return -rest
        if not self._positive:
            return np.asarray(rest / (self._cells.means.std() or 1.0))
        return np.asarray(np.log(np.maximum(1 - rest / self._cells.means, _WORST)))


def _between(unseen: _Unseen, column: Array) -> Array:
    places = np.unique(column, return_inverse=True)[1]
    is_end = (places == 0) | (places == places.max())
    return np.where(is_end | (places.max() > _MOST_BETWEEN), np.nan, unseen.off(places))


def _simplest(tried: Sequence[Trial], groups: Array) -> Trial:
    """The simplest that is not worse than the best by more than a standard error of the difference."""
    known = ~np.isnan(tried[0].off)
    if not known.any():
        return tried[0]
    able = [trial for trial in tried if not np.isnan(trial.off[known]).any()]
    places, sizes = np.unique(groups[known], return_inverse=True, return_counts=True)[1:]
    squares = [np.bincount(places, _squares(trial)[known]) / sizes for trial in able]  # of groups: each errs as a whole
    best = min(squares, key=lambda each: float(each.mean()))
    doubts = ((each - best).std() / np.sqrt(max(len(best) - 1, 1)) for each in squares)
    good = [(each - best).mean() <= doubt for each, doubt in zip(squares, doubts, strict=True)]
    return able[good.index(True)]


def _squares(trial: Trial) -> Array:
    """The squared error in each cell, on average over what was left out of the fit."""
    whole = np.vstack([trial.off, np.where(np.isnan(trial.between), trial.off, trial.between)])
    return np.asarray((whole**2).mean(axis=0))
