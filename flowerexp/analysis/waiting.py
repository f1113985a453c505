"""When did tasks wait for a measuring slot? Spark's event log counts that as work; rows of measurements say when."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from flowerexp.analysis.event_log import EventLog, Task

_PRECISION = 0.002
"""Seconds by which the times of a log and of rows may differ, whose clock is the same: a log counts milliseconds."""


@dataclass(frozen=True, slots=True)
class Span:
    """When a measurement took place: its host and process, its start in epoch seconds, and how long it took."""

    host: str
    pid: int
    started: float
    seconds: float
    waited: float

    @property
    def ended(self) -> float:
        """Epoch seconds."""
        return self.started + self.seconds


def with_waits(log: EventLog, measured: Iterable[Span]) -> EventLog:
    """An event log whose tasks say when they waited for a measuring slot.

    A task waits before each of its measurements: from its own start, or from the end of the measurement before.

    Args:
        log: the log of the measurements' job.
        measured: the measurements, in any order; those of a driver belong to no task and change nothing.
    """
    rows = sorted((span for span in measured if math.isfinite(span.ended)), key=lambda span: span.started)
    if not any(row.waited > _PRECISION for row in rows):
        return log
    waits: dict[int, list[tuple[float, float]]] = {}
    free: dict[int, float] = {}
    for row, place in zip(rows, _tasks_of(rows, log), strict=True):
        if place is None:
            continue
        since = free.get(place, log.tasks[place].started)
        if row.waited > _PRECISION:
            waits.setdefault(place, []).append((since, max(since, min(since + row.waited, row.started))))
        free[place] = row.ended
    tasks = [
        replace(task, waits=tuple(waits[place])) if place in waits else task for place, task in enumerate(log.tasks)
    ]
    return replace(log, tasks=tasks)


def _tasks_of(rows: Sequence[Span], log: EventLog) -> list[int | None]:
    """The place of each row's task in the log.

    Several tasks of a host can last through a measurement, of which the others wait for their turn. The task of a
    process's last measurement is the one that ends first after it. So it is with the ones before, unless the task of
    the process's next measurement lasts through them too: then it made both. A task runs in one process.
    """
    candidates = [*_lasting_through(rows, log)]
    chosen: list[int | None] = [None] * len(rows)
    following: dict[tuple[str, int], int] = {}
    owners: dict[int, tuple[str, int]] = {}
    for number in range(len(rows) - 1, -1, -1):
        process = (rows[number].host, rows[number].pid)
        possible = [place for place in candidates[number] if owners.get(place, process) == process]
        if possible:
            earliest = min(possible, key=lambda place: log.tasks[place].ended)
            place = following[process] if following.get(process) in possible else earliest
            chosen[number] = following[process] = place
            owners[place] = process
    return chosen


def _lasting_through(rows: Sequence[Span], log: EventLog) -> Iterator[list[int]]:
    """For each row, sorted by their start, the tasks of its host that last from its start to its end."""
    order = sorted(range(len(log.tasks)), key=lambda place: log.tasks[place].started)
    running: list[int] = []
    coming = 0
    for row in rows:
        while coming < len(order) and log.tasks[order[coming]].started <= row.started + _PRECISION:
            running.append(order[coming])
            coming += 1
        running = [place for place in running if log.tasks[place].ended > row.started]
        lasting = [place for place in running if log.tasks[place].ended >= row.ended - _PRECISION]
        # A cluster may know its hosts by other names than they do themselves.
        here = [place for place in lasting if _alike(log.tasks[place], row)]
        yield here or lasting


def _alike(task: Task, row: Span) -> bool:
    return task.host.partition(".")[0] == row.host.partition(".")[0]
