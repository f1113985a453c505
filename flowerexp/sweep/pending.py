"""What is still to be done of a sweep, when it begins and when it is resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowerexp.orchestrate.events import RunningJob
from flowerexp.plan import PlannedRun


@dataclass(frozen=True)
class Pending:
    """What is still to be done of a sweep.

    Attributes:
        missing: the runs to start.
        running: jobs that outlived an earlier launcher; they are followed.
        unlogged: runs whose results are here, and which MLflow does not have yet.
    """

    missing: Sequence[PlannedRun]
    running: Sequence[RunningJob] = ()
    unlogged: Sequence[PlannedRun] = ()
