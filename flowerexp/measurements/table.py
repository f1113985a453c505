"""The table of a run's measurements: its columns, and the rates, series and cells that follow from them.

Everything is an array with a value for each row, of shape (n,); rows keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

import numpy as np
import pyarrow

from flowerexp.experiment import Experiment
from flowerexp.measurements.coded import Array, Coded, compacted, firsts, joined
from flowerexp.measurements.columns import AS_JSON, Columns, SomeRows
from flowerexp.measurements.series import series_of
from flowerexp.measurements.values import as_number

__all__ = ["AS_JSON", "DERIVED", "Array", "Measurements"]

DERIVED = {b"flowerexp": b"derived"}
"""The metadata of a column that follows from others, and is written for others to read: see `written`."""

_Arrays = TypeVar("_Arrays", Array, tuple[Array, Array])


class _OfEachRow(Generic[_Arrays]):
    """One or two arrays with a value for each row, which does not depend on other rows.

    It is computed once, of all rows; of some it is looked up each time, since many copies take much memory.
    """

    def __init__(self, compute: Callable[[Measurements], _Arrays]) -> None:
        self._compute: Callable[[Measurements], _Arrays] = compute
        self.__doc__ = compute.__doc__

    def __get__(self, measured: Measurements, _: object = None) -> _Arrays:
        whole, name = measured if measured.whole is None else measured.whole, self._compute.__name__
        if name not in whole.kept:
            whole.kept[name] = self._compute(whole)
        found = whole.kept[name]
        if measured is not whole:
            places = measured.places
            found = tuple(part[places] for part in found) if isinstance(found, tuple) else found[places]
        return cast("_Arrays", found)


class Measurements:
    """Measurements as columns.

    Attributes:
        experiment: what was measured, with the names of its columns.
        whole: if these are some of the rows, all of them.
        kept: what follows from each row of the whole, by name.
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
        self.experiment = experiment
        self.whole: Measurements | None = None
        self.kept: dict[str, Any] = {}
        self._columns = Columns(table.drop_columns(derived) if derived else table, experiment, lacking or {})

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def table(self) -> pyarrow.Table:
        """The columns."""
        return self._columns.table

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return self._columns.names

    def where(self, chosen: Array) -> Measurements:
        """The rows of a mask. They are looked up in the table of all rows, and not copied."""
        if chosen.all():
            return self
        places = np.flatnonzero(chosen) if self.whole is None else self.places[chosen]
        some = Measurements.__new__(Measurements)
        some.experiment, some.whole = self.experiment, self.whole if self.whole is not None else self
        some._columns = SomeRows(some.whole._columns, places)
        return some

    @property
    def places(self) -> Array:
        """Which rows of the `whole` these are."""
        return self._columns.places if isinstance(self._columns, SomeRows) else np.arange(len(self))

    def has(self, name: str) -> Array:
        """Which rows have a column, perhaps as a null."""
        return self._columns.has(name)

    def known(self, name: str) -> Array:
        """Which rows have a value in a column that is not null."""
        return self._columns.known(name)

    def numbers(self, name: str) -> Array:
        """A column's finite numbers; NaN for everything else, also for true and false."""
        return self._columns.numbers(name)

    def truths(self, name: str) -> Array:
        """A column of true and false: 1 is true, 0 is false, and -1 is neither."""
        return self._columns.truths(name)

    def texts(self, name: str) -> tuple[Array, list[str]]:
        """A column as text: the place of each row's text among the different ones, -1 for null; and these.

        True and false are written as in JSON.
        """
        return self._columns.texts(name)

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries, of all columns, with the values that the entrypoint gave."""
        return self._columns.rows()

    @cached_property
    def firsts(self) -> Measurements:
        """First executions, which analysis uses: an action that measures again finds the data in the page cache.

        A row of an entrypoint that does not count executions is a first execution.
        """
        return self.where(~self.known("execution") | (self.numbers("execution") == 1))

    @_OfEachRow
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

    @_OfEachRow
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

    @_OfEachRow
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

    @_OfEachRow
    def later(self) -> tuple[Array, Array]:
        """What each measurement counted after its first part, and the seconds for it; 0 if there is nothing more."""
        parts = self.experiment.parts
        rest = self.numbers(parts.column if parts and parts.column else "") > 1  # rows of other parts than the first
        more = self.counts - np.where(rest, 0, self.first_counts)
        longer = self.seconds - np.where(rest, 0, self.first_seconds)
        goes_on = (more > 0) & (longer > 0) & ~self.censored
        return np.where(goes_on, more, 0), np.where(goes_on, longer, 0)

    @_OfEachRow
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
        if self.whole is None:
            return series_of(self)
        series, present = compacted(self.whole.series[self.places], len(self.whole.series_names))
        return series, [self.whole.series_names[place] for place in present]

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
        """The number of each row's cell; and the first row of each cell, or of some rows the cell's number in all."""
        if self.whole is not None:
            return compacted(self.whole.cells[self.places], len(self.whole._cells[1]))
        numbers = [Coded.of(self.numbers(name)).places + 1 for name in self.experiment.numeric]
        cells = joined([self.series, *numbers], len(self))
        return cells, firsts(cells)

    @property
    def cells(self) -> Array:
        """The number of each row's cell, from 0: cells are sorted by series, then by the numeric parameters."""
        return self._cells[0]

    @cached_property
    def cell_keys(self) -> list[tuple[Any, ...]]:
        """The series and the numeric parameters of each cell; a parameter without a number is None."""
        found = self._cells[1]
        if self.whole is not None:
            return [self.whole.cell_keys[place] for place in found]
        columns = [[as_number(value) for value in self.numbers(name)[found]] for name in self.experiment.numeric]
        return list(zip([self.series_names[place] for place in self.series[found]], *columns, strict=True))

    @cached_property
    def gridded(self) -> Measurements:
        """The rows that have a numeric parameter."""
        known = np.zeros(len(self), bool)
        for name in self.experiment.numeric:
            known |= ~np.isnan(self.numbers(name))
        return self.where(known)
