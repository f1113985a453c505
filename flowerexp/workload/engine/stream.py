"""Write rows while a run measures, and read them again: small files of JSON lines, each of which appears whole."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection, Sequence
from typing import Any

from flowerexp import storage
from flowerexp.workload import report

FOLDER = "rows"
"""The folder of the parts, below a run's output."""

_LOCAL_SECONDS, _BUCKET_SECONDS = 1.0, 10.0  # from one part to the next; in a local folder, the first is due at once

Row = dict[str, Any]


def line_of(row: Row) -> str:
    """A row as a line of JSON.

    Raises:
        TypeError: it holds a value that JSON does not have.
    """
    return json.dumps(row, separators=(",", ":")) + "\n"


class Stream:
    """Writes lines to numbered parts in a folder, in a separate thread: `with Stream(uri, keep) as stream`.

    Args:
        output: the run's folder or URI.
        keep: whether existing parts stay; else they are removed, like all results of an older attempt.
    """

    def __init__(self, output: str, keep: bool) -> None:
        self._folder = storage.join(output, FOLDER)
        self._keep = keep
        local = storage.is_local(output)
        self._pause = _LOCAL_SECONDS if local else _BUCKET_SECONDS
        self._due = time.monotonic() + (0.0 if local else self._pause)
        self._number = 0
        self._lines: list[str] = []
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._waiting, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, daemon=True)
        self._problem = ""

    def put(self, line: str) -> None:
        """Let a line be written soon."""
        with self._lock:
            self._lines.append(line)
        self._waiting.set()

    def take_back(self, lines: Collection[str]) -> None:
        """Remove lines that were put, also from the parts that hold them already."""
        with self._writing:
            with self._lock:
                self._lines = [line for line in self._lines if line not in lines]
            try:
                for part in _parts(self._folder):
                    written = storage.read_bytes(part.uri).decode().splitlines(keepends=True)
                    kept = [line for line in written if line not in lines]
                    if len(kept) < len(written):
                        storage.write_bytes(part.uri, "".join(kept).encode(), durable=False)
            except Exception as error:  # of a disk or a bucket; the run itself can go on
                report.note(
                    f"rows that do not count are still in {self._folder}, and would count in a resumed run: {error}"
                )

    def __enter__(self) -> Stream:
        for entry in _parts(self._folder):
            if self._keep:
                self._number = max(self._number, int(entry.relative.partition(".")[0]))
            else:
                storage.remove(entry.uri)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._waiting.set()
        self._thread.join()
        self._write()
        if self._problem:
            report.note(f"rows could not be written while measuring, but only at the end: {self._problem}")

    def _keep_writing(self) -> None:
        while not self._end.is_set():  # looked at after `clear`: the end may have come just before it
            self._waiting.wait()
            if self._end.wait(max(0.0, self._due - time.monotonic())):
                return
            self._waiting.clear()
            self._write()
            self._due = time.monotonic() + self._pause

    def _write(self) -> None:
        with self._writing:
            self._write_part()

    def _write_part(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if not lines:
            return
        uri = storage.join(self._folder, f"{self._number + 1:05d}.jsonl")
        try:
            storage.write_bytes(uri, "".join(lines).encode(), durable=False)
            self._number += 1
        except Exception as error:  # of a disk or a bucket; the run itself can go on
            self._problem = str(error)
            with self._lock:
                self._lines[:0] = lines


def _parts(folder: str) -> list[storage.Entry]:
    try:
        entries = list(storage.list_files(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(
        (entry for entry in entries if entry.relative.removesuffix(".jsonl").isdigit()),
        key=lambda entry: (len(entry.relative), entry.relative),
    )


def read(folders: Sequence[str], needed: Sequence[str]) -> list[Row]:
    """The rows in the parts of some folders, each once; a damaged part is left out and reported.

    Args:
        folders: paths or URIs; a folder that does not exist has no rows.
        needed: the keys that every row must have.
    """
    rows: dict[str, Row] = {}
    for folder in dict.fromkeys(folders):
        try:
            parts = _parts(folder)
        except OSError as error:
            report.note(f"rows of an earlier attempt are left out: {error}")
            continue
        for part in parts:
            try:
                rows |= _rows_of(part.uri, needed)
            except (OSError, ValueError) as error:
                report.note(f"rows of an earlier attempt are left out, and measured again: {part.uri}: {error}")
    return list(rows.values())


def _rows_of(uri: str, needed: Sequence[str]) -> dict[str, Row]:
    rows = {line: json.loads(line) for line in storage.read_bytes(uri).decode().splitlines()}
    for row in rows.values():
        if not isinstance(row, dict) or any(key not in row for key in needed):
            raise ValueError("damaged: a row lacks a key that every row has")
    return rows
