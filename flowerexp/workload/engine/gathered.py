"""Gather the rows of a run, of this attempt and earlier ones: pass each on to a stream, and number them at the end."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from flowerexp.workload import report
from flowerexp.workload.engine.cells import Cell, Task, listed
from flowerexp.workload.engine.declared import Declared, Row
from flowerexp.workload.engine.stream import Stream, line_of, read

_RECENT = 64  # rows of a host that a new row is compared with, until all rows are there


class Gathered:
    """The rows of a run.

    Args:
        experiment: the run's experiment.
        earlier: the folders with rows of earlier attempts, which count as measured.
        stream: gets each new row.
    """

    def __init__(self, experiment: Declared, earlier: Sequence[str], stream: Stream) -> None:
        self._experiment = experiment
        self._stream = stream
        needed = (*experiment.grid, "repetition", "execution", "order", "seconds", "started_ns", "ended_ns", "host")
        self.rows: list[Row] = read(earlier, needed)
        for row in self.rows:
            row.setdefault("attempt", 1)
        self.earlier = len(self.rows)
        self._attempt = 1 + max([len(earlier), *(row["attempt"] for row in self.rows)])
        self._lock = threading.Lock()
        self._executions = Counter(map(self._key, self.rows))
        self._stopped = {self._key(row)[1:] for row in self.rows if row.get("censored")}
        self._recent: dict[str, deque[Row]] = defaultdict(lambda: deque(maxlen=_RECENT))

    def _key(self, row: Row) -> tuple[Any, ...]:
        return row["repetition"], *(row[name] for name in self._experiment.grid)

    def add(self, row: Row) -> None:
        """Add a row, from any thread. Columns that depend on later rows are not final in the stream."""
        with self._lock:
            row["attempt"] = self._attempt
            self._executions[self._key(row)] += 1
            row["execution"] = self._executions[self._key(row)]
            if row["censored"]:
                self._stopped.add(self._key(row)[1:])
            recent = self._recent[row["host"]]
            row["neighbours"] = sum(_overlap(row, other) for other in recent)
            recent.append(row)
            self.rows.append(row)
            self._stream.put(line_of(row))

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows; Spark's accumulator calls this in the driver."""
        for row in rows:
            self.add(row)

    def forget(self, tasks: Sequence[Task]) -> None:
        """Leave out, and report, rows of earlier attempts that do not belong to these measurements."""
        planned = {task.key for task in tasks}
        unplanned = [row for row in self.rows if self._key(row) not in planned]
        if unplanned:
            self.rows = [row for row in self.rows if self._key(row) in planned]
            self._stopped &= {task.cell.key for task in tasks}
            self.earlier = len(self.rows)
            report.note(f"{len(unplanned)} rows of earlier attempts are left out: their cells are not measured now")

    def missing(self, tasks: Iterable[Task]) -> list[Task]:
        """The measurements still to make: not measured yet, and not of a cell that exceeded the time limit."""
        with self._lock:
            return [task for task in tasks if task.key not in self._executions and task.cell.key not in self._stopped]

    def uncensored(self, tasks: Iterable[Task]) -> list[Task]:
        """The measurements of cells that did not exceed the time limit."""
        with self._lock:
            return [task for task in tasks if task.cell.key not in self._stopped]

    def report_censored(self) -> None:
        """Report the cells that were stopped, if any."""
        if self._stopped:
            stopped = sorted(self._stopped, key=str)
            cells = [Cell(dict(zip(self._experiment.grid, key, strict=True))) for key in stopped]
            report.note(
                f"cells that took longer than measure.max_seconds ({self._experiment.max_seconds:g} s) were stopped, "
                f"and their other repetitions are left out: {listed(cells)}"
            )
            report.fact("cells_censored", len(stopped))

    def numbered(self) -> list[Row]:
        """All rows, in the order of their measurements, the first executions first.

        Sets `execution`, which numbers the executions of a measurement by their start, and `neighbours`, the number of
        other measurements on the same host that overlapped.
        """
        with self._lock:
            ordered = sorted(self.rows, key=lambda row: (row["order"], row["attempt"], row["started_at"]))
        by_task: dict[tuple[Any, ...], int] = Counter()
        by_host: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for row in ordered:
            by_task[self._key(row)] += 1
            row["execution"] = by_task[self._key(row)]
            by_host[row["attempt"], row["host"]].append(row)
        for together in by_host.values():
            _count_neighbours(together)
        return sorted(ordered, key=lambda row: (row["execution"], row["order"]))


def _overlap(first: Row, second: Row) -> bool:
    return bool(first["started_ns"] < second["ended_ns"] and second["started_ns"] < first["ended_ns"])


def _count_neighbours(rows: list[Row]) -> None:
    """Set each row's `neighbours`: the number of measurements on the same host that overlapped it."""
    rows.sort(key=itemgetter("started_ns"))
    running: list[Row] = []
    for row in rows:
        running = [other for other in running if other["ended_ns"] > row["started_ns"]]
        row["neighbours"] = len(running)
        for other in running:
            other["neighbours"] += 1
        running.append(row)
