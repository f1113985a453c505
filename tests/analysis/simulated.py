"""Measurements whose truth is known: seconds as long as parameters say, and noise."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import numpy as np

from flowerexp.analysis.model.cells import Rows
from flowerexp.measurements.coded import Array, Coded

COEFFICIENTS = {"intercept": 0.02, "size": 0.0002, "number": 0.001, "mode=b": 0.015, "size x number": 0.0001}
PRODUCTS = [("size", "number")]

Noise = Callable[[np.random.Generator, Array, Array], Array]
"""Given chance, the true seconds and the cell of each row: the standard deviation of each row."""


def grid(repetitions: int = 3) -> dict[str, Array]:
    """Two modes, three sizes, three numbers; the rows of a cell stand together."""
    cells = list(itertools.product(("a", "b"), (8.0, 32.0, 128.0), (2.0, 8.0, 32.0)))
    rows = [cell for cell in cells for _ in range(repetitions)]
    return {
        "mode": np.array([mode for mode, _, _ in rows], object),
        "size": np.array([size for _, size, _ in rows]),
        "number": np.array([number for _, _, number in rows]),
    }


def seconds(columns: Mapping[str, Array]) -> Array:
    """How long each row really takes."""
    size, number = columns["size"], columns["number"]
    return np.asarray(0.02 + 0.0002 * size + 0.001 * number + 0.015 * (columns["mode"] == "b") + 0.0001 * size * number)


def rows(columns: Mapping[str, Array], values: Array, runs: Array | None = None) -> Rows:
    """What a model is fitted to."""
    coded = {name: Coded.of(column) for name, column in columns.items()}
    return Rows(coded, values, np.zeros(len(values), int) if runs is None else runs, {})


def proportional(_: np.random.Generator, true: Array, __: Array) -> Array:
    """Noise of 5 % everywhere."""
    return 0.05 * true


def constant(_: np.random.Generator, true: Array, __: Array) -> Array:
    """Noise of 2 ms everywhere."""
    return np.full_like(true, 0.002)


def uneven(chance: np.random.Generator, true: Array, cells: Array) -> Array:
    """Noise of 1 to 10 %, another in each cell."""
    return chance.uniform(0.01, 0.1, int(cells.max()) + 1)[cells] * true


def one_in_six(_: np.random.Generator, true: Array, cells: Array) -> Array:
    """Noise of 20 % in one cell of six, of 3 % in the others."""
    return np.where(cells % 6 == 0, 0.2, 0.03) * true
