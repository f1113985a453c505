"""The table of a run's measurements: its columns, and the rates, series and cells that follow from them.

Everything is an array with a value for each row, of shape (n,); rows keep their order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute

from flowerexp.experiment import Experiment
from flowerexp.measurements.series import series_of
from flowerexp.measurements.values import as_number, as_text

Array = np.ndarray[Any, Any]

AS_JSON = {b"flowerexp": b"json"}
"""The metadata of a column that holds values of several kinds, or nested ones, as JSON text."""
DERIVED = {b"flowerexp": b"derived"}
"""The metadata of a column that follows from others, and is written for others to read: see `written`."""


class Measurements:
    """Measurements as columns.

    Attributes:
        table: the columns.
        experiment: what was measured, with the names of its columns.
    """

    def __init__(
        self, table: pyarrow.Table, experiment: Experiment, lacking: Mapping[str, Array] | None = None
    ) -> None:
        """Take a table.

        Args:
            table: the columns.
            experiment: what was measured.
            lacking: by column, which rows lack it; all others have it, perhaps as a null.
        """
        derived = [field.name for field in table.schema if (field.metadata or {}).items() >= DERIVED.items()]
        self.table, self.experiment = table.drop_columns(derived) if derived else table, experiment
        self._lacking = lacking or {}
        self._numbers: dict[str, Array] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def names(self) -> list[str]:
        """The columns."""
        return list(self.table.column_names)

    def where(self, chosen: Array) -> Measurements:
        """The rows of a mask."""
        if chosen.all():
            return self
        lacking = {name: rows[chosen] for name, rows in self._lacking.items()}
        return Measurements(self.table.filter(pyarrow.array(chosen)), self.experiment, lacking)

    def has(self, name: str) -> Array:
        """Which rows have a column, perhaps as a null."""
        return ~self._lacking[name] if name in self._lacking else np.full(len(self), name in self.names)

    def _column(self, name: str) -> Any:
        if name in self.names:
            return self.table.column(name)
        # A run in which a parameter had its default alone, or that did not know it yet, has no column of it.
        default = getattr(self.experiment.parameters.get(name), "default", None)
        lacking = pyarrow.nulls(len(self)) if default is None else pyarrow.array([default] * len(self))
        return pyarrow.chunked_array([lacking])

    def _values(self, name: str) -> list[Any]:
        values = self._column(name).to_pylist()
        return [value and json.loads(value) for value in values] if self._is_json(name) else values

    def _is_json(self, name: str) -> bool:
        return name in self.names and (self.table.schema.field(name).metadata or {}).items() >= AS_JSON.items()

    def known(self, name: str) -> Array:
        """Which rows have a value in a column that is not null."""
        return np.asarray(self._column(name).is_valid())

    def numbers(self, name: str) -> Array:
        """A column's finite numbers; NaN for everything else, also for true and false."""
        if name not in self._numbers:
            values = self._read_numbers(name)
            finite = np.isfinite(values)
            self._numbers[name] = values if finite.all() else np.where(finite, values, np.nan)
        return self._numbers[name]

    def _read_numbers(self, name: str) -> Array:
        column = self._column(name)
        if pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type):
            return np.asarray(column.cast(pyarrow.float64(), safe=False))
        values = self._values(name) if self._is_json(name) else [None] * len(self)
        return np.array([value if type(value) in (int, float) else math.nan for value in values], float)

    def truths(self, name: str) -> Array:
        """A column of true and false: 1 is true, 0 is false, and -1 is neither."""
        column = self._column(name)
        if pyarrow.types.is_boolean(column.type):
            return np.asarray(column.cast(pyarrow.int8()).fill_null(-1))
        return np.array([int(value) if isinstance(value, bool) else -1 for value in self._values(name)], int)

    def texts(self, name: str) -> tuple[Array, list[str]]:
        """A column as text: the place of each row's text among the different ones, -1 for null; and these.

        True and false are written as in JSON.
        """
        column = self._column(name).combine_chunks().dictionary_encode()
        values = [value for value in column.dictionary.to_pylist() if value is not None]
        places = np.asarray(column.indices.fill_null(-1))
        return places, [as_text(json.loads(value) if self._is_json(name) else value) for value in values]

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries, of all columns, with the values that the entrypoint gave."""
        columns = [self._values(name) for name in self.names]
        return [dict(zip(self.names, values, strict=True)) for values in zip(*columns, strict=True)]

    @cached_property
    def firsts(self) -> Measurements:
        """First executions, which analysis uses: an action that measures again finds the data in the page cache.

        A row of an entrypoint that does not count executions is a first execution.
        """
        return self.where(~self.known("execution") | (self.numbers("execution") == 1))

    @cached_property
    def censored(self) -> Array:
        """Which measurements were stopped at their time limit: they have no rate."""
        return np.asarray(self.truths("censored") == 1)

    @cached_property
    def finished(self) -> Measurements:
        """The rows of measurements that were not stopped."""
        return self.where(~self.censored)

    @property
    def counts(self) -> Array:
        """How many units each measurement counted."""
        return self.numbers(self.experiment.count)

    @property
    def seconds(self) -> Array:
        """How long each measurement took."""
        return self.numbers("seconds")

    @property
    def parts(self) -> Array:
        """How many parts each measurement has: as counted, or else as planned; NaN if unknown."""
        counts, parts = np.full(len(self), np.nan), self.experiment.parts
        for name in (parts.count, parts.planned) if parts else ():
            counts = np.where(np.nan_to_num(counts), counts, self.numbers(name)) if name else counts
        return counts

    @property
    def first_counts(self) -> Array:
        """How many units each measurement counted in its first part; NaN if it has no parts."""
        return self.numbers(self.experiment.parts.first_count if self.experiment.parts else "")

    @property
    def first_seconds(self) -> Array:
        """How long the first part of each measurement took; NaN if it has no parts."""
        return self.numbers(self.experiment.parts.first_seconds if self.experiment.parts else "")

    @cached_property
    def rates(self) -> Array:
        """Each measurement's unit/s; NaN if nothing was timed or counted."""
        rates = np.full(len(self), np.nan)
        np.divide(self.counts, self.seconds, out=rates, where=(self.seconds > 0) & ~self.censored)
        return rates

    @cached_property
    def rated(self) -> Measurements:
        """The rows that have a rate, which may be 0."""
        return self.where(~np.isnan(self.rates))

    @cached_property
    def timed(self) -> Measurements:
        """The rows whose rate is above 0."""
        return self.where(self.rates > 0)

    @cached_property
    def later(self) -> tuple[Array, Array]:
        """What each measurement counted after its first part, and the seconds for it; 0 if there is nothing more."""
        parts = self.experiment.parts
        rest = self.numbers(parts.column if parts and parts.column else "") > 1  # rows of other parts than the first
        more = self.counts - np.where(rest, 0, self.first_counts)
        longer = self.seconds - np.where(rest, 0, self.first_seconds)
        goes_on = (more > 0) & (longer > 0) & ~self.censored
        return np.where(goes_on, more, 0), np.where(goes_on, longer, 0)

    @cached_property
    def value(self) -> tuple[Array, Array]:
        """The number that the experiment is about, as a numerator and a denominator; both are 0 where it is unknown.

        The value of many rows is always the sum of their numerators over the sum of their denominators: a rate is a
        count over seconds, and seconds or a column are averaged.
        """
        name = self.experiment.value.name
        if name == "steady_rate":
            return self.later
        over, under = (self.counts, self.seconds) if name == "rate" else (self.numbers(name), np.ones(len(self)))
        timed = (self.counts > 0) & (self.seconds > 0) if name in ("rate", "seconds") else ~np.isnan(over)
        known = timed & ~self.censored
        return np.where(known, over, 0), np.where(known, under, 0)

    @cached_property
    def valued(self) -> Measurements:
        """The rows that have the number that the experiment is about."""
        return self.where(self.value[1] > 0)

    @property
    def total_value(self) -> float | None:
        """The number that the experiment is about, over all rows; None if no row has it."""
        over, under = (part.sum() for part in self.value)
        return float(over / under) if under else None

    @property
    def total_rate(self) -> float | None:
        """Unit/s over all rows: a sum over a sum, never an average of rates; None if no row has a rate."""
        rated = self.rated
        return float(rated.counts.sum() / rated.seconds.sum()) if len(rated) else None

    @cached_property
    def _series(self) -> tuple[Array, list[str]]:
        return series_of(self)

    @property
    def series(self) -> Array:
        """The place of each row's series among `series_names`."""
        return self._series[0]

    @property
    def series_names(self) -> list[str]:
        """The names of the series, sorted: the values of their categorical parameters."""
        return self._series[1]

    @cached_property
    def by_series(self) -> dict[str, Measurements]:
        """The rows of each series."""
        return {name: self.where(self.series == place) for place, name in enumerate(self.series_names)}

    @cached_property
    def _cells(self) -> tuple[Array, Array]:
        """The number of each row's cell, and the first row of each cell."""
        whole = self.series
        for name in self.experiment.numeric:
            values, places = np.unique(np.nan_to_num(self.numbers(name), nan=-np.inf), return_inverse=True)
            whole = whole * len(values) + places
        _, first, cells = np.unique(whole, return_index=True, return_inverse=True)
        return cells, first

    @property
    def cells(self) -> Array:
        """The number of each row's cell, from 0: cells are sorted by series, then by the numeric parameters."""
        return self._cells[0]

    @cached_property
    def cell_keys(self) -> list[tuple[Any, ...]]:
        """The series and the numeric parameters of each cell; a parameter without a number is None."""
        first = self._cells[1]
        columns = [[as_number(value) for value in self.numbers(name)[first]] for name in self.experiment.numeric]
        return list(zip([self.series_names[place] for place in self.series[first]], *columns, strict=True))

    @cached_property
    def gridded(self) -> Measurements:
        """The rows that have a numeric parameter."""
        known = np.zeros(len(self), bool)
        for name in self.experiment.numeric:
            known |= ~np.isnan(self.numbers(name))
        return self.where(known)
