"""Executors that Spark loses while measurements are made, such as those of a spot machine that Google takes back.

A measurement during which an executor is lost is discarded and made again: it lacked a part of the cluster, and waited
for work that was repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from py4j.protocol import Py4JError

from flowerexp.errors import MachineError
from flowerexp.workload import executors
from flowerexp.workload.engine.cells import Task

MOST = 5
"""How often a measurement is made at most, until no executor is lost during it."""

_LONGEST = 120  # characters of Spark's reason


class Loss(NamedTuple):
    """An executor that was lost: its id and host, when (seconds since the epoch, by the driver's clock), and why."""

    executor: str
    host: str
    at: float
    reason: str

    def __str__(self) -> str:
        return f"executor {self.executor} on {self.host} was lost ({self.reason})"

    def is_during(self, row: dict[str, Any]) -> bool:
        """Was it lost while the measurement of a row was made?"""
        started = row["started_at"]
        return bool(started <= self.at <= started + row["seconds"])


class Watch:
    """Notices the executors that are lost from now on.

    Args:
        context: the SparkContext.
    """

    def __init__(self, context: Any) -> None:
        self._context = context
        self._known = {loss.executor for loss in self._all()}

    def lost(self) -> list[Loss]:
        """The executors that were lost since this was asked last."""
        found = [loss for loss in self._all() if loss.executor not in self._known]
        self._known.update(loss.executor for loss in found)
        return found

    def _all(self) -> list[Loss]:
        """Those of the application that Spark remembers, the last 100."""
        if executors.in_driver(self._context):
            return []
        with suppress(Py4JError):  # it waits for at most 10 s; what is not known then, is known the next time
            self._context._jsc.sc().listenerBus().waitUntilEmpty()
        return [_loss(one) for one in executors.summaries(self._context, active=False) if not one.isActive()]


def _loss(summary: Any) -> Loss:
    at, reason = summary.removeTime(), summary.removeReason()
    why = " ".join(str(reason.get()).split()) if reason.isDefined() else "Spark does not say why"
    seconds = at.get().getTime() / 1e3 if at.isDefined() else 0.0
    host = summary.hostPort().rpartition(":")[0]
    return Loss(summary.id(), host, seconds, why if len(why) <= _LONGEST else f"{why[:_LONGEST]}...")


def given_up(tasks: Sequence[Task], lost: str) -> MachineError:
    """The error for measurements that were made `MOST` times, and each time were disturbed.

    Args:
        tasks: the measurements.
        lost: what disturbed the last one.
    """
    first = tasks[0].cell
    more = f" and {len(tasks) - 1} more" if len(tasks) > 1 else ""
    return MachineError(
        f"the measurement of {first}{more} was discarded {MOST} times; the last time {lost}",
        where="cluster",
        hint="take machines that are not taken back (cluster.secondary.kind=standard), or fewer of them; flowerexp "
        "resume goes on with the measurements that are missing",
    )
