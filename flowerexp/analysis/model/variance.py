"""Fit a linear model to cells: least squares with errors of measurements, of cells and of runs.

A measurement is ``X b + run + cell + measurement``: besides the noise of measurements, a cell is a little off the
model, since no model is exact, and runs of the same config differ. All three are normal, with variances
that are estimated from mean squares (Henderson's method 3, Biometrics 9, 1953; Searle, Casella and McCulloch, Variance
Components, 1992, 5.5): repetitions show the first, cells of a run the second, runs the third. A variance that would be
negative is 0, and its mean square is pooled with the one below. Degrees of freedom are Satterthwaite's (Biometrics
Bulletin 2, 1946).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flowerexp.analysis.estimate import student
from flowerexp.analysis.model.noise import uneven
from flowerexp.measurements.table import Array


@dataclass(frozen=True)
class Errors:
    """The variances that a model does not explain: of a measurement, a cell and a run, in that order.

    Attributes:
        squares: mean squares.
        freedom: the degrees of freedom of each.
        mixture: each variance as a sum of multiples of the mean squares, of shape (3, squares).
        separate: whether the variances of measurements and cells are separate, which needs repetitions.
    """

    squares: tuple[float, ...]
    freedom: tuple[float, ...]
    mixture: tuple[tuple[float, ...], ...]
    separate: bool

    @property
    def variances(self) -> Array:
        """Of a measurement, a cell and a run."""
        return np.asarray(np.maximum(np.array(self.mixture) @ np.array(self.squares), 0))

    def reach(self, shares: Array) -> Array:
        """How far 95 % intervals reach to each side.

        Args:
            shares: the multiple of each of the three variances in n quantities, of shape (n, 3).

        Returns:
            Of shape (n,).
        """
        parts = (shares @ np.array(self.mixture)) * np.array(self.squares)
        total, doubt = np.maximum(parts.sum(axis=1), 0), (parts**2 / np.array(self.freedom)).sum(axis=1)
        freedom = np.divide(total**2, doubt, out=np.full(len(total), float(min(self.freedom))), where=doubt > 0)
        return np.asarray(student(np.maximum(freedom, 1)) * np.sqrt(total))


@dataclass(frozen=True)
class Fitted:
    """Coefficients, and how the errors affect them.

    Attributes:
        coefficients: of shape (terms,).
        errors: None where there are no residuals to estimate them from.
        shares: the covariance of the coefficients that each error would cause if its variance were 1, of shape
            (3, terms, terms).
        lack: F, its two degrees of freedom, of the test whether cells lie further from the model than their
            repetitions explain; None where no cell is repeated or no cell is left over.
    """

    coefficients: Array
    errors: Errors | None
    shares: Array
    lack: tuple[float, int, int] | None


def fit(matrix: Array, means: Array, counts: Array, runs: Array, squares: Array) -> Fitted:
    """Fit a model whose errors are about the same in all cells.

    Args:
        matrix: the design, of shape (cells, terms), of full rank.
        means: of each cell's measurements.
        counts: how many there are.
        runs: the number of each cell's run, from 0.
        squares: the sum of the squares within each cell.
    """
    within, freedom = float(squares.sum()), int(counts.sum()) - len(counts)
    noise = uneven(squares, counts)
    several = len(np.unique(runs)) > 1
    errors = lack = None
    left = len(means) - matrix.shape[1]
    if left > 0 or freedom > 0:
        errors, lack = _errors(matrix, means, counts, runs if several else None, within, freedom)
        # Variances that differ between cells are less certain than equal ones.
        again = (counts - 1) @ noise
        sure = again**2 / ((counts - 1) @ noise**2) / freedom if again else 1.0
        errors = replace(
            errors, freedom=tuple(each * sure if place == 0 else each for place, each in enumerate(errors.freedom))
        )
    variances = errors.variances if errors else np.array([1.0, 0.0, 0.0])
    if not variances.any():
        variances = np.array([1.0, 0.0, 0.0])  # no noise at all: any weights do
    whiten = _Whitener(1 / np.maximum(variances[0] / counts + variances[1], 1e-300), runs, float(variances[2]))
    q, r = np.linalg.qr(whiten(matrix))
    solve = whiten.back(np.linalg.solve(r, q.T))  # turns means into coefficients, of shape (terms, cells)
    by_run = np.stack([np.bincount(runs, row) for row in solve])
    shares = np.stack([(solve * (noise / counts)) @ solve.T, solve @ solve.T, by_run @ by_run.T])
    return Fitted(solve @ means, errors, shares, lack)


class _Whitener:
    """Makes the errors that cells of a run share independent, and all of the same size (Fuller and Battese 1974)."""

    def __init__(self, weights: Array, runs: Array, shared: float) -> None:
        self._root = np.sqrt(weights)[:, None]
        self._runs, self._sums = runs, np.bincount(runs, weights)
        self._pull = (1 - 1 / np.sqrt(1 + shared * self._sums)) if shared else None

    def __call__(self, matrix: Array) -> Array:
        scaled = self._root * matrix
        return scaled if self._pull is None else scaled - self._shared(scaled)

    def back(self, rows: Array) -> Array:
        """Apply the transposed whitening, which is the same in reverse order, to rows of shape (n, cells)."""
        turned = rows.T
        return np.asarray(self._root * (turned if self._pull is None else turned - self._shared(turned))).T

    def _shared(self, scaled: Array) -> Array:
        assert self._pull is not None
        sums = np.stack([np.bincount(self._runs, column) for column in (self._root * scaled).T], axis=1)
        return np.asarray(self._root * (sums * (self._pull / self._sums)[:, None])[self._runs])


def _errors(
    matrix: Array, means: Array, counts: Array, runs: Array | None, within: float, freedom: int
) -> tuple[Errors, tuple[float, int, int] | None]:
    """The variances, and the test for lack of fit."""
    root = np.sqrt(counts)
    basis, _ = np.linalg.qr(root[:, None] * matrix)
    whole, left = _rest(basis, root * means), len(means) - matrix.shape[1]
    size = float(counts.sum() - (counts[:, None] * basis**2).sum())
    noise = within / freedom if freedom else 0.0
    lack = (whole / left / noise, left, freedom) if left and noise else None
    if runs is None:
        return _two(noise, freedom, whole, left, size), lack
    inner, inner_left, inner_size = _within_runs(matrix, means, counts, runs)
    if not freedom and not inner_left:
        return _two(noise, freedom, whole, left, size), lack
    base = _two(noise, freedom, inner, inner_left, inner_size)
    # The residuals between runs contain all three errors: these multiples of the variances of a cell and of a run.
    between_left, cell = left - inner_left, size - inner_size
    by_run = np.stack([np.bincount(runs, root * column) for column in basis.T])
    run = float(counts.sum() - (by_run**2).sum())
    if between_left <= 0 or run <= 0:
        return base, lack
    # Runs always differ. If too few of them show no difference, their variance is not pooled with the others.
    known = base.variances
    between = max(whole - inner, between_left * known[0] + cell * known[1])
    row = [-(between_left * a + cell * b) / run for a, b in zip(*base.mixture[:2], strict=True)]
    mixture = ((*base.mixture[0], 0.0), (*base.mixture[1], 0.0), (*row, between_left / run))
    squares, freedoms = (*base.squares, between / between_left), (*base.freedom, between_left)
    return Errors(squares, freedoms, mixture, base.separate), lack


def _two(noise: float, freedom: int, whole: float, left: int, size: float) -> Errors:
    """The errors of measurements and cells; `size` is the multiple of the latter in the residual squares."""
    if not freedom:  # nothing is repeated: noise and misfit are one
        return Errors((whole / left,), (left,), ((1.0,), (0.0,), (0.0,)), False)
    if not left or whole / left <= noise:
        pooled = (noise * freedom + whole) / (freedom + left)
        return Errors((pooled,), (freedom + left,), ((1.0,), (0.0,), (0.0,)), True)
    share = left / size
    return Errors((noise, whole / left), (freedom, left), ((1.0, 0.0), (-share, share), (0.0, 0.0)), True)


def _within_runs(matrix: Array, means: Array, counts: Array, runs: Array) -> tuple[float, int, float]:
    """The residuals within runs, each of which has its own level: squares, freedom, multiple of a cell's variance."""
    sums, root = np.bincount(runs, counts), np.sqrt(counts)

    def centred(values: Array) -> Array:
        return np.asarray(values - (np.bincount(runs, counts * values) / sums)[runs])

    columns = np.stack([root * centred(column) for column in matrix.T], axis=1)
    sizes = np.linalg.norm(root[:, None] * matrix, axis=0)
    vectors, values, _ = np.linalg.svd(columns / np.where(sizes > 0, sizes, 1), full_matrices=False)
    basis = vectors[:, values > 1e-9]
    size = float(counts.sum() - (np.bincount(runs, counts**2) / sums).sum() - (counts[:, None] * basis**2).sum())
    return _rest(basis, root * centred(means)), len(means) - len(sums) - basis.shape[1], size


def _rest(basis: Array, values: Array) -> float:
    """The squares of values that an orthonormal basis does not explain."""
    rest = values - basis @ (basis.T @ values)
    return float(rest @ rest)
