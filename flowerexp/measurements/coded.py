"""Columns by their different values, which are found once: rows are then compared and grouped by whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Coded:
    """A column of n rows.

    Attributes:
        values: the different ones, sorted; where these are some of the rows, others may be among them.
        places: the place of each row's value among them, of shape (n,); -1 for a row that has none.
    """

    values: Array
    places: Array

    @classmethod
    def of(cls, column: Array) -> Coded:
        """A column of numbers or texts, of shape (n,); NaN is no value."""
        values = np.unique(column)
        known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
        places = np.searchsorted(known, column)  # not by sorting all rows, which takes much memory
        return cls(known, places if len(known) == len(values) else np.where(places < len(known), places, -1))

    @classmethod
    def chosen(cls, values: Array, places: Array) -> Coded:
        """A column by a value for each of some numbers.

        Args:
            values: of shape (k,); several may be equal.
            places: the number of each row, of shape (n,); -1 for a row without a value.
        """
        own = cls.of(values)
        return cls(own.values, np.append(own.places, -1)[places])

    def __len__(self) -> int:
        return len(self.places)

    def where(self, chosen: Array) -> Coded:
        """The rows of a mask."""
        return Coded(self.values, self.places[chosen])

    def at(self, rows: Array) -> Array:
        """The values of some rows, all of which have one."""
        return np.asarray(self.values[self.places[rows]])

    @property
    def each(self) -> Array:
        """The value of each row, of shape (n,), if all have one."""
        return np.asarray(self.values[self.places])

    @property
    def known(self) -> Array:
        """Which rows have a value."""
        return np.asarray(self.places >= 0)

    @cached_property
    def present(self) -> Coded:
        """The same column, with those values alone that some row has; all rows must have one."""
        places, kept = compacted(self.places, len(self.values))
        return self if len(kept) == len(self.values) else Coded(self.values[kept], places)

    @property
    def varies(self) -> bool:
        """Whether rows have several values."""
        return len(self.present.values) > 1


def compacted(numbers: Array, count: int) -> tuple[Array, Array]:
    """Numbers from 0 without the ones that do not occur.

    Args:
        numbers: whole ones below `count`, of shape (n,).
        count: how many there may be.

    Returns:
        The place of each among those that occur, of shape (n,), and these, sorted.
    """
    present = np.flatnonzero(np.bincount(numbers, minlength=count))
    places = np.zeros(count, int)
    places[present] = np.arange(len(present))
    return places[numbers], present


def numbered(groups: Array) -> Array:
    """The same groups, numbered from 0 in their order, without numbers that do not occur.

    Args:
        groups: a whole number from 0 for each row, of shape (n,).
    """
    count = int(groups.max(initial=-1)) + 1
    return compacted(groups, count)[0] if count <= 4 * len(groups) else Coded.of(groups).places


def joined(columns: Sequence[Array], count: int) -> Array:
    """Number the groups of rows that are equal in all columns, from 0, in the order of the first column, then the next.

    Args:
        columns: whole numbers from 0, of shape (count,).
        count: how many rows there are.
    """
    whole = np.zeros(count, int)
    for places in columns:
        # Numbered again each time, so that many columns do not exceed the 64 bits of a whole number.
        whole = numbered(whole * (int(places.max(initial=0)) + 1) + places)
    return whole


def firsts(groups: Array) -> Array:
    """The first row of each group, by their numbers as `numbered` gives them."""
    found = np.empty(int(groups.max(initial=-1)) + 1, int)
    found[groups[::-1]] = np.arange(len(groups))[::-1]  # of several rows, the one that is written last stays
    return found
