"""What the backends of the kinds in Google Cloud have in common.

Google's libraries take seconds to import, so that this module imports them only when one of its methods needs them.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flowerexp.cluster.google import versions
from flowerexp.cluster.google.config import GoogleCluster

if TYPE_CHECKING:
    from flowerexp.cluster.google.clients import Clients
    from flowerexp.cluster.google.staging import Bucket
    from flowerexp.cluster.google.submission import CloudSubmission
    from flowerexp.cluster.google.wheels import Packages

OWN = ("fsspec", "gcsfs")
"""What every job needs to read its config from the bucket and to write its results there."""
C = TypeVar("C", bound=GoogleCluster)


@functools.cache
def _check(project: str, region: str, bucket: str) -> None:
    """Ask Google something harmless, once: are there credentials, permission, the service, and a usable bucket?

    Raises:
        ClusterError: one of them is missing.
    """
    from flowerexp.cluster.google.clients import Clients
    from flowerexp.cluster.google.staging import GOOGLE_ERRORS, Bucket

    clients = Clients(project, region)
    try:
        clients.clusters.list_clusters(request={**clients.place, "page_size": 1}, **clients.call)
        _ = clients.storage
    except (*GOOGLE_ERRORS, OSError) as error:  # google-cloud-storage: OSError without a project
        raise clients.explained(error, f"asking Dataproc in project {project}") from error
    Bucket(clients, bucket).check()


class GoogleBackend(ABC, Generic[C]):
    """What runs jobs in Google Cloud."""

    on_this_host = False

    def __init__(self, cluster: C) -> None:
        self.cluster = cluster
        self.opened: bool | None = None
        """Did `open` come as far as to notify of a cluster? None if it was never called."""

    def check(self) -> None:
        """See `Backend.check`."""
        _check(self.cluster.project, self.cluster.region, self.cluster.bucket)

    def output(self, run_folder: Path, scope: str) -> str:
        """See `Backend.output`."""
        return f"gs://{self.cluster.bucket}/flowerexp/runs/{scope}/{run_folder.name}/results"

    @cached_property
    def clients(self) -> Clients:
        """The clients of its project and region."""
        from flowerexp.cluster.google.clients import Clients

        return Clients(self.cluster.project, self.cluster.region)

    @cached_property
    def bucket(self) -> Bucket:
        """Where its jobs find their files."""
        from flowerexp.cluster.google.staging import Bucket

        return Bucket(self.clients, self.cluster.bucket)

    def packages(self, requires: Mapping[str, str], what: str, version: str, *, archive: bool) -> Packages | None:
        """Stage what jobs import, and what flowerexp's own code there needs, for the Python of an image or a runtime.

        Args:
            requires: modules, each with its requirement.
            what: `image` or `runtime`.
            version: of it.
            archive: see `wheels.stage`.

        Returns:
            None where the image has them.

        Raises:
            ConfigError: the Python of the version is not known.
        """
        if self.cluster.packages != "stage":
            return None
        from flowerexp.cluster.google.wheels import stage

        requires = {**{name: f"{name}=={metadata.version(name)}" for name in OWN}, **requires}
        return stage(self.bucket, requires, versions.python_of(what, version), archive=archive)

    @abstractmethod
    def submitted(self, folder: Path, handle: Mapping[str, Any]) -> CloudSubmission:
        """The job of a folder, by its handle, whether or not there is one."""

    def arrived(self, handle: Mapping[str, Any]) -> bool:
        """See `Backend.arrived`."""
        return self.submitted(Path(), handle).seen() is not None

    def find(self, folder: Path, handle: dict[str, Any]) -> CloudSubmission | None:
        """See `Backend.find`; a job that has ended well is found, too, since its results can be fetched."""
        submission = self.submitted(folder, handle)
        seen = submission.seen()
        return submission if seen and (seen.good or not seen.ended) else None
