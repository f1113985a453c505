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
from flowerexp.workload.engine.losses import Loss
from flowerexp.workload.engine.stream import Stream, line_of, read

_RECENT = 64  # rows of a host that a new row is compared with, until all rows are there


class Gathered:
    """The rows of a run.

    Args:
        experiment: the run's experiment.
        earlier: the folders with rows of earlier attempts, which count as measured.
        stream: gets each new row.

    Attributes:
        rows: all rows so far.
        earlier: how many of them are of earlier attempts.
        taken_out: how many were taken out again, since they were disturbed.
    """

    def __init__(self, experiment: Declared, earlier: Sequence[str], stream: Stream) -> None:
        self._experiment = experiment
        self._stream = stream
        times = ("seconds", "started_at", "started_ns", "ended_ns")
        needed = (*experiment.grid, "repetition", "execution", "order", *times, "host")
        self.rows: list[Row] = read(earlier, needed)
        for row in self.rows:
            row.setdefault("attempt", 1)
        self.taken_out = 0
        self._attempt = 1 + max([len(earlier), *(row["attempt"] for row in self.rows)])
        self._lock = threading.Lock()
        self._leave_out_unfinished()
        self._executions = Counter(map(self._row_key, self.rows))
        self._stopped = {self._key(row)[1:] for row in self.rows if row.get("censored")}
        self._recent: dict[str, deque[Row]] = defaultdict(lambda: deque(maxlen=_RECENT))
        self._discarded: Counter[tuple[Any, ...]] = Counter()
        self._because: dict[str, None] = {}

    def _key(self, row: Row) -> tuple[Any, ...]:
        return row["repetition"], *(row[name] for name in self._experiment.grid)

    def _row_key(self, row: Row) -> tuple[Any, ...]:
        """The measurement's key and, where parts are rows of their own, the part's number."""
        return *self._key(row), *([row[parts.column]] if (parts := self._experiment.parts) else ())

    def _leave_out_unfinished(self) -> None:
        """Leave out, and report, parts of earlier attempts whose measurement was not finished: it is made again."""
        if parts := self._experiment.parts:
            made = Counter(map(self._key, self.rows))
            whole = [row for row in self.rows if made[self._key(row)] >= row[parts.planned] or row.get("censored")]
            if len(whole) < len(self.rows):
                report.note(
                    f"{len(self.rows) - len(whole)} rows of earlier attempts are left out: their measurement was cut "
                    "short, and is made again"
                )
            self.rows = whole
        self.earlier = len(self.rows)

    def add(self, row: Row) -> None:
        """Add a row, from any thread. Columns that depend on later rows are not final in the stream."""
        with self._lock:
            row["attempt"] = self._attempt
            self._executions[self._row_key(row)] += 1
            row["execution"] = self._executions[self._row_key(row)]
            if before := self._discarded.pop(self._key(row), 0):
                row["discarded"] = row.get("discarded", 0) + before
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

    def discard(self, task: Task, because: str) -> None:
        """Count a measurement that was made and is not added, so that it is still missing.

        Args:
            task: the measurement.
            because: why it does not count.
        """
        with self._lock:
            self._discarded[task.key] += 1
            self._because[because] = None

    def discard_during(self, lost: Sequence[Loss]) -> None:
        """Take the rows of this attempt out again during which an executor was lost; they are missing again."""
        with self._lock:
            self._because.update(dict.fromkeys(map(str, lost)))
            disturbed = [row for row in self.rows if row["attempt"] == self._attempt and _is_disturbed(row, lost)]
            if self._experiment.parts:  # a part does not count without the others
                keys = {self._key(row) for row in disturbed}
                disturbed = [row for row in self.rows if row["attempt"] == self._attempt and self._key(row) in keys]
            for row in disturbed:
                if not self._experiment.parts or row[self._experiment.parts.column] == 1:  # a measurement counts once
                    self._discarded[self._key(row)] += 1 + row.get("discarded", 0)
            lines = self._taken_out(disturbed)
        if lines:
            self._stream.take_back(lines)

    def withdraw(self, task: Task) -> None:
        """Take the parts of a measurement out again that were added, since it does not count."""
        with self._lock:
            parts = [row for row in self.rows if row["attempt"] == self._attempt and self._key(row) == task.key]
            lines = self._taken_out(parts)
        if lines:
            self._stream.take_back(lines)

    def _taken_out(self, disturbed: Sequence[Row]) -> set[str]:
        """Take rows out; returns their lines."""
        for row in disturbed:
            self._executions[self._row_key(row)] -= 1
        self._executions = +self._executions  # without those of which none is left
        self.rows = [row for row in self.rows if not any(row is other for other in disturbed)]
        self._stopped = {self._key(row)[1:] for row in self.rows if row.get("censored")}
        self.taken_out += len(disturbed)
        return {line_of(row) for row in disturbed}

    def forget(self, tasks: Sequence[Task]) -> None:
        """Leave out, and report, rows of earlier attempts that belong neither to these measurements nor to a round."""
        planned, cells = {task.key for task in tasks}, {task.cell.key for task in tasks}

        def belongs(row: Row) -> bool:
            repetition, *cell = key = self._key(row)
            later = self._experiment.until is not None and repetition > self._experiment.repetitions
            return key in planned or (later and tuple(cell) in cells)

        unplanned = [row for row in self.rows if not belongs(row)]
        if unplanned:
            self.rows = [row for row in self.rows if belongs(row)]
            self._stopped &= cells
            self.earlier = len(self.rows)
            report.note(f"{len(unplanned)} rows of earlier attempts are left out: their cells are not measured now")

    def missing(self, tasks: Iterable[Task]) -> list[Task]:
        """The measurements still to make: not measured yet, and not of a cell that exceeded the time limit."""
        with self._lock:
            parts = self._experiment.parts is not None
            made = {key[:-1] for key in self._executions} if parts else self._executions.keys()
            return [task for task in tasks if task.key not in made and task.cell.key not in self._stopped]

    def uncensored(self, tasks: Iterable[Task]) -> list[Task]:
        """The measurements of cells that did not exceed the time limit."""
        with self._lock:
            return [task for task in tasks if task.cell.key not in self._stopped]

    def spent(self) -> float:
        """The seconds from the first measurement to the end of the last one; of each attempt, if there were several."""
        with self._lock:
            spans: dict[int, list[float]] = {}
            for row in self.rows:
                first, last = spans.get(row["attempt"], (float("inf"), 0.0))
                started = row["started_at"]
                spans[row["attempt"]] = [min(first, started), max(last, started + row["seconds"])]
        return sum(last - first for first, last in spans.values())

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

    def report_discarded(self) -> None:
        """Report the measurements that were discarded and made again, and why, if any were."""
        count = sum(row.get("discarded", 0) for row in self.rows)
        if count:
            report.fact("measurements_discarded", count)
        if self._because:
            made = f"{count} measurement{' was' if count == 1 else 's were'} discarded and made again"
            report.note(f"{made if count else 'while nothing was measured'}: {'; '.join(self._because)}")

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
            by_task[self._row_key(row)] += 1
            row["execution"] = by_task[self._row_key(row)]
            by_host[row["attempt"], row["host"]].append(row)
        for together in by_host.values():
            _count_neighbours(together)
        return sorted(ordered, key=lambda row: (row["execution"], row["order"]))


def _is_disturbed(row: Row, lost: Sequence[Loss]) -> bool:
    return any(loss.is_during(row) for loss in lost)


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
