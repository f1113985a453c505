"""Read the rows that an entrypoint wrote into a table."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.json

from flowerexp.errors import DataError, from_os_error
from flowerexp.experiment import Experiment
from flowerexp.measurements import columns_of
from flowerexp.measurements.table import AS_JSON, Array, Measurements

_BLOCK = 8 << 20  # bytes that are read at a time: a file of a million rows has some 700 MB
_AT_ONCE = 2  # blocks that are read by threads of their own
_LONGEST = 1 << 30  # bytes of a row that Arrow reads
_KINDS = {"bool", "int64", "double", "string", "null"}
_LARGEST = 2.0**63  # beyond it Arrow turns a whole number into a float


def load(path: Path, experiment: Experiment) -> Measurements:
    """Read ``measurements.jsonl``.

    Args:
        path: a file with a JSON object on each line; empty lines are ignored.
        experiment: what was measured.

    Raises:
        DataError: the file is missing or damaged; the message names the file and the line.
        MachineError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            parts = [*_parts(file, path, experiment)]
            joined = _joined(parts, experiment)
            if joined is not None:
                pyarrow.default_memory_pool().release_unused()  # of a million rows, a quarter of a GB
                return joined
            file.seek(0)  # what all rows of a column have in common is seen in all of them together alone
            rows = [row for block, before in _blocks(file) for row in _rows(block, before, path)]
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", hint="the run wrote no measurements: see its log") from error
    except OSError as error:
        raise from_os_error(error, "reading the measurements") from error
    return from_rows(rows, experiment)


def _blocks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """A file's lines, some at a time, and how many lines are before them."""
    before = 0
    while block := file.read(_BLOCK) + file.readline():
        yield block, before
        before += block.count(b"\n")


def _parts(file: BinaryIO, path: Path, experiment: Experiment) -> Iterator[Measurements]:
    """The rows of each block, in order; Arrow reads several blocks at once, and few are in memory."""
    pending: deque[Future[Measurements]] = deque()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for block, before in _blocks(file):
            pending.append(pool.submit(_part, block, before, path, experiment))
            if len(pending) > _AT_ONCE:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _part(block: bytes, before: int, path: Path, experiment: Experiment) -> Measurements:
    found = _regular(block, columns_of(experiment))
    if found is not None:
        return Measurements(found[0], experiment, found[1])
    return from_rows(_rows(block, before, path), experiment)


def _rows(block: bytes, before: int, path: Path) -> list[dict[str, Any]]:
    lines = enumerate(block.split(b"\n"), start=before + 1)
    return [_parse(line, f"{path}, line {place}") for place, line in lines if line.strip()]


def _joined(parts: list[Measurements], experiment: Experiment) -> Measurements | None:
    """The rows of all parts, which it empties; None where a column has several kinds of values, or there is none."""
    names = _ordered(dict.fromkeys(name for part in parts for name in part.names), columns_of(experiment))
    found = {name: [part.table.schema.field(name) for part in parts if name in part.names] for name in names}
    schema = [field for fields in found.values() if (field := _common(fields)) is not None]
    if len(schema) < max(len(names), 1):
        return None
    has = {name: [part.has(name) for part in parts] for name in names}
    lacking = {name: ~np.concatenate(rows) for name, rows in has.items() if not all(map(np.all, rows))}
    tables = [part.table for part in parts]
    parts.clear()  # so that each column's parts can go as soon as it is whole
    columns = []
    for field in schema:
        pieces = [_column(table, field) for table in tables]
        # In one piece, so that its numbers are an array without being copied.
        columns.append(pyarrow.concat_arrays([chunk for piece in pieces for chunk in piece.chunks]))
        tables = [table.drop_columns([field.name]) if field.name in table.column_names else table for table in tables]
    return Measurements(pyarrow.table(columns, schema=pyarrow.schema(schema)), experiment, lacking)


def _column(table: pyarrow.Table, field: pyarrow.Field) -> pyarrow.ChunkedArray:
    """A field of a part of the rows; nulls if it lacks it."""
    if field.name in table.column_names:
        return table.column(field.name).cast(field.type, safe=False)  # as in `_read`
    return pyarrow.chunked_array([pyarrow.nulls(table.num_rows, field.type)])


def _common(fields: Sequence[pyarrow.Field]) -> pyarrow.Field | None:
    """The field that holds the values of all; None if only JSON text does, which takes the values as they were."""
    kinds = {"json" if field.metadata else str(field.type): field for field in fields if str(field.type) != "null"}
    if kinds.keys() == {"int64", "double"}:
        return kinds["double"]
    return None if len(kinds) > 1 else [*kinds.values(), *fields][0]


