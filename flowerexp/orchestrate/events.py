"""What happens to jobs and their runs, and who writes it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flowerexp.cluster import Submission
from flowerexp.config.schema import Cluster
from flowerexp.orchestrate.collect import Result
from flowerexp.plan import PlannedRun


@dataclass(frozen=True)
class Event:
    """Something that happened to a job or one of its runs.

    Attributes:
        kind: `cluster` (its state changed), `submitted`, `progress`, `started`, `ended` (its results are there), `lost`
            (the job ended without them), `refused` (the job could not be submitted), `warning`, `closed` (the last
            event of a drive), or `logged` (MLflow has been told, or could not be).
        runs: the runs that it is about.
        message: the progress message, the submission's handle, the cluster's state, the error that it was refused with,
            the drive that closed, or the result that was logged.
        exit_code: of the job that ended.
        tail: the last lines that the job printed.
        token: that of the attempt whose results are there, or which was lost.
    """

    kind: str
    runs: Sequence[PlannedRun] = ()
    message: Any = None
    exit_code: int = 0
    tail: Sequence[str] = ()
    token: str | None = None


@dataclass(frozen=True)
class RunningJob:
    """A job of an earlier launcher.

    Attributes:
        submission: of the job, which is followed, not started again; None for one whose submission nobody knows to have
            arrived: it is submitted again, in the same folder, so that it is the same job should it still arrive.
        runs: those of its runs that have not ended.
        name: its folder's.
    """

    submission: Submission | None
    runs: Sequence[PlannedRun]
    name: str

    @property
    def cluster(self) -> Cluster:
        """The config of the cluster that it runs on."""
        return self.runs[0].config.cluster


class Keeper(Protocol):
    """Who writes down, at once, what becomes of a cluster, and what is about to be submitted to it."""

    def cluster(self, state: str, config: Cluster, handle: Mapping[str, Any]) -> None:
        """A cluster is `creating`, `running`, `deleting` or `deleted`; called from the threads of the drives."""
        ...

    def submitting(self, runs: Sequence[PlannedRun], folder: str, handle: Mapping[str, Any]) -> None:
        """A job is about to be submitted; called from the threads of the drives, before the call that submits it."""
        ...


class Recorder(Keeper, Protocol):
    """Who keeps the journal of a sweep."""

    def submitted(self, runs: Sequence[PlannedRun], folder: str, handle: Mapping[str, Any]) -> None:
        """A job was submitted."""
        ...

    def started(self, run: PlannedRun) -> None:
        """A run has started on its cluster."""
        ...

    def ended(self, result: Result) -> None:
        """A run has come home, finished or failed."""
        ...

    def logged(self, result: Result) -> None:
        """A run whose results are here was logged to MLflow, or could not be."""
        ...

    def lost(self, run: PlannedRun, reason: str) -> None:
        """A run's job ended without its results; rows that it had measured are in the run's folder."""
        ...
