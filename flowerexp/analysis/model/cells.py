"""Measurements as cells: of rows whose factors agree, a linear model needs only their number, mean and spread.

So a model of a million rows is fitted to a few hundred cells, with the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flowerexp.analysis.model.factors import MOST_VALUES, Factor, text
from flowerexp.measurements.table import Array


@dataclass(frozen=True)
class Rows:
    """The measurements that a model is fitted to.

    Attributes:
        columns: the values of each factor: floats, or objects for a factor with levels.
        values: the measured ones, finite.
        runs: the number of the run of each, from 0.
        units: of factors that have one.
        whole: the factors whose numbers are whole.
    """

    columns: Mapping[str, Array]
    values: Array
    runs: Array
    units: Mapping[str, str]
    whole: frozenset[str] = frozenset()

    def where(self, chosen: Array) -> Rows:
        """The rows of a mask."""
        if chosen.all():
            return self
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return Rows(columns, self.values[chosen], self.runs[chosen], self.units, self.whole)


@dataclass(frozen=True)
class Cells:
    """Cells: the rows of a run that agree in all factors are one.

    Attributes:
        columns: of each factor its value in each cell.
        places: the cell of each row.
        runs: the run of each cell.
        counts: how many measurements there are.
        means: of the values.
        squares: the sum of their squared distances from the mean.
    """

    columns: Mapping[str, Array]
    places: Array
    runs: Array
    counts: Array
    means: Array
    squares: Array

    @property
    def freedom(self) -> int:
        """How many measurements there are in addition to the first of each cell."""
        return int(self.counts.sum()) - len(self.counts)

    def of(self, values: Array) -> Cells:
        """The same cells of other values, such as logarithms."""
        means = np.bincount(self.places, values) / self.counts
        squares = np.bincount(self.places, (values - means[self.places]) ** 2)
        return Cells(self.columns, self.places, self.runs, self.counts, means, squares)

    def settings(self, joined: Cells) -> Array:
        """The group of each of the `joined` cells: those of runs of the same config; each alone if there is one run.

        The factors of runs are the columns that do not vary within any run.
        """
        if len(np.unique(self.runs)) < 2:
            return np.arange(len(joined.means))
        numbered = {name: _numbered(column) for name, column in self.columns.items()}
        first = np.unique(self.runs, return_index=True)[1][self.runs]
        of_runs = [joined.columns[name] for name, places in numbered.items() if (places == places[first]).all()]
        return _alike([np.zeros(len(joined.means)), *of_runs])[0]

    def some(self, most: int) -> Array:
        """The places of all cells, or of a seeded sample where there are more than `most`."""
        count = len(self.means)
        return np.arange(count) if count <= most else np.sort(np.random.default_rng(0).choice(count, most, False))

    def at(self, chosen: Array) -> Cells:
        """Some of the cells, without the rows."""
        columns = {name: column[chosen] for name, column in self.columns.items()}
        values = (each[chosen] for each in (self.runs, self.counts, self.means, self.squares))
        return Cells(columns, np.empty(0, int), *values)

    def joined(self) -> Cells:
        """The cells of all runs together: those that agree in all factors are one."""
        places, firsts = _alike([*self.columns.values()])
        counts = np.bincount(places, self.counts)
        means = np.bincount(places, self.counts * self.means) / counts
        squares = np.bincount(places, self.squares + self.counts * (self.means - means[places]) ** 2)
        columns = {name: column[firsts] for name, column in self.columns.items()}
        return Cells(columns, places[self.places], np.zeros(len(counts), int), counts, means, squares)


def cells_of(rows: Rows) -> Cells:
    """Gather rows into cells."""
    places, firsts = _alike([rows.runs, *rows.columns.values()])
    columns = {name: column[firsts] for name, column in rows.columns.items()}
    empty = np.zeros(len(firsts))
    whole = Cells(columns, places, rows.runs[firsts], np.bincount(places).astype(float), empty, empty)
    return whole.of(rows.values)


def _alike(columns: list[Array]) -> tuple[Array, Array]:
    """The number of each row's group of rows that agree in all columns, and the first row of each group."""
    whole, first = np.zeros(len(columns[0]), int), np.zeros(1, int)
    for column in columns:
        places = _numbered(column)
        # Numbered again each time, so that many factors do not exceed the 64 bits of a whole number.
        _, first, whole = np.unique(whole * (int(places.max(initial=0)) + 1) + places, True, True)
    return whole, first


def _numbered(column: Array) -> Array:
    """The place of each value among the different values."""
    values = column if column.dtype.kind in "fiub" else column.astype(str)
    return np.searchsorted(np.unique(values), values)


def factors_of(rows: Rows) -> tuple[list[Factor], dict[str, str]]:
    """The factors of a model, numbers first, and the columns that are left out.

    Returns:
        The factors; and by name why a column is not a factor: it does not vary, or it has too many levels.
    """
    factors, left_out = [], {}
    for name, column in rows.columns.items():
        values = sorted({*np.unique(column).tolist()} if column.dtype.kind == "f" else {*column.tolist()}, key=_order)
        if len(values) < 2:
            left_out[name] = f"it is always {text(values[0])}" if values else "it has no value"
        elif column.dtype.kind == "f":
            factors.append(Factor(name, "number", _some(values), name in rows.whole, rows.units.get(name)))
        elif len(values) > MOST_VALUES:
            left_out[name] = f"it has {len(values)} levels, and a factor has at most {MOST_VALUES}"
        else:
            flags = all(isinstance(value, bool) for value in values)
            factors.append(Factor(name, "flag" if flags else "text", tuple(values)))
    return sorted(factors, key=lambda factor: not factor.is_number), left_out


def _order(value: object) -> tuple[str, object]:
    return type(value).__name__, value


def _some(values: list[float]) -> tuple[float, ...]:
    if len(values) <= MOST_VALUES:
        return tuple(values)
    places = np.linspace(0, len(values) - 1, MOST_VALUES).round().astype(int)
    return tuple(values[place] for place in places)
