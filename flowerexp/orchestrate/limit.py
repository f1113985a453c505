"""How much a batch does and for how long, and how long a run of a search may take, which can no longer win then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp.errors import AbortedError


@dataclass
class TimeLimit:
    """The seconds that the one run of a batch may take, from its start, or from the end of phases that others share.

    Attributes:
        seconds: the limit.
        shared: the phases whose results later runs of the same data reuse: their time says nothing about the cluster.
        started_at: epoch seconds at which the run has started; None before.
        ended_at: when the limit passed; None before.
        sharing: whether the run is in such a phase, which no limit ends.
    """

    seconds: float
    shared: Sequence[str] = ()
    started_at: float | None = None
    ended_at: float | None = None
    sharing: bool = False

    def start(self, now: float) -> None:
        """The run has started; one that is followed anew started when it did before."""
        if self.started_at is None:
            self.started_at = now

    def hear(self, message: Mapping[str, Any], now: float) -> None:
        """Take a progress message: the time of the run begins anew when a shared phase is over."""
        before, self.sharing = self.sharing, message.get("phase") in self.shared
        if before and not self.passed:
            self.started_at = now

    def passes(self, now: float) -> bool:
        """Is it just passing? Once only, so that the run is stopped once."""
        if self.passed or self.sharing or self.started_at is None or now - self.started_at <= self.seconds:
            return False
        self.ended_at = now
        return True

    @property
    def passed(self) -> bool:
        """Has it passed?"""
        return self.ended_at is not None

    @property
    def taken(self) -> float:
        """The seconds that the run had taken when the limit passed."""
        return (self.ended_at or 0.0) - (self.started_at or 0.0)

    @property
    def error(self) -> AbortedError:
        """What is said of the run that was stopped."""
        return AbortedError(f"it was stopped after {self.taken:.0f} s, since it can no longer win")


@dataclass(frozen=True)
class BatchLimits:
    """How much a batch does, and for how long.

    Attributes:
        max_clusters: how many clusters work side by side, as far as the quotas allow.
        max_failures: how many failed runs end the batch; None: any number may fail.
        run_time: how long its run may take, of a batch of one; None for as long as it likes.
        detach: it ends as soon as each cluster that it may have has a job, and leaves them to themselves.
        leave: Ctrl-C leaves jobs and clusters as they are, to be followed again, instead of stopping them.
    """

    max_clusters: int = 1
    max_failures: int | None = None
    run_time: TimeLimit | None = None
    detach: bool = False
    leave: bool = False
