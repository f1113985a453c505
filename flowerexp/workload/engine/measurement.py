"""One measurement, on an executor or in the driver: what surrounds the clock, and the row that comes of it."""

from __future__ import annotations

import math
import numbers
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from flowerexp.errors import JobError
from flowerexp.workload import host, slots
from flowerexp.workload.engine.cells import Cell, Task
from flowerexp.workload.engine.declared import Declared, Row, Workload
from flowerexp.workload.engine.limit import Cancel, Clocked, clocked
from flowerexp.workload.engine.warm_up import settle, tidy

_OURS = {
    *("repetition", "execution", "order", "seconds", "started_ns", "ended_ns", "started_at", "host", "pid"),
    *("waited_seconds", "neighbours", "warm_ups", "warm_up_steady", "attempt", "censored", *host.COLUMNS),
}
"""The columns that the engine fills, beside those of the parameters."""


def _nothing() -> AbstractContextManager[Mapping[str, Any]]:
    return nullcontext({})


@dataclass(frozen=True)
class Place:
    """What is special about where a measurement is made; by default, an executor.

    Attributes:
        look: looks at the host.
        recorded: what surrounds the measurement; gives a dict that holds further columns when it has ended.
        cancel: see `limit.clocked`.
        tidies: whether to collect garbage before the slot is given back.
    """

    look: Callable[[], host.HostSnapshot | None] = host.snapshot
    recorded: Callable[[], AbstractContextManager[Mapping[str, Any]]] = _nothing
    cancel: Cancel | None = None
    tidies: bool = True


def measured(experiment: Declared, workload: Workload, prepared: Any, task: Task, place: Place | None = None) -> Row:
    """Make one measurement on this host, when one of its slots is free.

    Returns:
        A row of results; seconds of `measure` alone, times of day in seconds since the epoch.

    Raises:
        JobError: what `measure` returned is not what the experiment declares.
        Exception: what the workload raises.
    """
    place = place or Place()
    with slots.slot(experiment.concurrency) as waited:
        warm = settle(experiment, workload, prepared, task, place.cancel)
        thing = workload.ready(prepared, task.cell) if workload.ready else prepared
        with place.recorded() as recorded:
            before, started_at = place.look(), time.time()
            clock = clocked(partial(workload.measure, thing, task.cell), experiment.max_seconds, place.cancel)
            after = place.look()
        del thing
        if place.tidies:
            tidy()
    return {
        **task.cell,
        "repetition": task.cell.repetition,
        "execution": 1,
        "order": task.order,
        **_counted(experiment, task.cell, clock),
        "seconds": clock.seconds,
        "started_ns": clock.started_ns,
        "ended_ns": clock.ended_ns,
        "censored": clock.censored,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started_at": started_at,
        "waited_seconds": waited,
        "neighbours": 0,
        "warm_ups": warm.count,
        "warm_up_steady": warm.steady,
        **recorded,
        **host.between(before, after),
    }


def _counted(experiment: Declared, cell: Cell, clock: Clocked) -> Row:
    """What `measure` returned, as columns.

    Raises:
        JobError: it is not what the experiment declares.
    """
    if clock.censored:
        return {} if experiment.count in cell else {experiment.count: None}
    result, count = clock.result, experiment.count
    if isinstance(result, bool) or not isinstance(result, Mapping | numbers.Real):
        raise _refused(experiment, cell, result, "which is neither a number nor a dict")
    columns = result if isinstance(result, Mapping) else {count: result}
    if count not in columns:
        raise _refused(experiment, cell, result, f"which lacks '{count}', the column of what is counted")
    if taken := sorted(({*_OURS, *experiment.grid}) & columns.keys() - {count}):
        raise _refused(experiment, cell, result, f"in which '{taken[0]}' is the framework's column", "rename it")
    plain = {name: _plain(value) for name, value in columns.items()}
    if strange := [name for name, value in plain.items() if not isinstance(name, str) or value is _NONE]:
        reason = f"in which {strange[0]!r} is not a number, text, boolean or null"
        raise _refused(experiment, cell, result, reason, "return plain values only")
    number = plain[count]
    if isinstance(number, bool) or not isinstance(number, int | float) or number <= 0:
        raise _refused(experiment, cell, result, f"which counts nothing: '{count}' has to be a number above 0")
    if number != cell.get(count, number):
        reason = f"and the parameter '{count}' has the same name"
        raise _refused(experiment, cell, result, reason, "give the count another column: entrypoint.column")
    return plain


_NONE = object()


def _plain(value: Any) -> Any:
    """A value as JSON has it; `_NONE` if JSON has none of its kind."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, numbers.Integral):  # NumPy's as well
        return int(value)
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    return _NONE


def _refused(experiment: Declared, cell: Cell, result: Any, reason: str, hint: str | None = None) -> JobError:
    where = f"{cell}, repetition {cell.repetition}" if cell else f"repetition {cell.repetition}"
    return JobError(
        f"{experiment.name}: measure returned {str(result)[:200]} for {where}, {reason}",
        where="entrypoint.script",
        hint=hint or f"return the number of {experiment.count}, or a dict such as {{'{experiment.count}': 1000}}",
    )
