"""What happens to jobs and their runs while a batch is at work, a frozen dataclass each, and who writes it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flowerexp.cluster import Submission
from flowerexp.config.schema import Cluster
from flowerexp.errors import FlowerexpError
from flowerexp.job.results import JobEnd
from flowerexp.orchestrate.collect import Result
from flowerexp.plan import PlannedRun


@dataclass(frozen=True)
class ClusterChanged:
    """A cluster is `creating`, `running`, `deleting` or `deleted`, since `at`, in epoch seconds; `text` says why."""

    cluster: Cluster
    name: str
    state: str
    text: str
    at: float


@dataclass(frozen=True)
class Submitted:
    """A job was submitted: its runs, its folder below the sweep's, and what finds it on its cluster."""

    runs: Sequence[PlannedRun]
    folder: str
    handle: Mapping[str, Any]


@dataclass(frozen=True)
class Progressed:
    """A job printed a progress message."""

    message: Mapping[str, Any]


@dataclass(frozen=True)
class Started:
    """A run has started on its cluster."""

    run: PlannedRun


@dataclass(frozen=True)
class Ended:
    """The results of a run are in its folder; `token` is that of the attempt that left them."""

    run: PlannedRun
    token: str | None


@dataclass(frozen=True)
class Lost:
    """A job ended without the results of these runs: by itself, or because it was stopped."""

    runs: Sequence[PlannedRun]
    end: JobEnd
    stopped: bool = False


@dataclass(frozen=True)
class Refused:
    """There was no job for these runs: their cluster could not be had, or the job not be submitted."""

    runs: Sequence[PlannedRun]
    error: FlowerexpError


@dataclass(frozen=True)
class Warned:
    """Something is to be said that stops nothing."""

    text: str


@dataclass(frozen=True)
class Left:
    """The job of these runs was submitted and goes on by itself; the cluster stays. A drive's last event."""

    cluster: Cluster
    runs: Sequence[PlannedRun]


@dataclass(frozen=True)
class Closed:
    """All jobs of a cluster are over, and the cluster is closed: the last event of a drive."""

    cluster: Cluster


@dataclass(frozen=True)
class Logged:
    """MLflow has a run, or could not be given it, as the result says."""

    result: Result


Event = ClusterChanged | Submitted | Progressed | Started | Ended | Lost | Refused | Warned | Left | Closed | Logged


@dataclass(frozen=True)
class RunningJob:
    """A job of an earlier launcher.

    Attributes:
        submission: of the job, which is followed, not started again; None for one whose submission may not have
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


@dataclass(frozen=True)
class Inherited:
    """What earlier launchers of a sweep have left.

    Attributes:
        jobs: those that still run; they are followed, not started again.
        clusters: configs of clusters that no run needs any more; they are only deleted.
    """

    jobs: Sequence[RunningJob] = ()
    clusters: Sequence[Cluster] = ()

    @property
    def runs(self) -> list[PlannedRun]:
        """The runs of the jobs."""
        return [run for job in self.jobs for run in job.runs]

    def __bool__(self) -> bool:
        return bool(self.jobs or self.clusters)


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
        """The results of a run were collected: it finished or failed."""
        ...

    def logged(self, result: Result) -> None:
        """A run whose results are here was logged to MLflow, or could not be."""
        ...

    def lost(self, run: PlannedRun, reason: str) -> None:
        """A run's job ended without its results; rows that it had measured are in the run's folder."""
        ...
