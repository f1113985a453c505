"""Read Spark's event log: an application's executors and tasks, on any cluster.

It is a file of JSON lines, one Spark listener event each (org.apache.spark.util.JsonProtocol). Only a few
kinds and fields are read, so a log of a million tasks passes through line by line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flowerexp.errors import DataError, from_os_error

# Looked for before a line is parsed: most of a log is stage descriptions with stack traces.
_KINDS = (
    "ExecutorAdded",
    "ExecutorRemoved",
    "JobStart",
    "TaskEnd",
    "ApplicationStart",
    "ApplicationEnd",
    "BlockManagerAdded",
)
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
    host: str
    phase: str  # the job's description: flowerexp gives the name of the run's phase, or nothing
    started: float
    ended: float
    run: float  # executor run time: the task's own work, its waiting for a slot included
    gc: float
    scheduling: float  # on neither side: waiting to be sent, started and collected
    shuffle_read: int
    shuffle_written: int
    failed: bool
    memory: int = 0  # the most of what Spark manages that its executor used meanwhile; 0 if nobody looked
    waits: tuple[tuple[float, float], ...] = ()  # from when to when it waited for a slot, as rows of measurements say

    @property
    def waited(self) -> float:
        """The seconds of its time in which it waited for a measuring slot."""
        return sum(end - start for start, end in self.waits)


@dataclass
class EventLog:
    """What is read of an event log; times are epoch seconds."""

    application: str | None = None  # Spark's id of it
    executors: list[Executor] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    managed: dict[str, int] = field(default_factory=dict)  # bytes for cached blocks, shuffles and sorts, by executor
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
    """Read an event log, plain JSON lines; a last line that was cut short, as by a killed driver, is ignored.

    Raises:
        DataError: a line is not an event.
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
            replace(executor, removed=event["Timestamp"] / 1000)
            if executor.name == event["Executor ID"] and executor.removed is None
            else executor
            for executor in log.executors
        ]
    elif kind == "BlockManagerAdded":
        log.managed[str(event["Block Manager ID"]["Executor ID"])] = int(event["Maximum Memory"])
    elif kind == "JobStart":
        phase = (event.get("Properties") or {}).get("spark.job.description", "")
        stages.update(dict.fromkeys(event["Stage IDs"], phase))
    elif event["Task Info"]["Finish Time"]:
        log.tasks.append(_task(event, stages))


def _task(event: dict[str, Any], stages: dict[int, str]) -> Task:
    about, metrics = event["Task Info"], event.get("Task Metrics") or {}  # none of a task whose executor was lost
    looked = event.get("Task Executor Metrics") or {}
    started, ended = about["Launch Time"], about["Finish Time"]
    run = metrics.get("Executor Run Time", 0)
    handled = run + metrics.get("Executor Deserialize Time", 0) + metrics.get("Result Serialization Time", 0)
    fetched = ended - about["Getting Result Time"] if about["Getting Result Time"] else 0
    read, written = metrics.get("Shuffle Read Metrics") or {}, metrics.get("Shuffle Write Metrics") or {}
    return Task(
        executor=str(about["Executor ID"]),
        host=about.get("Host", ""),
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
        memory=looked.get("OnHeapUnifiedMemory", 0) + looked.get("OffHeapUnifiedMemory", 0),
    )
