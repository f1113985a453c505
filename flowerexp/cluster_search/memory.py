"""How much memory will all of the data need? What Spark says of a smoke run's memory, extrapolated to all of the data.

Spark manages a part of each executor's memory for cached blocks, shuffles and sorts, and is slow where they do not fit.
How much of it a run used is in its event log. That is what grows with the data: what a Java or Python process takes
beside it is mostly there without any data, and a heap grows until it is full, whatever lives in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flowerexp import records
from flowerexp.analysis.event_log import EventLog, find_logs, read
from flowerexp.errors import FlowerexpError
from flowerexp.journal import RECORD
from flowerexp.plan import PlannedRun
from flowerexp.search import Shape


def needs_gb(run: PlannedRun, whole: float, shape: Shape, jobs: Iterable[Path]) -> float | None:
    """The memory that all of the data should need on all nodes together, by a smoke run.

    The share of the managed memory that the run used is taken of the cluster's whole memory, and divided by the share
    of the data that it read: a cluster of that much memory manages as much as all of the data needs.

    Args:
        run: the smoke run, which finished.
        whole: the `sampling.fraction` of the search's runs.
        shape: its cluster.
        jobs: the folders of its jobs, with their event logs.

    Returns:
        GB, or None where that is not known: there is no event log, its tasks were too short to be looked at, or
        `sampling.least` decided how much was read.
    """
    share = _share(run, whole)
    used = max((_used(log, run.config.entrypoint.shared) for log in _logs(jobs)), default=0.0)
    if share is None or not used:
        return None
    return used * shape.memory_gb_per_node * shape.nodes / share


def _share(run: PlannedRun, whole: float) -> float | None:
    """The share of the data that a smoke run read; None where its minimum of files made it larger, or may have."""
    sampling = run.config.sampling
    assert sampling is not None
    try:
        images = records.read(run.folder / RECORD, {"facts": dict})["facts"].get("images")
    except (OSError, FlowerexpError):
        return None
    return None if images is not None and images <= sampling.least else sampling.fraction / whole


def _used(log: EventLog, shared: Iterable[str]) -> float:
    """The largest share of the managed memory in use, without the phases whose results later runs reuse."""
    peaks: dict[str, int] = {}
    for task in log.tasks:
        if task.phase not in shared:
            peaks[task.executor] = max(peaks.get(task.executor, 0), task.memory)
    available = sum(log.managed.get(name, 0) for name in peaks)
    return sum(peaks.values()) / available if available else 0.0


def _logs(jobs: Iterable[Path]) -> list[EventLog]:
    """The event logs that can be read: the search goes on without the others."""
    logs = []
    for path in (path for folder in jobs for path in find_logs(folder)):
        try:
            logs.append(read(path))
        except FlowerexpError:
            continue
    return logs
