"""How does the noise of measurements differ between cells: with their value, and apart from it?"""

from __future__ import annotations

import numpy as np

from flowerexp.analysis.model.cells import Cells
from flowerexp.measurements.table import Array

_ROUNDS = 3
"""How often weights are computed from fitted values: they no longer change after that."""
_APART = 2.0
"""Weights come from fitted values up to this factor from the mean of their cell: beyond, the model may be wrong."""
_FEWEST_SQUARES = 10
"""With fewer degrees of freedom within cells it is assumed that noise grows with the value."""


def grows(cells: Cells) -> bool:
    """Whether the noise of measurements grows with their value, by the likelihood of both within cells.

    That of times does, so it is assumed if there are too few repetitions.
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
    sizes = cells.means
    for _ in range(_ROUNDS):
        weights = np.sqrt(cells.counts) / sizes
        coefficients = np.linalg.lstsq(weights[:, None] * matrix, weights * cells.means, rcond=None)[0]
        sizes = np.clip(matrix @ coefficients, cells.means / _APART, cells.means * _APART)
    return sizes


def uneven(squares: Array, counts: Array) -> Array:
    """The noise of each cell: its variance over that of all, moved towards 1 as far as chance explains the difference.

    That is the posterior mean of Smyth (Statistical Applications in Genetics and Molecular Biology 3, 2004): if the
    variances differ no more than those of this few repetitions do by chance, it is 1.

    Args:
        squares: the sum of the squares within each cell.
        counts: how many measurements it has.
    """
    from scipy.special import digamma, polygamma

    again, known = counts - 1, (counts > 1) & (squares > 0)
    noise = np.ones_like(counts)
    if np.count_nonzero(known) < 2:
        return noise
    half = again[known] / 2
    ratio = squares[known] / again[known] * again.sum() / squares.sum()
    logs = np.log(ratio) - digamma(half) + np.log(half)
    excess = float(logs.var(ddof=1) - polygamma(1, half).mean())
    if excess > 0:
        prior = 2 * _inverse_trigamma(excess)
        noise[known] = (prior + again[known] * ratio) / (prior + again[known])
    return noise


def _inverse_trigamma(value: float) -> float:
    """By Newton's method, as in Smyth 2004, appendix."""
    from scipy.special import polygamma

    root = 0.5 + 1 / value
    for _ in range(20):
        slope = float(polygamma(1, root))
        root += slope * (1 - slope / value) / float(polygamma(2, root))
    return root
