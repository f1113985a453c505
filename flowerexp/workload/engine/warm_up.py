"""A process becomes warm: it does a little work again and again, until that gets no faster."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flowerexp.workload.engine.cells import Cell, Task, warmth_of
from flowerexp.workload.engine.declared import Declared, Workload
from flowerexp.workload.engine.limit import Cancel, clocked

FEWEST, MOST = 4, 20
"""Warm-ups: so many are needed to tell whether they get faster, and after so many it is given up."""

SETTLED = 3
"""A process is warm when so many warm-ups in a row have brought nothing new."""

FASTER = 0.05
"""A warm-up brings something new if it is faster than all before it by more than this share."""


@dataclass(frozen=True)
class WarmUp:
    """How a process became warm.

    Warm-ups are compared with the fastest of those before, since neighbours can only make one slower: so a busy host
    does not look like a cold process.

    Attributes:
        count: how many warm-ups there were before the first measurement.
        steady: whether they had stopped getting faster; None if too few fitted into the time.
    """

    count: int
    steady: bool | None


_warm: dict[Hashable, WarmUp] = {}


def settle(experiment: Declared, workload: Workload, prepared: Any, task: Task, cancel: Cancel | None = None) -> WarmUp:
    """Warm this process up for a measurement, if it is not yet.

    Args:
        experiment: says how long it may take.
        workload: says what to do.
        prepared: to measure with.
        task: the measurement.
        cancel: see `limit.clocked`.
    """
    if not experiment.warm_up_seconds:
        return WarmUp(0, None)
    key = warmth_of(experiment, workload, prepared, task.cell)
    if key not in _warm:
        _warm[key] = _repeated(partial(_made_ready, workload, prepared, task.first), experiment, cancel)
        tidy()
    return _warm[key]


def forget() -> None:
    """Warm up again before the next measurement."""
    _warm.clear()


def _made_ready(workload: Workload, prepared: Any, cell: Cell) -> Callable[[], object]:
    """Make ready for one warm-up, and return what is timed of it."""
    if workload.warm:
        return partial(workload.warm, prepared, cell)
    thing = workload.ready(prepared, cell) if workload.ready else prepared
    return partial(workload.measure, thing, cell)


def _repeated(made_ready: Callable[[], Callable[[], object]], experiment: Declared, cancel: Cancel | None) -> WarmUp:
    seconds: list[float] = []
    steady: bool | None = None
    while not steady and len(seconds) < MOST and sum(seconds) < experiment.warm_up_seconds:
        clock = clocked(made_ready(), experiment.max_seconds, cancel)
        seconds.append(clock.seconds)
        if clock.censored:
            break
        steady = is_steady(seconds)
    return WarmUp(len(seconds), steady)


def is_steady(seconds: Sequence[float]) -> bool | None:
    """Whether the last `SETTLED` of some warm-ups were no faster than the fastest before them, by more than `FASTER`.

    Returns:
        None if there are too few to tell.
    """
    if len(seconds) < FEWEST:
        return None
    return min(seconds[-SETTLED:]) > (1 - FASTER) * min(seconds[:-SETTLED])


def tidy() -> None:
    """Collect garbage now, and leave what is alive out of later collections.

    Spark collects garbage after every task; over TensorFlow's million objects that takes 0.25 s, which would fall into
    the next measurement on this host. So a worker does it itself while it holds the slot, and Spark finds nothing.
    """
    gc.collect()
    gc.freeze()
