"""Report from an entrypoint while it runs: phases and their seconds, facts, notes and progress.

An entrypoint does not have to report anything. If it does, it calls these functions, and the runner collects their data
for the current run.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from flowerexp import storage

Scalar = str | int | float | bool | None

ATTEMPT = "attempt.json"
"""A file in a run's output with what has been reported so far; it remains if the run is killed, like the rows."""


@dataclass
class Report:
    """What one run has reported so far: seconds of each phase, facts, messages for the user, and files by name.

    `failed_phase` is the outermost phase that the last exception went through. `output` is where `ATTEMPT` is written,
    together with `attempt`; if it is empty, nothing is written.
    """

    run_key: str = ""
    phases: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Scalar] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    attached: dict[str, bytes] = field(default_factory=dict)
    phase: str = ""
    failed_phase: str = ""
    output: str = ""
    attempt: dict[str, Any] = field(default_factory=dict)


_current = Report()
_inside = 0  # nanoseconds that separate phases took inside the current one


def begin(run_key: str) -> Report:
    """Start the report of a run; there is one report at a time."""
    global _current, _inside
    _current, _inside = Report(run_key), 0
    return _current


def attempt(output: str, token: str | None, started_at: float) -> None:
    """Write down that an attempt to make the run has begun; after each phase, the file is written again.

    If the run is killed, the file identifies the attempt that has measured its rows.

    Args:
        output: the path or URI of the run's results.
        token: the attempt's token in the job file.
        started_at: seconds since the epoch.
    """
    _current.output, _current.attempt = output, {"token": token, "started_at": started_at}
    _write_attempt()


def _write_attempt() -> None:
    if not _current.output:
        return
    reported = {"facts": _current.facts, "phases": _current.phases, "notes": _current.notes}
    content = json.dumps({**_current.attempt, **reported}, default=str).encode()
    with suppress(OSError):  # writing the results will raise it again; without results, no rows can be kept
        storage.write_bytes(storage.join(_current.output, ATTEMPT), content, durable=False)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Time a phase of the run; the seconds of phases with the same name add up.

    A phase inside another one is a part of it if its name says so (`measure.rows` in `measure`). Otherwise the outer
    one does not count its seconds, so that the seconds of all phases without a dot add up.
    """
    global _inside
    outer, _current.phase, _current.failed_phase = _current.phase, name, ""
    inside, _inside = _inside, 0
    progress(0, 0)
    start = time.perf_counter_ns()
    try:
        yield
    except BaseException:
        if not _current.failed_phase or _current.failed_phase.startswith(f"{name}."):
            _current.failed_phase = name
        raise
    finally:
        took = time.perf_counter_ns() - start
        _current.phases[name] = _current.phases.get(name, 0.0) + (took - _inside) / 1e9
        _inside = inside + (_inside if name.startswith(f"{outer}.") else took)
        _current.phase = outer
        if not outer:
            _write_attempt()


def fact(name: str, value: Scalar) -> None:
    """Record a fact about the run, such as the number of images."""
    _current.facts[name] = value


def note(text: str) -> None:
    """Show the user a message of one line, once per run, and keep it with the results."""
    if text not in _current.notes:
        _current.notes.append(text)
        _emit({"note": text})


def remark(text: str) -> None:
    """Show a message of a worker: on screen if its output is followed, and in its log."""
    _emit({"note": text})


def attach(name: str, content: bytes) -> None:
    """Attach a small file, such as a picture, to the run's results; it is collected and logged to MLflow with them.

    Args:
        name: a plain file name: letters, digits, `_`, `-` and `.`.
        content: the file's content.

    Raises:
        ValueError: `name` is not a plain file name.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"not a plain file name: {name!r}")
    _current.attached[name] = content


def state(output: str, name: str) -> None:
    """Report that the run whose results go to `output` has `started`, `finished` or `failed`."""
    _emit({"output": output, "state": name})


def progress(done: int, total: int) -> None:
    """Report the progress of the current phase; a total of 0 means that it is not known yet."""
    _emit({"phase": _current.phase, "done": done, "total": total})


def _emit(message: dict[str, Any]) -> None:
    line = json.dumps({"flowerexp": {"run_key": _current.run_key, **message}})
    # One write per line: Spark's own messages share this stream.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def spark_progress(context: Any, total: int, done: int = 0) -> Iterator[None]:
    """Report the finished tasks of the Spark jobs that run inside, as they finish.

    Args:
        context: the SparkContext.
        total: the number of tasks that there will be, with those before.
        done: the number of tasks that were done before.
    """
    if done:  # what follows may be over before the first look at it
        progress(done, total)
    group = f"flowerexp-{time.perf_counter_ns()}"
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(context.statusTracker(), group, total, done, stop), daemon=True)
    thread.start()
    try:
        with job_group(context, group):
            yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def job_group(context: Any, group: str) -> Iterator[None]:
    """Run the Spark jobs inside in a job group, and describe them by the current phase.

    Args:
        context: the SparkContext.
        group: the group's id.
    """
    outer = {name: context.getLocalProperty(name) for name in ("spark.jobGroup.id", "spark.job.description")}
    context.setJobGroup(group, _current.phase)
    try:
        yield
    finally:
        for name, value in outer.items():
            context.setLocalProperty(name, value)


def _watch(tracker: Any, group: str, total: int, before: int, stop: threading.Event) -> None:
    last = -1
    while not stop.wait(0.25):
        done = before
        for job in tracker.getJobIdsForGroup(group):
            info = tracker.getJobInfo(job)
            stages = [tracker.getStageInfo(stage) for stage in (info.stageIds if info else [])]
            done += sum(stage.numCompletedTasks for stage in stages if stage)
        if done != last:
            last = done
            progress(min(done, total), total)
