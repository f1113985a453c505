"""Warm a process up: repeat a little work until it gets no faster."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

from flowerexp.workload.engine.cells import Cell, Task, warmth_of
from flowerexp.workload.engine.declared import Declared, Subject
from flowerexp.workload.engine.limit import Cancel, clocked

FEWEST, MOST = 4, 20
"""The number of warm-ups that it takes to see whether they get faster, and the largest number of warm-ups."""

SETTLED = 3
"""A process is warm when this many warm-ups in a row were not faster."""

FASTER = 0.05
"""A warm-up is faster if it takes less time than all previous ones by more than this share."""


@dataclass(frozen=True)
class WarmUp:
    """How a process became warm.

    A warm-up is compared with the fastest previous one, since other processes can only make one slower: so a busy host
    does not look like a cold process.

    Attributes:
        count: the number of warm-ups before the first measurement.
        steady: whether they had stopped getting faster; None if there was time for too few.
    """

    count: int
    steady: bool | None


_warm: dict[Hashable, WarmUp] = {}


def settle(subject: Subject, task: Task, cancel: Cancel | None = None) -> WarmUp:
    """Warm this process up for a measurement, unless it is warm already.

    Args:
        subject: what is measured.
        task: the measurement.
        cancel: see `limit.clocked`.
    """
    if not subject.experiment.warm_up_seconds:
        return WarmUp(0, None)
    key = warmth_of(subject, task.cell)
    if key not in _warm:
        _warm[key] = _repeat(partial(_next_warm_up, subject, task.first), subject.experiment, cancel)
        tidy()
    return _warm[key]


def forget() -> None:
    """Make this process warm up again before the next measurement."""
    _warm.clear()


def _next_warm_up(subject: Subject, cell: Cell) -> Callable[[], object]:
    """Get ready for one warm-up, and return the part of it that is timed."""
    workload, prepared = subject.workload, subject.prepared
    if workload.warm:
        return partial(workload.warm, prepared, cell)
    argument = workload.ready(prepared, cell) if workload.ready else prepared
    return partial(workload.measure, argument, cell)


def _repeat(next_warm_up: Callable[[], Callable[[], object]], experiment: Declared, cancel: Cancel | None) -> WarmUp:
    seconds: list[float] = []
    steady: bool | None = None
    while not steady and len(seconds) < MOST and sum(seconds) < experiment.warm_up_seconds:
        clock = clocked(next_warm_up(), experiment.max_seconds, cancel)
        seconds.append(clock.seconds)
        censored = clock.censored
        del clock  # with what the warm-up returned, before the next one: what takes time to be freed takes more later
        if censored:
            break
        steady = is_steady(seconds)
    return WarmUp(len(seconds), steady)


def is_steady(seconds: Sequence[float]) -> bool | None:
    """Whether none of the last `SETTLED` warm-ups was faster than all previous ones by more than `FASTER`.

    Args:
        seconds: of the warm-ups so far.

    Returns:
        None if there are too few warm-ups.
    """
    if len(seconds) < FEWEST:
        return None
    return min(seconds[-SETTLED:]) > (1 - FASTER) * min(seconds[:-SETTLED])


def tidy() -> None:
    """Collect garbage now, and leave all objects that remain out of later collections.

    Spark collects garbage after every task. With TensorFlow's million objects that takes 0.25 s, which would overlap
    the next measurement on this host. So a worker does it itself while it holds the slot, and Spark has nothing to do.
    """
    gc.collect()
    gc.freeze()
