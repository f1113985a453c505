"""What an entrypoint tells while it runs: phases and their seconds, facts, and progress.

An entrypoint is `run(spark, config) -> rows`; it need not report anything. If it does, it calls these functions, and
the runner collects what they say for the run at hand.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Scalar = str | int | float | bool | None


@dataclass
class Report:
    """What was reported of one run so far: seconds of each phase, facts, messages for the user, and files by name.

    `failed_phase` is the outermost phase that the last exception went through.
    """

    run_key: str = ""
    phases: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Scalar] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    attached: dict[str, bytes] = field(default_factory=dict)
    phase: str = ""
    failed_phase: str = ""


_current = Report()
_inside = 0  # nanoseconds that phases of their own took inside of the current one


def begin(run_key: str) -> Report:
    """Start the report of a run; one run is reported at a time."""
    global _current, _inside
    _current, _inside = Report(run_key), 0
    return _current


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Time a phase of the run; entered twice under one name, its seconds add up.

    A phase inside of another one is a part of it if its name says so (`measure.rows` in `measure`); else the outer one
    stands still meanwhile, so that the seconds of all phases without a dot add up.
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


def fact(name: str, value: Scalar) -> None:
    """Record something that was found out, such as the number of images."""
    _current.facts[name] = value


def note(text: str) -> None:
    """Tell the user something, in one line; it is shown on screen and kept with the results."""
    _current.notes.append(text)
    _emit({"note": text})


def remark(text: str) -> None:
    """Tell the user something that a worker has to say: on screen where its output is followed, and in its log."""
    _emit({"note": text})


def attach(name: str, content: bytes) -> None:
    """Keep a small file with the run's results, such as a picture: it comes home and goes to MLflow with them.

    Args:
        name: a plain file name: letters, digits, `_`, `-` and `.`.
        content: the file's.

    Raises:
        ValueError: it is no plain name.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"not a plain file name: {name!r}")
    _current.attached[name] = content


def state(output: str, name: str) -> None:
    """Tell that the run whose results go to `output` has `started`, `finished` or `failed`."""
    _emit({"output": output, "state": name})


def progress(done: int, total: int) -> None:
    """Tell how far the current phase is; a total of 0 means that this is not known yet."""
    _emit({"phase": _current.phase, "done": done, "total": total})


def _emit(message: dict[str, Any]) -> None:
    line = json.dumps({"flowerexp": {"run_key": _current.run_key, **message}})
    # One write a line: Spark's own messages share this stream.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def spark_progress(context: Any, total: int) -> Iterator[None]:
    """Report the finished tasks of the Spark jobs that run inside, as they finish.

    Args:
        context: the SparkContext.
        total: how many tasks there will be.
    """
    group = f"flowerexp-{time.perf_counter_ns()}"
    context.setJobGroup(group, _current.phase)
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(context.statusTracker(), group, total, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        context.setLocalProperty("spark.jobGroup.id", None)


def _watch(tracker: Any, group: str, total: int, stop: threading.Event) -> None:
    last = -1
    while not stop.wait(0.25):
        done = 0
        for job in tracker.getJobIdsForGroup(group):
            info = tracker.getJobInfo(job)
            stages = [tracker.getStageInfo(stage) for stage in (info.stageIds if info else [])]
            done += sum(stage.numCompletedTasks for stage in stages if stage)
        if done != last:
            last = done
            progress(min(done, total), total)
