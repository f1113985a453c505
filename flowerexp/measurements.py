"""The record of a measurement: its columns, reading and keeping it, and rates that are sums over sums.

An entrypoint writes ``measurements.jsonl``, a JSON object a row. The rows of our own entrypoints hold the columns of
`COLUMNS`; any other entrypoint may yield any columns, and everything here works with those that are there.
"""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from flowerexp import records
from flowerexp.errors import DataError, from_os_error

Row = Mapping[str, Any]

COLUMNS = {
    "reader": "string",  # what was read: image_files, tfrecords
    "batch_size": "int64",  # images a batch
    "batch_number": "int64",  # batches that were asked for
    "repetition": "int64",  # from 1
    "execution": "int64",  # from 1; later ones read what the first has left in the page cache
    "order": "int64",  # position in the seeded order
    "images": "int64",  # counted, not computed
    "batches": "int64",  # counted; the last may be short
    "seconds": "double",  # the whole read loop; null where prepared data was reused
    "first_batch_seconds": "double",
    "first_batch_images": "int64",
    "waited_seconds": "double",  # for the slot, outside the measurement
    "neighbours": "int64",  # other measurements that overlapped this one on its host
    "page_cache": "string",  # cold, warm or unknown; remote: read from a bucket, where there is none
    "page_cache_fraction": "double",  # 0 to 1, of the bytes to be read
    "warm_up_reads": "int64",  # by this process before its first measurement, until they got no faster
    "warm_up_steady": "bool",  # whether they had stopped getting faster
    "load_before": "double",  # the host's load average of the minute before the measurement
    "host_cores": "int64",
    "memory_available_bytes": "int64",  # before the measurement
    "cpu_percent": "double",  # of the host, during the measurement: 100 is all of its cores
    "others_cpu_percent": "double",  # the part of it that the measuring process did not use; rough if short
    "net_bytes_s": "double",  # bytes a second over the host's network, during the measurement
    "disk_bytes_s": "double",  # bytes a second from and to the host's disks, during the measurement
    "host": "string",
    "pid": "int64",
    "started_at": "double",  # seconds since the epoch
    "started_ns": "int64",  # perf_counter_ns: comparable within one host
    "ended_ns": "int64",
    "file": "string",
    "partition": "int64",
    "bytes": "int64",
    "reused": "bool",
}
"""The columns that we know, with their Arrow types; they keep type and order whatever else a file holds."""

PARAMETERS = ("batch_size", "batch_number")
"""What the grid varies: a cell is one combination of these, for one reader."""


def load(path: Path) -> list[dict[str, Any]]:
    """Read ``measurements.jsonl``.

    Args:
        path: a file with a JSON object a line; empty lines are passed over.

    Raises:
        DataError: the file is missing or damaged; the message names the file and the line.
        MachineError: the file cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", hint="the run has left no measurements: see its log") from error
    except OSError as error:
        raise from_os_error(error, "reading the measurements") from error
    return [_parse(line, f"{path}, line {place}") for place, line in enumerate(lines, start=1) if line.strip()]


def _parse(line: bytes, where: str) -> dict[str, Any]:
    hint = "the file is damaged or was cut short: run the experiment again"
    try:
        row = json.loads(line)
    except ValueError as error:  # also bytes that are not UTF-8
        raise DataError(f"not a row of measurements: {error}", where=where, hint=hint) from error
    if not isinstance(row, dict):
        raise DataError(f"a row of measurements is a JSON object, and this is not: {row!r:.40}", where=where, hint=hint)
    return row


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` make a file beside `path`, and move it there when it is whole: no reader ever sees half a file.

    Raises:
        MachineError: the file cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        aside.replace(path)
    except OSError as error:
        error.filename = str(path)
        raise from_os_error(error, "writing") from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
    return path


def write_parquet(rows: Sequence[Row], path: Path) -> Path:
    """Write all rows, unchanged, as a Parquet table.

    Columns that we know come first, in our order and types; others follow as they appear: numbers as numbers, nested
    values and columns of several kinds as JSON text. A row that lacks a column has a null there.
    """
    import pyarrow
    import pyarrow.parquet

    found = dict.fromkeys(column for row in rows for column in row)
    names = [column for column in COLUMNS if column in found] + [column for column in found if column not in COLUMNS]
    arrays = []
    for name in names:
        values = [row.get(name) for row in rows]
        kind = _arrow_type(values, COLUMNS.get(name))
        as_text = kind == "string" and not all(isinstance(value, str | None) for value in values)
        cells = [json.dumps(value) if as_text and value is not None else value for value in values]
        arrays.append(pyarrow.array(cells, type=pyarrow.type_for_alias(kind)))
    table = pyarrow.Table.from_arrays(arrays, names=names)
    return write_whole(path, lambda aside: pyarrow.parquet.write_table(table, aside, write_page_checksum=True))


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> Any:
    """Read a Parquet table that `write_parquet` wrote.

    Args:
        path: the file's.
        columns: those to read, as far as they are there; all by default.

    Raises:
        DataError: it is damaged.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
            wanted = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
            return file.read(wanted)
    except (pyarrow.ArrowException, OSError) as error:
        raise records.damaged(path, " ".join(str(error).split())) from error


