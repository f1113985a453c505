"""Clusters: one protocol, one module a kind of cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flowerexp.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class JobFiles:
    """What is submitted: files of this machine.

    Attributes:
        folder: the job's own folder; its driver's log and event log go here.
        script: the entrypoint's script.
        bundle: the zip with the code that the script imports.
        job: the job file, `job.json`.
    """

    folder: Path
    script: Path
    bundle: Path
    job: Path


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


class Backend(Protocol):
    """A kind of cluster.

    Attributes:
        on_this_host: do its jobs share this machine with the launcher?
    """

    on_this_host: bool

    def check(self) -> None:
        """Find out, before anything starts, whether a job could run here.

        Raises:
            MachineError: something is missing.
        """
        ...

    def submit(self, files: JobFiles) -> Submission:
        """Start a job; returns while it runs."""
        ...

    def find(self, folder: Path, handle: dict[str, Any]) -> Submission | None:
        """A job that another process submitted, by its folder and handle; None if it runs no longer."""
        ...


def backend(cluster: dict[str, Any]) -> Backend:
    """The backend of a cluster config.

    Raises:
        ConfigError: the kind is unknown.
    """
    from flowerexp.cluster.local import Local

    kinds = {"local": Local}
    if cluster["kind"] not in kinds:
        raise ConfigError(f"cluster.kind={cluster['kind']} is unknown", hint=did_you_mean(cluster["kind"], kinds))
    return kinds[cluster["kind"]](cluster)
