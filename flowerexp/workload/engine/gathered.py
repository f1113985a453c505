"""The rows of a run, of this attempt and of earlier ones: each goes on to a stream as it comes; numbered at the end."""

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

_RECENT = 64  # rows of a host that one which comes is compared with, until all are there


class Gathered:
    """The rows of a run.

    Args:
        experiment: the run's.
        earlier: the folders of rows of earlier attempts, which count as measured.
        stream: where rows go as they come.
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
        self._recent: dict[str, deque[Row]] = defaultdict(lambda: deque(maxlen=_RECENT))

    def _key(self, row: Row) -> tuple[Any, ...]:
        return row["repetition"], *(row[name] for name in self._experiment.grid)

    def add(self, row: Row) -> None:
        """Take a row; called in any thread. What depends on rows that come later is not final in the stream."""
        with self._lock:
            row["attempt"] = self._attempt
            self._executions[self._key(row)] += 1
            row["execution"] = self._executions[self._key(row)]
            recent = self._recent[row["host"]]
            row["neighbours"] = sum(_overlap(row, other) for other in recent)
            recent.append(row)
            self.rows.append(row)
            self._stream.put(line_of(row))

    def extend(self, rows: Iterable[Row]) -> None:
        """Take rows: what an accumulator of Spark's calls in the driver."""
        for row in rows:
            self.add(row)

    def forget(self, tasks: Sequence[Task]) -> None:
        """Leave out rows of earlier attempts that are none of these measurements; says so."""
        planned = {task.key for task in tasks}
        strangers = [row for row in self.rows if self._key(row) not in planned]
        if strangers:
            self.rows = [row for row in self.rows if self._key(row) in planned]
            self.earlier = len(self.rows)
            report.note(f"{len(strangers)} rows of earlier attempts are left out: their cells are not measured now")

    def missing(self, tasks: Iterable[Task]) -> list[Task]:
        """The measurements that are to be made: neither measured, nor of a cell that takes longer than it may."""
        with self._lock:
            done, censored = set(map(self._key, self.rows)), self._censored()
        return [task for task in tasks if task.key not in done and task.cell.key not in censored]

    def uncensored(self, tasks: Iterable[Task]) -> list[Task]:
        """The measurements whose cells take no longer than they may."""
        with self._lock:
            censored = self._censored()
        return [task for task in tasks if task.cell.key not in censored]

    def _censored(self) -> set[tuple[Any, ...]]:
        return {self._key(row)[1:] for row in self.rows if row.get("censored")}

    def tell_censored(self) -> None:
        """Say which cells were stopped, if any were."""
        censored = sorted(self._censored(), key=str)
        if censored:
            cells = [Cell(dict(zip(self._experiment.grid, key, strict=True))) for key in censored]
            report.note(
                f"cells that took longer than measure.max_seconds ({self._experiment.max_seconds:g} s) were stopped, "
                f"and their other repetitions left out: {listed(cells)}"
            )
            report.fact("cells_censored", len(censored))

    def numbered(self) -> list[Row]:
        """All rows, in the order of their measurements, the first executions first.

        The executions of a measurement are numbered by their start; of each row it is counted how many others
        overlapped it on its host.
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


def _overlap(one: Row, other: Row) -> bool:
    return bool(one["started_ns"] < other["ended_ns"] and other["started_ns"] < one["ended_ns"])


def _count_neighbours(rows: list[Row]) -> None:
    """Set each row's `neighbours`: measurements of the same host whose time overlapped its own."""
    rows.sort(key=itemgetter("started_ns"))
    running: list[Row] = []
    for row in rows:
        running = [other for other in running if other["ended_ns"] > row["started_ns"]]
        row["neighbours"] = len(running)
        for other in running:
            other["neighbours"] += 1
        running.append(row)
