"""Where the time went: executors, tasks and their waiting, from Spark's event log, offline, on any cluster.

The event log is a file of JSON lines, one Spark listener event each (org.apache.spark.util.JsonProtocol). Only a few
kinds and fields are read, so a log of a million tasks passes through line by line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.errors import DataError, from_os_error

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

# Looked for before a line is parsed: most of a log is stage descriptions with stack traces.
_KINDS = ("ExecutorAdded", "ExecutorRemoved", "JobStart", "TaskEnd", "ApplicationStart", "ApplicationEnd")
_MARKS = tuple(f'"Event":"SparkListener{kind}"'.encode() for kind in _KINDS)


@dataclass(frozen=True)
class Executor:
    """One executor; times are epoch seconds."""

    name: str
    host: str
    cores: int
    added: float
    removed: float | None = None


@dataclass(frozen=True)
class Task:
    """One attempt of a task, finished or failed. Times are epoch seconds, the rest seconds and bytes."""

    executor: str
    phase: str  # the job's description: flowerexp gives the name of the run's phase, or nothing
    started: float
    ended: float
    run: float  # executor run time: the task's own work, its waiting for a slot included
    gc: float
    scheduling: float  # on neither side: waiting to be sent, started and collected
    shuffle_read: int
    shuffle_written: int
    failed: bool


@dataclass
class EventLog:
    """What is read of an event log; times are epoch seconds."""

    application: str | None = None  # Spark's id of it
    executors: list[Executor] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    started: float | None = None
    ended: float | None = None

    @property
    def cores(self) -> int:
        """How many tasks could run at once, with all executors."""
        return sum(executor.cores for executor in self.executors)

    @property
    def span(self) -> tuple[float, float]:
        """When the application started and ended, or as far as the log says."""
        starts = [at for at in (self.started, *(executor.added for executor in self.executors)) if at is not None]
        ends = [at for at in (self.ended, *(task.ended for task in self.tasks)) if at is not None]
        start = min(starts, default=0.0)
        return start, max(ends, default=start)


def find_logs(folder: Path) -> list[Path]:
    """The event logs of a job: files below its ``events`` folder; one whose job still runs ends in ``.inprogress``."""
    return sorted(path for path in folder.glob("events/**/*") if path.is_file() and not path.name.startswith("."))


def read(path: Path) -> EventLog:
    """Read an event log, plain JSON lines; a last line that was cut short, as of a killed driver, is passed over.

    Raises:
        DataError: a line is no event.
        MachineError: the file cannot be read.
    """
    log, stages = EventLog(), dict[int, str]()
    try:
        with path.open("rb") as file:
            for event in _events(file, path):
                _take(event, log, stages)
    except OSError as error:
        raise from_os_error(error, "reading the event log") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # an event that lacks what Spark writes
        problem = f"{path} is damaged: {type(error).__name__}: {error}"
        raise DataError(problem, hint="the event log is left out") from error
    return log


def _events(lines: Iterable[bytes], path: Path) -> Iterator[dict[str, Any]]:
    for place, line in enumerate(lines, start=1):
        if not any(mark in line[:80].replace(b" ", b"") for mark in _MARKS):
            continue
        try:
            yield json.loads(line)
        except ValueError as error:
            if line.endswith(b"\n"):
                problem = f"not an event of Spark: {error}"
                raise DataError(problem, where=f"{path}, line {place}", hint="the event log is damaged") from error


def _take(event: dict[str, Any], log: EventLog, stages: dict[int, str]) -> None:
    kind = event["Event"].removeprefix("SparkListener")
    if kind == "ApplicationStart":
        log.started, log.application = event["Timestamp"] / 1000, event.get("App ID")
    elif kind == "ApplicationEnd":
        log.ended = event["Timestamp"] / 1000
    elif kind == "ExecutorAdded":
        about = event["Executor Info"]
        added = Executor(str(event["Executor ID"]), about["Host"], int(about["Total Cores"]), event["Timestamp"] / 1000)
        log.executors.append(added)
    elif kind == "ExecutorRemoved":
        log.executors = [
            Executor(one.name, one.host, one.cores, one.added, event["Timestamp"] / 1000)
            if one.name == event["Executor ID"] and one.removed is None
            else one
            for one in log.executors
        ]
    elif kind == "JobStart":
        phase = (event.get("Properties") or {}).get("spark.job.description", "")
        stages.update(dict.fromkeys(event["Stage IDs"], phase))
    elif event["Task Info"]["Finish Time"]:
        log.tasks.append(_task(event, stages))


def _task(event: dict[str, Any], stages: dict[int, str]) -> Task:
    about, metrics = event["Task Info"], event.get("Task Metrics") or {}  # none of a task whose executor was lost
    started, ended = about["Launch Time"], about["Finish Time"]
    run = metrics.get("Executor Run Time", 0)
    handled = run + metrics.get("Executor Deserialize Time", 0) + metrics.get("Result Serialization Time", 0)
    fetched = ended - about["Getting Result Time"] if about["Getting Result Time"] else 0
    read, written = metrics.get("Shuffle Read Metrics") or {}, metrics.get("Shuffle Write Metrics") or {}
    return Task(
        executor=str(about["Executor ID"]),
        phase=stages.get(event["Stage ID"], ""),
        started=started / 1000,
        ended=ended / 1000,
        run=run / 1000,
        gc=metrics.get("JVM GC Time", 0) / 1000,
        # As Spark's own pages compute it (AppStatusUtils.schedulerDelay).
        scheduling=max(0, ended - started - handled - fetched) / 1000 if metrics else 0.0,
        shuffle_read=read.get("Remote Bytes Read", 0) + read.get("Local Bytes Read", 0),
        shuffle_written=written.get("Shuffle Bytes Written", 0),
        failed=about["Failed"] or about["Killed"],
    )


@dataclass(frozen=True)
class Use:
    """How a part of an application used its executors. Seconds are added up over tasks, but `seconds`.

    Attributes:
        tasks: how many ran, failed ones included.
        seconds: from the first task's start to the last one's end.
        busy: the share of the cores' time in which they had a task, 0 to 1.
        parallel: how many tasks ran at once, on average.
        executors: how many there were.
        working: how many of them had a task.
        largest: the share of the tasks' time on the executor that had most of it.
        run: executor run time.
        gc: of it, collecting garbage in the JVM.
        scheduling: scheduling delay.
        shuffle_read: bytes.
        shuffle_written: bytes.
        failed: tasks that failed.
    """

    tasks: int
    seconds: float
    busy: float
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
    present = [one for one in log.executors if one.added < end and (one.removed is None or one.removed > start)]
    cores = sum(one.cores for one in present)
    loads: dict[str, float] = {}
    for task in tasks:
        loads[task.executor] = loads.get(task.executor, 0.0) + task.ended - task.started
    work = sum(loads.values())
    return Use(
        tasks=len(tasks),
        seconds=seconds,
        busy=min(1.0, work / seconds / cores) if cores else 0.0,
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
    """How a run used its executors, by phase, in the order of their first tasks.

    Args:
        log: the log of the run's job, which may carry other runs.
        start: when the run started, epoch seconds; its tasks started since then.
        end: when it ended.
    """
    found: dict[str, list[Task]] = {}
    for task in sorted(log.tasks, key=lambda task: task.started):
        if start <= task.started < end:
            found.setdefault(task.phase or "other", []).append(task)
    return {phase: summed for phase, tasks in found.items() if (summed := use(log, tasks))}


def over_time(log: EventLog, start: float, end: float, steps: int) -> tuple[list[Executor], Array]:
    """How busy each executor was over time, as what a picture shows.

    Args:
        log: the log.
        start: epoch seconds.
        end: likewise.
        steps: how many equal parts of the time.

    Returns:
        The executors, and an array of shape (executors, steps): the share of its cores' time with a task, 0 to 1.
    """
    import numpy as np

    executors = sorted(log.executors, key=lambda one: (one.host, one.name.zfill(9)))
    rows = {one.name: place for place, one in enumerate(executors)}
    known = [task for task in log.tasks if task.executor in rows]
    own, step = np.array([rows[task.executor] for task in known], dtype=int), max(end - start, 1e-3) / steps
    begun, over = (
        _since(own, (np.array(times, dtype=float) - start) / step, len(executors), steps)
        for times in ([task.started for task in known], [task.ended for task in known])
    )
    cores = np.array([[max(one.cores, 1)] for one in executors], dtype=float).reshape(len(executors), 1)
    return executors, np.clip(np.diff(begun - over, axis=1) / cores, 0, 1)


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
