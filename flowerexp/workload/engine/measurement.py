"""Make one measurement, on an executor or in the driver: what surrounds the clock, and the row of results."""

from __future__ import annotations

import itertools
import math
import numbers
import os
import socket
import statistics
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flowerexp.errors import JobError
from flowerexp.workload import host, slots
from flowerexp.workload.engine import probe
from flowerexp.workload.engine.cells import Cell, Task
from flowerexp.workload.engine.declared import Declared, Row, Subject
from flowerexp.workload.engine.limit import Cancel, Clocked, clocked
from flowerexp.workload.engine.warm_up import settle, tidy

_RESERVED = {
    *("repetition", "execution", "order", "seconds", "started_ns", "ended_ns", "started_at", "host", "pid"),
    *(
        "waited_seconds",
        "neighbours",
        "warm_ups",
        "warm_up_steady",
        "attempt",
        "censored",
        "discarded",
        "executors_lacking",
        *host.COLUMNS,
        *probe.COLUMNS,
    ),
}
"""The columns that the engine fills, in addition to the parameters."""


def _nothing() -> AbstractContextManager[Mapping[str, Any]]:
    return nullcontext({})


@dataclass(frozen=True)
class Place:
    """How a measurement differs by where it is made; the defaults are those of an executor.

    Attributes:
        snapshot: takes a snapshot of the host.
        recorded: a context manager around the measurement; it gives a dict that holds further columns afterwards.
        cancel: see `limit.clocked`.
        tidies: whether to collect garbage before the slot is released.
    """

    snapshot: Callable[[], host.HostSnapshot | None] = host.snapshot
    recorded: Callable[[], AbstractContextManager[Mapping[str, Any]]] = _nothing
    cancel: Cancel | None = None
    tidies: bool = True


def measured(subject: Subject, task: Task, place: Place | None = None) -> Row:
    """Wait for a free slot of this host, and make one measurement.

    Returns:
        A row of results; its seconds are those of `measure` alone, times of day are in seconds since the epoch.

    Raises:
        JobError: `measure` did not return what the experiment declares.
        Exception: a function of the workload raised it.
    """
    place = place or Place()
    experiment, workload = subject.experiment, subject.workload
    with slots.slot(experiment.concurrency) as waited:
        warm = settle(subject, task, place.cancel)
        probes = [probe.probe()] if experiment.probe else []  # before `ready`, whose caches it would cool down
        argument = workload.ready(subject.prepared, task.cell) if workload.ready else subject.prepared
        with place.recorded() as recorded:
            before, started_at = place.snapshot(), time.time()
            clock = clocked(partial(workload.measure, argument, task.cell), experiment.max_seconds, place.cancel)
            after = place.snapshot()
            probes += [probe.probe() for _ in probes]
        del argument
        if place.tidies:
            tidy()
    around = {
        "started_at": started_at,
        "waited_seconds": waited,
        "warm_ups": warm.count,
        "warm_up_steady": warm.steady,
        **recorded,
        **host.between(before, after),
        **({"probe_seconds": statistics.fmean(probes)} if probes else {}),
    }
    return _row(experiment, task, clock, around)


_END = object()


def measured_parts(subject: Subject, task: Task, place: Place) -> Iterator[Row]:
    """Wait for a free slot of this host, and make one measurement whose parts are rows of their own.

    `measure` yields the result of each part. The clock runs while it is at work; a `yield` without a result stops it
    until the next part, for what is to be done between parts and is not to be timed. There is no warm-up: the first
    part is apart. The limit is for each part, and one that is stopped ends the measurement.

    Yields:
        A row for each part, as soon as it has ended; see `measured`.

    Raises:
        JobError: `measure` did not yield what the experiment declares.
        Exception: a function of the workload raised it.
    """
    experiment, workload = subject.experiment, subject.workload
    with slots.slot(experiment.concurrency) as waited:
        argument = workload.ready(subject.prepared, task.cell) if workload.ready else subject.prepared
        with closing(_iterator(experiment, task.cell, workload.measure(argument, task.cell))) as parts:
            for number in itertools.count(1):
                probes = [probe.probe()] if experiment.probe else []
                before, started_at = place.snapshot(), time.time()
                clock = clocked(partial(next, parts, _END), experiment.max_seconds, place.cancel)
                after = place.snapshot()
                if not clock.censored and clock.result is None:
                    clock = replace(clock, result=next(parts, _END))
                if clock.result is _END:
                    break
                probes += [probe.probe() for _ in probes]
                around = {
                    "started_at": started_at,
                    "waited_seconds": waited if number == 1 else 0.0,
                    "warm_ups": 0,
                    "warm_up_steady": None,
                    **host.between(before, after),
                    **({"probe_seconds": statistics.fmean(probes)} if probes else {}),
                }
                yield _row(experiment, task, clock, around, number)
                if clock.censored:
                    return
    if number == 1:
        raise _refused(experiment, task.cell, None, "without having yielded a part")


