"""Measurements as they are written for others to read: with the rates and the value that follow from each row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from flowerexp.measurements import write_whole
from flowerexp.measurements.table import DERIVED, Array, Measurements

_GROUP = 1 << 17  # rows that are compressed at a time, and held in memory until then


def with_rates(measured: Measurements) -> pyarrow.Table:
    """All columns as they are, and behind them what is derived: the rate, with parts the steady rate, and `value`.

    A column that the experiment itself has measured under such a name stays as it is. What is derived is marked, so
    that it is not taken for something that was measured when the table is read again.
    """
    table = measured.table
    for name, values in _derived(measured).items():
        if name not in table.column_names:
            column = pyarrow.array(values, pyarrow.float64(), mask=np.isnan(values))
            table = table.append_column(pyarrow.field(name, pyarrow.float64(), metadata=DERIVED), column)
    return table


def _derived(measured: Measurements) -> dict[str, Array]:
    experiment = measured.experiment
    found = {experiment.rate: measured.rates}
    if experiment.parts:
        found[f"steady_{experiment.rate}"] = _ratio(*measured.later)
    return {**found, "value": _ratio(*measured.value)}


def _ratio(over: Array, under: Array) -> Array:
    found = np.full(len(over), np.nan)
    np.divide(over, under, out=found, where=under > 0)
    return found


def write(measured: Measurements, path: Path) -> Path:
    """Write a table with its rates as Parquet.

    Raises:
        MachineError: the file cannot be written.
    """
    table = with_rates(measured)
    # Without dictionaries: for columns of measured numbers they take longer than all the rest, and more room.
    options = {"write_page_checksum": True, "row_group_size": _GROUP, "use_dictionary": False}
    written = write_whole(path, lambda aside: pyarrow.parquet.write_table(table, aside, **options))
    pyarrow.default_memory_pool().release_unused()
    return written