def check_parquet(path: Path) -> None:
    """Is a Parquet table's beginning and end as it should be? One that is not there is no damaged one.

    Raises:
        DataError: it is damaged.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        pyarrow.parquet.read_schema(path)
    except FileNotFoundError:
        return
    except (pyarrow.ArrowException, OSError) as error:
        raise records.damaged(path, " ".join(str(error).split())) from error


def _arrow_type(values: Iterable[Any], wanted: str | None) -> str:
    """The narrowest of Arrow's types that holds all values, but a known column's own type if that holds them too."""
    types = {_type_of(value) for value in values if value is not None}
    if wanted and types <= {wanted} | ({"int64"} if wanted == "double" else set()):
        return wanted
    if types and types <= {"int64", "double"}:
        return "double" if "double" in types else "int64"
    return types.pop() if len(types) == 1 else "string"


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64" if -(2**63) <= value < 2**63 else "string"
    return "double" if isinstance(value, float) else "string"


def first_executions(rows: Iterable[Row]) -> list[Row]:
    """The rows that analysis uses: an action that measures again reads what the first has left in the page cache.

    A row of an entrypoint that does not count executions is a first one.
    """
    return [row for row in rows if row.get("execution", 1) in (None, 1)]


def number(row: Row, column: str) -> float | None:
    """A column's value if it is a finite number, else None (also for true and false)."""
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def rate(row: Row) -> float | None:
    """Images per second of one measurement, or None where nothing was timed or counted."""
    return total_rate([row])


def total_rate(rows: Iterable[Row]) -> float | None:
    """Images per second over many measurements: sum of images over sum of seconds, never an average of rates."""
    pairs = [(number(row, "images"), number(row, "seconds")) for row in rows]
    timed = [(images, seconds) for images, seconds in pairs if images is not None and seconds and seconds > 0]
    return math.fsum(images for images, _ in timed) / math.fsum(seconds for _, seconds in timed) if timed else None


def by_cell(rows: Iterable[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by (reader, batch_size, batch_number); a parameter that a row lacks is None."""
    cells: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (str(row.get("reader")), *(number(row, parameter) for parameter in PARAMETERS))
        cells.setdefault(key, []).append(row)
    return cells


def spread(values: Collection[float]) -> float | None:
    """Interquartile range as a share of the median (quartiles by linear interpolation), or None below two values."""
    middle = statistics.median(values) if values else 0.0
    if len(values) < 2 or middle <= 0:
        return None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle


def repetition_spread(rows: Iterable[Row]) -> float | None:
    """How far repetitions of the same cell disagree: the median over cells of the `spread` of their rates."""
    cells = by_cell(row for row in rows if row.get("repetition") is not None).values()
    spreads = [spread([value for row in cell if (value := rate(row))]) for cell in cells]  # without failed ones
    known = [value for value in spreads if value is not None]
    return statistics.median(known) if known else None
