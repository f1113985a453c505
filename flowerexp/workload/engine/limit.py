"""Time a piece of work, and end it when it reaches a time limit."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

_AGAIN_SECONDS = 0.5  # work may catch the exception that ends it, or start another Spark job

Cancel = Callable[[], None]


class _Reached(BaseException):  # not an Exception, since work may catch those
    """The limit was reached."""


@dataclass(frozen=True)
class Clocked:
    """A piece of work that was timed, in nanoseconds of `perf_counter_ns`.

    Attributes:
        result: its return value; None if it was stopped.
        started_ns: its start.
        ended_ns: its end.
        censored: whether the limit ended it.
    """

    result: Any
    started_ns: int
    ended_ns: int
    censored: bool = False

    @property
    def seconds(self) -> float:
        """Its duration."""
        return (self.ended_ns - self.started_ns) / 1e9


def clocked(work: Callable[[], Any], seconds: float | None = None, cancel: Cancel | None = None) -> Clocked:
    """Do some work and time it. With a limit, it has to be called in the main thread.

    Args:
        work: the work.
        seconds: the limit; None for no limit.
        cancel: ends what `work` does in Spark's Java process; called in a separate thread while `work` waits for that
            process, since an exception would break the connection to it. None if `work` does nothing there.
    """
    if seconds is not None:
        return _limited(work, seconds, cancel)
    started_ns = time.perf_counter_ns()
    result = work()
    return Clocked(result, started_ns, time.perf_counter_ns())


def _limited(work: Callable[[], Any], seconds: float, cancel: Cancel | None) -> Clocked:
    over = reached = False

    def ring(_: int, frame: FrameType | None) -> None:
        nonlocal reached
        if over:
            return
        reached = True
        if cancel and _waits_for_java(frame):
            threading.Thread(target=cancel, daemon=True).start()
        else:
            raise _Reached

    result = None
    previous = signal.signal(signal.SIGALRM, ring)
    started_ns = time.perf_counter_ns()
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        try:
            result = work()
        finally:
            ended_ns = time.perf_counter_ns()
            over = True
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        if not reached:
            raise
        ended_ns = time.perf_counter_ns()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    if reached and cancel:
        cancel()  # Spark jobs that threads of `work` have started
    return Clocked(None if reached else result, started_ns, ended_ns, reached)


def _waits_for_java(frame: FrameType | None) -> bool:
    while frame:
        if "/py4j/" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False
