"""What the service was told to do wrong, kept in the state's notes."""

from __future__ import annotations

import time
from typing import Any

import grpc

from flowerexp.rehearsal.refusal import RefusalError
from flowerexp.rehearsal.state import State

FAULTS = ("call_faults", "operation_faults", "job_faults", "clock_jumps", "preemptions")
"""The kinds of faults that are armed for a number of times."""


def code(name: str) -> grpc.StatusCode:
    """The status of a name such as UNAVAILABLE."""
    found: grpc.StatusCode = grpc.StatusCode[name]
    return found


class Faults:
    """Faults are armed for the next n times, and used up."""

    def __init__(self, state: State) -> None:
        self._state = state

    def _take(self, kind: str, name: str, **more: Any) -> dict[str, Any] | None:
        with self._state.lock:
            for fault in self._state.notes[kind]:
                if fault["name"] in (name, "*") and all(fault.get(key) == value for key, value in more.items()):
                    fault["times"] -= 1
                    if not fault["times"]:
                        self._state.notes[kind].remove(fault)
                    self._state.save()
                    found: dict[str, Any] = fault
                    return found
        return None

    def call(self, method: str, *, after: bool) -> None:
        """Before or after a call takes effect: later by the service's clock, slow, or an error, as told.

        Raises:
            RefusalError: the error.
        """
        jump = None if after else self._take("clock_jumps", method)
        if jump:
            self._state.notes["clock"] += jump["seconds"]
            self._state.save()
        time.sleep(self._state.notes["delays"].get(f"{method}.after" if after else method, 0.0))
        fault = self._take("call_faults", method, after=after)
        if fault:
            raise RefusalError(code(fault["code"]), fault["message"])

    def operation(self, kind: str) -> None:
        """At the end of an operation on a cluster (CREATE or DELETE).

        Raises:
            RefusalError: the error that it ends with.
        """
        fault = self._take("operation_faults", kind)
        if fault:
            raise RefusalError(code(fault["code"]), fault["message"])

    def stock_out(self, zone: str) -> None:
        """In a zone that has no machines left.

        Raises:
            RefusalError: in the words of kestra-io/plugin-gcp issue 698.
        """
        if zone in self._state.notes["stocked_out"]:
            raise RefusalError(
                grpc.StatusCode.UNAVAILABLE,
                "Error Code: UNAVAILABLE, errorSource: COMPUTE_ENGINE, Error Message: ZONE_RESOURCE_POOL_EXHAUSTED: "
                f"The zone 'projects/{self._state.project}/zones/{zone}' does not have enough resources available to "
                "fulfill the request.  Try a different zone, or try again later.",
            )

    def preempts(self) -> bool:
        """Is an executor of the next job to be taken away?"""
        return self._take("preemptions", "job") is not None

    def job(self, kind: str) -> dict[str, Any] | None:
        """How the next job or batch is to end, if a test said so: its state, details and output."""
        return self._take("job_faults", kind)
