"""How the noise of measurements differs between cells: with the value, and otherwise."""

from __future__ import annotations

import numpy as np

from flowerexp.analysis.model.cells import Cells
from flowerexp.measurements.table import Array

_ROUNDS = 3
"""How often weights are taken from what is fitted: they no longer change after that."""
_APART = 2.0
"""A fitted value that is further from its cell's mean than by this factor makes no weight: the model may be wrong."""
_FEWEST_SQUARES = 10
"""Degrees of freedom within cells, below which they do not tell whether noise grows with the value."""


def grows(cells: Cells) -> bool:
    """Does the noise of a measurement grow with its value? By the likelihood of both, of what is within cells.

    Times do, and it is taken for granted where too little is repeated to tell.
    """
    if cells.freedom < _FEWEST_SQUARES or not cells.squares.any():
        return True
    constant = cells.freedom * np.log(cells.squares.sum())
    proportional = cells.freedom * np.log((cells.squares / cells.means**2).sum())
    return bool(proportional + 2 * (cells.counts - 1) @ np.log(cells.means) <= constant)


def divisors(matrix: Array, cells: Cells, growing: bool) -> Array:
    """The size of each cell's noise: 1, or its fitted value where noise grows with that.

    A fit with these weights is quasi-likelihood with a variance that is the mean's square (McCullagh and Nelder,
    Generalized Linear Models, 1989, 9.2), whatever the distribution.
    """
    if not growing:
        return np.ones_like(cells.means)
    found = cells.means
    for _ in range(_ROUNDS):
        weights = np.sqrt(cells.counts) / found
        coefficients = np.linalg.lstsq(weights[:, None] * matrix, weights * cells.means, rcond=None)[0]
        found = np.clip(matrix @ coefficients, cells.means / _APART, cells.means * _APART)
    return found


def uneven(squares: Array, counts: Array) -> Array:
    """How noisy each cell is: its variance over that of all, drawn towards 1 as far as chance explains the difference.

    That is the posterior mean of Smyth (Statistical Applications in Genetics and Molecular Biology 3, 2004), whose
    prior is as sure as the variances agree: where they differ no more than variances of so few repetitions do, it is 1.

    Args:
        squares: the sum of the squares within each cell.
        counts: how many measurements it has.
    """
    from scipy.special import digamma, polygamma

    again, known = counts - 1, (counts > 1) & (squares > 0)
    found = np.ones_like(counts)
    if np.count_nonzero(known) < 2:
        return found
    half = again[known] / 2
    ratio = squares[known] / again[known] * again.sum() / squares.sum()
    logs = np.log(ratio) - digamma(half) + np.log(half)
    excess = float(logs.var(ddof=1) - polygamma(1, half).mean())
    if excess > 0:
        prior = 2 * _inverse_trigamma(excess)
        found[known] = (prior + again[known] * ratio) / (prior + again[known])
    return found


def _inverse_trigamma(value: float) -> float:
    """By Newton's method, as in Smyth 2004, appendix."""
    from scipy.special import polygamma

    found = 0.5 + 1 / value
    for _ in range(20):
        slope = float(polygamma(1, found))
        found += slope * (1 - slope / value) / float(polygamma(2, found))
    return found
