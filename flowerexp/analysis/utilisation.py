"""How busy were executors, by phase and over time, and how long did tasks wait for their turn to measure?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowerexp.analysis.event_log import EventLog, Executor, Task

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

OTHER = "other"
"""The name of what tasks did outside of all phases."""


@dataclass(frozen=True)
class Use:
    """How a part of an application used its executors. Seconds are sums over tasks, except `seconds`.

    Attributes:
        tasks: how many ran, failed ones included.
        seconds: from the first task's start to the last one's end.
        busy: the share of the cores' time in which they had a task that did not wait for a measuring slot, 0 to 1.
        waiting: the share in which they had one that did.
        parallel: how many tasks worked at once, on average, without those that waited.
        executors: how many there were.
        working: how many of them had a task.
        largest: the share of the work that the busiest executor did.
        run: executor run time.
        gc: the part of it for garbage collection in the JVM.
        scheduling: scheduling delay.
        shuffle_read: bytes.
        shuffle_written: bytes.
        failed: tasks that failed.
    """

    tasks: int
    seconds: float
    busy: float
    waiting: float
    parallel: float
    executors: int
    working: int
    largest: float
    run: float
    gc: float
    scheduling: float
    shuffle_read: int
    shuffle_written: int
    failed: int


def use(log: EventLog, tasks: Sequence[Task]) -> Use | None:
    """Sum up some of a log's tasks, such as those of one phase of one run; None without any."""
    if not tasks:
        return None
    start, end = min(task.started for task in tasks), max(task.ended for task in tasks)
    seconds = max(end - start, 1e-3)  # the log counts milliseconds
    present = [
        executor
        for executor in log.executors
        if executor.added < end and (executor.removed is None or executor.removed > start)
    ]
    cores = sum(executor.cores for executor in present)
    loads: dict[str, float] = {}
    for task in tasks:
        loads[task.executor] = loads.get(task.executor, 0.0) + task.ended - task.started - task.waited
    work, waited = sum(loads.values()), sum(task.waited for task in tasks)
    return Use(
        tasks=len(tasks),
        seconds=seconds,
        busy=min(1.0, work / seconds / cores) if cores else 0.0,
        waiting=min(1.0, waited / seconds / cores) if cores else 0.0,
        parallel=work / seconds,
        executors=len(present),
        working=len(loads),
        largest=max(loads.values()) / work if work else 1.0,
        run=sum(task.run for task in tasks),
        gc=sum(task.gc for task in tasks),
        scheduling=sum(task.scheduling for task in tasks),
        shuffle_read=sum(task.shuffle_read for task in tasks),
        shuffle_written=sum(task.shuffle_written for task in tasks),
        failed=sum(task.failed for task in tasks),
    )


def by_phase(log: EventLog, start: float, end: float) -> dict[str, Use]:
    """How a run used its executors, by phase, in the order of their first tasks; a part counts to its phase.

    Args:
        log: the log of the run's job, which may carry other runs.
        start: when the run started, epoch seconds; its tasks started since then.
        end: when it ended.
    """
    by_name: dict[str, list[Task]] = {}
    for task in sorted(log.tasks, key=lambda task: task.started):
        if start <= task.started < end:
            by_name.setdefault(task.phase.partition(".")[0] or OTHER, []).append(task)
    return {phase: summed for phase, tasks in by_name.items() if (summed := use(log, tasks))}


def over_time(log: EventLog, start: float, end: float, steps: int) -> tuple[list[Executor], Array, Array]:
    """How busy each executor was over time.

    Args:
        log: the log.
        start: epoch seconds.
        end: likewise.
        steps: how many equal parts of the time.

    Returns:
        The executors, and two arrays of shape (executors, steps), of shares of its cores' time from 0 to 1: with a task
        that worked, and with one that waited for a measuring slot.
    """
    import numpy as np

    executors = sorted(log.executors, key=lambda executor: (executor.host, executor.name.zfill(9)))
    rows = {executor.name: place for place, executor in enumerate(executors)}
    known = [task for task in log.tasks if task.executor in rows]
    cores = np.array([[max(executor.cores, 1)] for executor in executors], dtype=float).reshape(len(executors), 1)
    step = max(end - start, 1e-3) / steps

    def spent(spans: Iterable[tuple[str, float, float]]) -> Array:
        known_spans = [*spans]
        places = np.array([rows[name] for name, _, _ in known_spans], dtype=int)
        begun, over = (
            _since(places, (np.array(times, dtype=float) - start) / step, len(executors), steps)
            for times in ([since for _, since, _ in known_spans], [until for _, _, until in known_spans])
        )
        share: Array = np.diff(begun - over, axis=1) / cores
        return share

    waiting = spent((task.executor, *wait) for task in known for wait in task.waits)
    working = spent((task.executor, task.started, task.ended) for task in known) - waiting
    return executors, np.clip(working, 0, 1), np.clip(waiting, 0, 1)


def _since(rows: Array, times: Array, count: int, steps: int) -> Array:
    """At each edge between steps, the time since each of some events, added up by row; of shape (count, steps + 1).

    Args:
        rows: each event's row.
        times: each event's time, in steps.
        count: how many rows.
        steps: how many steps.
    """
    import numpy as np

    times = np.clip(times, 0, steps)
    edge = np.minimum(times.astype(int), steps - 1) + 1  # the first edge after the event
    parts, events = np.zeros((count, steps + 1)), np.zeros((count, steps + 1))
    np.add.at(parts, (rows, edge), edge - times)
    np.add.at(events, (rows, edge), 1.0)
    # From its first edge on, an event is a step further away at each edge.
    whole = np.cumsum(np.cumsum(events, axis=1), axis=1) - np.cumsum(events, axis=1)
    return np.cumsum(parts, axis=1) + whole
