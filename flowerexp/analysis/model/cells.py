"""Measurements as cells: of rows whose factors agree, a linear model needs only their number, mean and spread.

So a model of a million rows is fitted to a few hundred cells, with the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flowerexp.analysis.model.factors import MOST_VALUES, Factor, text
from flowerexp.measurements.coded import Array, Coded, firsts, joined, numbered


@dataclass(frozen=True)
class Rows:
    """The measurements that a model is fitted to.

    Attributes:
        columns: the values of each factor: floats, or objects for a factor with levels. All rows have one.
        values: the measured ones, finite.
        runs: the number of the run of each, from 0.
        units: of factors that have one.
        whole: the factors whose numbers are whole.
    """

    columns: Mapping[str, Coded]
    values: Array
    runs: Array
    units: Mapping[str, str]
    whole: frozenset[str] = frozenset()

    def where(self, chosen: Array) -> Rows:
        """The rows of a mask."""
        if chosen.all():
            return self
        columns = {name: column.where(chosen) for name, column in self.columns.items()}
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

    def settings(self, together: Cells) -> Array:
        """The group of each of the cells of all runs `together`: those of runs of the same config.

        Each is alone if there is one run. The factors of runs are the columns that do not vary within any run.
        """
        runs = numbered(self.runs)
        if runs.max(initial=0) < 1:
            return np.arange(len(together.means))
        first = firsts(runs)[runs]
        of_runs = [together.columns[name] for name, column in self.columns.items() if (column == column[first]).all()]
        return joined([Coded.of(column).places for column in of_runs], len(together.means))

    def some(self, most: int) -> Array:
        """The places of all cells, or of a seeded sample where there are more than `most`."""
        count = len(self.means)
        return np.arange(count) if count <= most else np.sort(np.random.default_rng(0).choice(count, most, False))

    def at(self, chosen: Array) -> Cells:
        """Some of the cells, without the rows."""
        columns = {name: column[chosen] for name, column in self.columns.items()}
        values = (each[chosen] for each in (self.runs, self.counts, self.means, self.squares))
        return Cells(columns, np.empty(0, int), *values)

    def together(self) -> Cells:
        """The cells of all runs together: those that agree in all factors are one."""
        places = joined([Coded.of(column).places for column in self.columns.values()], len(self.means))
        counts = np.bincount(places, self.counts)
        means = np.bincount(places, self.counts * self.means) / counts
        squares = np.bincount(places, self.squares + self.counts * (self.means - means[places]) ** 2)
        rows = firsts(places)
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Cells(columns, places[self.places], np.zeros(len(counts), int), counts, means, squares)


def cells_of(rows: Rows) -> Cells:
    """Gather rows into cells."""
    places = joined([rows.runs, *(column.places for column in rows.columns.values())], len(rows.values))
    first = firsts(places)
    columns = {name: column.at(first) for name, column in rows.columns.items()}
    empty = np.zeros(len(first))
    whole = Cells(columns, places, rows.runs[first], np.bincount(places).astype(float), empty, empty)
    return whole.of(rows.values)


def factors_of(rows: Rows) -> tuple[list[Factor], dict[str, str]]:
    """The factors of a model, numbers first, and the columns that are left out.

    Returns:
        The factors; and by name why a column is not a factor: it does not vary, or it has too many levels.
    """
    factors, left_out = [], {}
    for name, column in rows.columns.items():
        values = sorted(column.present.values.tolist(), key=_order)
        if len(values) < 2:
            left_out[name] = f"it is always {text(values[0])}" if values else "it has no value"
        elif column.values.dtype.kind == "f":
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