def _iterator(experiment: Declared, cell: Cell, made: Any) -> Generator[Any, None, None]:
    """What `measure` returned, if it is a generator.

    Raises:
        JobError: it is not one.
    """
    if not isinstance(made, Generator):
        hint = "yield a dict for each part, or leave out entrypoint.parts.column"
        raise _refused(experiment, cell, made, "which is not a generator of parts", hint)
    return made


def _row(experiment: Declared, task: Task, clock: Clocked, around: Mapping[str, Any], number: int | None = None) -> Row:
    """The row of a measurement or, with its number, of a part."""
    counted = _counted(experiment, task.cell, clock)
    if experiment.parts and number:
        counted |= experiment.parts.filled(number, counted.get(experiment.count), clock.seconds)
    return {
        **task.cell,
        "repetition": task.cell.repetition,
        "execution": 1,
        "order": task.order,
        **counted,
        "seconds": clock.seconds,
        "started_ns": clock.started_ns,
        "ended_ns": clock.ended_ns,
        "censored": clock.censored,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "neighbours": 0,
        **around,
    }


def _counted(experiment: Declared, cell: Cell, clock: Clocked) -> Row:
    """The result of `measure`, as columns.

    Raises:
        JobError: the result is not what the experiment declares.
    """
    if clock.censored:
        return {} if experiment.count in cell else {experiment.count: None}
    result, count = clock.result, experiment.count
    if isinstance(result, bool) or not isinstance(result, Mapping | numbers.Real):
        raise _refused(experiment, cell, result, "which is neither a number nor a dict")
    columns = result if isinstance(result, Mapping) else {count: result}
    if count not in columns:
        raise _refused(experiment, cell, result, f"which lacks '{count}', the column of the count")
    ours = {*_RESERVED, *experiment.grid, *(vars(experiment.parts).values() if experiment.parts else ())}
    if taken := sorted(ours & columns.keys() - {count}):
        raise _refused(experiment, cell, result, f"in which '{taken[0]}' is the framework's column", "rename it")
    plain = {name: _plain(value) for name, value in columns.items()}
    if invalid := [name for name, value in plain.items() if not isinstance(name, str) or value is _NOT_JSON]:
        reason = f"in which {invalid[0]!r} is not a number, text, boolean or null"
        raise _refused(experiment, cell, result, reason, "return plain values only")
    number = plain[count]
    if isinstance(number, bool) or not isinstance(number, int | float) or number <= 0:
        raise _refused(experiment, cell, result, f"which counts nothing: '{count}' must be a number above 0")
    if number != cell.get(count, number):
        reason = f"but the parameter '{count}' has the same name and another value"
        raise _refused(experiment, cell, result, reason, "give the count another column: entrypoint.column")
    return plain


_NOT_JSON = object()


def _plain(value: Any) -> Any:
    """The value that JSON has for a value; `_NOT_JSON` if there is none."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, numbers.Integral):  # NumPy's as well
        return int(value)
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    return _NOT_JSON


def _refused(experiment: Declared, cell: Cell, result: Any, reason: str, hint: str | None = None) -> JobError:
    where = f"{cell}, repetition {cell.repetition}" if cell else f"repetition {cell.repetition}"
    return JobError(
        f"{experiment.name}: measure returned {str(result)[:200]} for {where}, {reason}",
        where="entrypoint.script",
        hint=hint or f"return the number of {experiment.count}, or a dict such as {{'{experiment.count}': 1000}}",
    )