def _regular(content: bytes, known: Mapping[str, str]) -> tuple[pyarrow.Table, dict[str, Array]] | None:
    """The table and which rows lack a column, if Arrow reads it as Python does: rows of lines, columns of one kind."""
    # Without Arrow's threads: one that is still letting go of the bytes when Python ends aborts the process.
    options = pyarrow.json.ReadOptions(use_threads=False, block_size=min(len(content) + 1, _LONGEST))
    try:
        table = pyarrow.json.read_json(pyarrow.BufferReader(content), read_options=options)
        table.validate(full=True)  # checks that texts are UTF-8
        names = table.column_names
    except ValueError:  # as all of Arrow's errors are
        return None
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    if table.num_rows != lines or not names:
        return None
    columns = {name: _read(table.column(name), known.get(name)) for name in names}
    if any(column is None for column in columns.values()):
        return None
    lacking = _lacking(content, table)
    if lacking is None:
        return None
    return pyarrow.table({name: columns[name] for name in _ordered(names, known)}), lacking


def _lacking(content: bytes, table: pyarrow.Table) -> dict[str, Array] | None:
    """Which rows lack a column, by its name; None where that is not sure: for Arrow, a null is the same."""
    nulls = {name: np.asarray(table.column(name).is_null()) for name in table.column_names}
    marks = {name: f"{json.dumps(name)}:".encode() for name, rows in nulls.items() if rows.any()}
    marks = {name: mark for name, mark in marks.items() if content.count(mark) != len(table)}
    if marks and (b"\\u" in content or not all(name.isascii() and name.isidentifier() for name in marks)):
        return None  # a name may be spelled in several ways
    lines, lacking = content.removesuffix(b"\n").split(b"\n") if marks else [], {}
    for name, mark in marks.items():
        given = np.array([mark in line for line in lines])
        if any(mark[:-1] in lines[place] for place in np.flatnonzero(nulls[name] & ~given)):
            return None  # as a value, or with a space behind it
        lacking[name] = nulls[name] & ~given
    return lacking


def _read(column: Any, wanted: str | None) -> Any:
    """A column in its own type; None if Arrow has changed the values in the file."""
    kind = str(column.type)
    if wanted and (kind == "null" or (kind == "int64" and wanted == "double")):
        # Not safely: an integer beyond 2^53 becomes the nearest number, as in Python.
        return column.cast(pyarrow.type_for_alias(wanted), safe=False)
    if kind == "double" and (pyarrow.compute.max(pyarrow.compute.abs(column)).as_py() or 0) >= _LARGEST:
        return None
    return column if kind in _KINDS else None


def _parse(line: bytes, where: str) -> dict[str, Any]:
    hint = "the file is damaged or was cut short: run the experiment again"
    try:
        row = json.loads(line)
    except ValueError as error:  # also bytes that are not UTF-8
        raise DataError(f"not a row of measurements: {error}", where=where, hint=hint) from error
    if not isinstance(row, dict):
        raise DataError(f"a row of measurements is a JSON object, and this is not: {row!r:.40}", where=where, hint=hint)
    return row


def from_rows(rows: Sequence[Mapping[str, Any]], experiment: Experiment) -> Measurements:
    """Put rows into a table.

    Known columns come first, in their order and with their types; others follow as they appear: numbers as numbers,
    nested values and columns of several kinds as JSON text. A row that lacks a column has a null there.
    """
    fields, arrays, lacking = [], [], {}
    known = columns_of(experiment)
    for name in _ordered(dict.fromkeys(name for row in rows for name in row), known):
        values = [row.get(name) for row in rows]
        kind = _kind(values, known.get(name))
        if kind == "json":
            values = [None if value is None else json.dumps(value) for value in values]
        elif kind == "double":
            values = [None if value is None else float(value) for value in values]
        type_ = pyarrow.type_for_alias("string" if kind == "json" else kind)
        arrays.append(pyarrow.array(values, type=type_))
        fields.append(pyarrow.field(name, type_, metadata=AS_JSON if kind == "json" else None))
        absent = np.array([name not in row for row in rows])
        if absent.any():
            lacking[name] = absent
    table = pyarrow.table(arrays, schema=pyarrow.schema(fields))
    if not fields:  # rows of nothing are rows
        table = pyarrow.Table.from_struct_array(pyarrow.array(rows, pyarrow.struct([])))
    return Measurements(table, experiment, lacking)


def _ordered(names: Iterable[str], known: Iterable[str]) -> list[str]:
    given = [*names]
    return [name for name in known if name in given] + [name for name in given if name not in {*known}]


def _kind(values: Iterable[Any], wanted: str | None) -> str:
    """The narrowest kind that holds all values, or a known column's own kind if that holds them, too."""
    kinds = {_kind_of(value) for value in values if value is not None}
    if wanted and kinds <= {wanted} | ({"int64"} if wanted == "double" else set()):
        return wanted
    if kinds and kinds <= {"int64", "double"}:
        return "double" if "double" in kinds else "int64"
    return kinds.pop() if len(kinds) == 1 else "json" if kinds else "null"


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64" if -(2**63) <= value < 2**63 else "json"
    if isinstance(value, str):  # a lone surrogate is valid JSON, but not UTF-8
        return "string" if value.isascii() or value.encode("utf-8", "replace").decode() == value else "json"
    return "double" if isinstance(value, float) else "json"
