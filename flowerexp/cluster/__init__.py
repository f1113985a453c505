"""Clusters: the protocol of what runs jobs, and a folder for each kind of cluster.

A kind's folder holds its config's keys (`config`), what is known of a cluster by its config alone (`kind`, a subclass
of `kind.Kind`), and what runs jobs on it (`backend`, a `Backend`), which is imported only when a job is to run.

- `local`, `local_nodes`, `spark_master`, `dataproc`, `serverless`: the kinds
- `google`: what the kinds in Google Cloud share; `leftovers`: what is there of both
- `cost`, `shares`, `quota`: arithmetic with what kinds say
- `spark_submit`, `submitted`, `process`, `environment`, `java`: jobs that this machine's `spark-submit` starts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class JobFiles:
    """What is submitted: files of this machine.

    Attributes:
        folder: the job's own folder; its driver's log and event log go here.
        script: the entrypoint's script.
        bundle: the zip with the code that the script imports.
        job: the job file, `job.json`.
        scope: the name under which the sweep, or the single run, keeps its things apart in a cloud.
        requires: what the script imports beside PySpark: the module's name, and the pinned requirement.
    """

    folder: Path
    script: Path
    bundle: Path
    job: Path
    scope: str = ""
    requires: Mapping[str, str] | None = None


class Submission(Protocol):
    """A job that was submitted."""

    @property
    def handle(self) -> dict[str, Any]:
        """What finds the job again from another process, as JSON can hold it."""
        ...

    def poll(self) -> tuple[Sequence[str], int | None]:
        """The lines that the driver printed since the last call, and the exit code once it has ended."""
        ...

    def stop(self) -> None:
        """End the job and everything that it started; harmless when it has ended."""
        ...

    def collect(self) -> None:
        """Once it has ended, bring the driver's log and the event log into the job's folder.

        Raises:
            ClusterError: they cannot be fetched; the results of the runs are not touched by that.
        """
        ...


class ClusterObserver(Protocol):
    """Who is notified of what happens to a cluster, and says when it should end."""

    @property
    def stopping(self) -> bool:
        """Was the sweep stopped? Then creating ends, too."""
        ...

    def notify(self, state: str, handle: Mapping[str, Any], message: str = "") -> None:
        """Record at once, and for good, that a cluster is `creating`, `running`, `deleting` or `deleted`.

        Args:
            state: the new state; `creating` comes before the call that creates, so that no cluster is forgotten.
            handle: what finds the cluster again, as JSON can hold it; `name` in any case.
            message: for the user, such as the reason why another zone is tried.
        """
        ...


class Backend(Protocol):
    """What runs jobs on one cluster.

    Attributes:
        on_this_host: do its jobs share this machine with the launcher?
    """

    on_this_host: bool

    def check(self) -> None:
        """Find out, before anything starts, whether a job could run here.

        Raises:
            MachineError: something is missing on this machine.
            ClusterError: the cloud cannot be used, such as without credentials.
        """
        ...

    def output(self, run_folder: Path, scope: str) -> str:
        """The path or URI of the folder to which a run writes its results."""
        ...

    def open(self, scope: str, requires: Mapping[str, str], observer: ClusterObserver) -> None:
        """Make the cluster ready for jobs: create it, or find the one that this scope has already.

        Args:
            scope: the sweep or run that it belongs to.
            requires: the modules that its jobs import, each with the pinned requirement.
            observer: who is notified of what happens to the cluster.

        Raises:
            ClusterError: it could not be created; nothing of it is left.
            StoppedError: `observer.stopping` became true; nothing of it is left.
        """
        ...

    def handle(self, folder: Path, scope: str) -> dict[str, Any]:
        """What will find the job of a folder, as JSON can hold it: written down before the job is submitted."""
        ...

    def submit(self, files: JobFiles) -> Submission:
        """Start a job; returns while it runs. A second one of the same scope and folder is the first one."""
        ...

    def running(self, scope: str) -> list[str]:
        """The ids, as in their handles, of the scope's jobs that run on this cluster, whoever submitted them.

        Raises:
            ClusterError: the cloud does not say.
        """
        ...

    def arrived(self, handle: Mapping[str, Any]) -> bool:
        """Does the cluster know the job of this handle? One that it does not may still be on its way.

        Raises:
            ClusterError: the cloud does not say.
        """
        ...

    def find(self, folder: Path, handle: dict[str, Any]) -> Submission | None:
        """A job that another process submitted, by its folder and either handle; None if it runs no longer."""
        ...

    def close(self, scope: str, observer: ClusterObserver) -> None:
        """Delete what `open` created for this scope, also if another process did; harmless when there is nothing.

        Raises:
            ClusterError: it may still be there; the message says how to delete it by hand.
        """
        ...


class ExistingCluster:
    """A cluster that exists already and sees the folders of this machine: there is nothing to open, close or fetch.

    Its jobs are children of the launcher, so that a job that was submitted has always arrived.
    """

    def output(self, run_folder: Path, scope: str) -> str:
        """See `Backend.output`: the run's own folder."""
        return str(run_folder / "results")

    def open(self, scope: str, requires: Mapping[str, str], observer: ClusterObserver) -> None:
        """See `Backend.open`."""

    def handle(self, folder: Path, scope: str) -> dict[str, Any]:
        """See `Backend.handle`."""
        return {"token": f"{scope}/{folder.name}"}

    def running(self, scope: str) -> list[str]:
        """See `Backend.running`: there are no jobs beside those in the journal."""
        return []

    def arrived(self, handle: Mapping[str, Any]) -> bool:
        """See `Backend.arrived`."""
        return True

    def close(self, scope: str, observer: ClusterObserver) -> None:
        """See `Backend.close`."""
