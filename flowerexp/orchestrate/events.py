"""What happens to jobs and their runs, and who writes it down."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flowerexp.cluster import Submission
from flowerexp.orchestrate.home import Result
from flowerexp.plan import PlannedRun


@dataclass(frozen=True)
class Event:
    """Something that happened to a job or one of its runs.

    Attributes:
        kind: `cluster` (its state changed), `submitted`, `progress`, `started`, `ended` (its results are there), `lost`
            (the job ended without them), `refused` (the job could not be submitted), `warning`, `closed` (the last
            event of a drive), or `logged` (MLflow has been told, or could not be).
        runs: the runs that it is about.
        message: the progress message, the submission's handle, the cluster's state, the error's text, the drive that
            closed, or the result that was logged.
        exit_code: of the job that ended.
        tail: the last lines that the job printed.
        token: that of the attempt whose results are there.
    """

    kind: str
    runs: Sequence[PlannedRun] = ()
    message: Any = None
    exit_code: int = 0
    tail: Sequence[str] = ()
    token: str | None = None


@dataclass(frozen=True)
class Found:
    """A job that outlived its launcher: it is followed, not started again; `token` is what its results carry."""

    submission: Submission
    runs: Sequence[PlannedRun]
    token: str | None

    @property
    def cluster(self) -> Mapping[str, Any]:
        """The config of the cluster that it runs on."""
        cluster: Mapping[str, Any] = self.runs[0].config["cluster"]
        return cluster


class Keeper(Protocol):
    """Who writes down, at once, what becomes of a cluster."""

    def cluster(self, state: str, config: Mapping[str, Any], handle: Mapping[str, Any]) -> None:
        """A cluster is `creating`, `running`, `deleting` or `deleted`; called from the threads of the drives."""
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
        """MLflow was told about a run that has come home, or could not be."""
        ...

    def lost(self, run: PlannedRun, reason: str) -> None:
        """A run's job ended without its results."""
        ...


def scope(folder: Path) -> str:
    """The name under which a sweep, or a single run, keeps its things apart in a cloud.

    Args:
        folder: of the sweep or the run; two folders of one name, also on two machines, give two scopes.
    """
    folder = folder.absolute()
    digest = hashlib.sha256(f"{socket.gethostname()}:{folder}".encode()).hexdigest()[:8]
    name = re.sub(r"[^a-z0-9]+", "-", f"{folder.parent.name}-{folder.name}".lower()).strip("-")
    return f"{name[-32:].strip('-')}-{digest}"
