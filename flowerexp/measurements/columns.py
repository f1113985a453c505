"""The columns of a table of measurements: as numbers, as truths and as texts, of all rows or of some."""

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
from flowerexp.measurements.coded import Array
from flowerexp.measurements.values import as_text

AS_JSON = {b"flowerexp": b"json"}
"""The metadata of a column that holds values of several kinds, or nested ones, as JSON text."""


class Columns:
    """The columns of all rows.

    Args:
        table: the columns.
        experiment: what was measured.
        lacking: by column, which rows lack it.
    """

    def __init__(self, table: pyarrow.Table, experiment: Experiment, lacking: Mapping[str, Array]) -> None:
        self.table, self._experiment, self._lacking = table, experiment, lacking
        self._numbers: dict[str, Array] = {}
        self._texts: dict[str, tuple[Array, list[str]]] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self.table.column_names)

    def has(self, name: str) -> Array:
        """Which rows have a column, perhaps as a null."""
        return ~self._lacking[name] if name in self._lacking else np.full(len(self), name in self.names)

    def _column(self, name: str) -> Any:
        if name in self.names:
            return self.table.column(name)
        # A run in which a parameter had its default alone, or that did not know it yet, has no column of it.
        default = getattr(self._experiment.parameters.get(name), "default", None)
        lacking = pyarrow.nulls(len(self)) if default is None else pyarrow.repeat(default, len(self))
        return pyarrow.chunked_array([lacking])

    def _values(self, name: str) -> list[Any]:
        values = self._column(name).to_pylist()
        return [value and json.loads(value) for value in values] if self.is_json(name) else values

    def is_json(self, name: str) -> bool:
        """Whether a column holds JSON text."""
        return name in self.names and (self.table.schema.field(name).metadata or {}).items() >= AS_JSON.items()

    def _has_numbers(self, name: str) -> bool:
        kind = self._column(name).type
        return pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or self.is_json(name)

    def known(self, name: str) -> Array:
        """Which rows have a value in a column that is not null."""
        return np.asarray(self._column(name).is_valid())

    def numbers(self, name: str) -> Array:
        """A column's finite numbers; NaN for everything else, also for true and false."""
        if not self._has_numbers(name):
            return np.broadcast_to(np.nan, len(self))  # which takes no memory
        if name not in self._numbers:
            values = self._read_numbers(name)
            finite = np.isfinite(values)
            self._numbers[name] = values if finite.all() else np.where(finite, values, np.nan)
        return self._numbers[name]

    def _read_numbers(self, name: str) -> Array:
        if not self.is_json(name):
            return np.asarray(self._column(name).cast(pyarrow.float64(), safe=False))
        return np.array([value if type(value) in (int, float) else math.nan for value in self._values(name)], float)

    def truths(self, name: str) -> Array:
        """A column of true and false: 1 is true, 0 is false, and -1 is neither."""
        column = self._column(name)
        if pyarrow.types.is_boolean(column.type):
            return np.asarray(column.cast(pyarrow.int8()).fill_null(-1))
        if not self.is_json(name):
            return np.full(len(self), -1)
        return np.array([int(value) if isinstance(value, bool) else -1 for value in self._values(name)], int)

    def texts(self, name: str) -> tuple[Array, list[str]]:
        """A column as text: see `Measurements.texts`."""
        if name not in self._texts:
            column = self._column(name).combine_chunks().dictionary_encode()
            values = [value for value in column.dictionary.to_pylist() if value is not None]
            texts = [as_text(json.loads(value) if self.is_json(name) else value) for value in values]
            # A column that was read by its different values may have them in another order, and more of them.
            self._texts[name] = _as_they_come(np.asarray(column.indices.fill_null(-1)), texts)
        return self._texts[name]

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        columns = [self._values(name) for name in self.names]
        return [dict(zip(self.names, values, strict=True)) for values in zip(*columns, strict=True)]


class SomeRows(Columns):
    """The columns of some rows. Nothing is copied before it is asked for.

    Args:
        whole: the columns of all rows.
        places: the rows, in their order.
    """

    def __init__(self, whole: Columns, places: Array) -> None:
        self._whole, self.places = whole, places

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def table(self) -> pyarrow.Table:
        """The columns."""
        return self._whole.table.take(pyarrow.array(self.places))

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return self._whole.names

    def is_json(self, name: str) -> bool:
        """Whether a column holds JSON text."""
        return self._whole.is_json(name)

    def has(self, name: str) -> Array:
        """Which rows have a column, perhaps as a null."""
        return np.asarray(self._whole.has(name)[self.places])

    def known(self, name: str) -> Array:
        """Which rows have a value in a column that is not null."""
        return np.asarray(self._whole.known(name)[self.places])

    def numbers(self, name: str) -> Array:
        """A column's finite numbers."""
        return np.asarray(self._whole.numbers(name)[self.places])

    def truths(self, name: str) -> Array:
        """A column of true and false."""
        return np.asarray(self._whole.truths(name)[self.places])

    def texts(self, name: str) -> tuple[Array, list[str]]:
        """The same, in the order in which these rows have them."""
        places, texts = self._whole.texts(name)
        return _as_they_come(places[self.places], texts)


def _as_they_come(places: Array, texts: list[str]) -> tuple[Array, list[str]]:
    """Places and texts in the order in which rows have them, without texts of no row."""
    first = np.full(len(texts) + 1, len(places))
    first[places[::-1]] = np.arange(len(places))[::-1]
    order = np.argsort(first[:-1], kind="stable")
    present = order[first[order] < len(places)]
    ranks = np.full(len(texts) + 1, -1, places.dtype)
    ranks[present] = np.arange(len(present))
    return ranks[places], [texts[place] for place in present]
