"""Jobs on Dataproc clusters; Google's libraries are imported only when a method needs them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.cluster import ClusterObserver, JobFiles
from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.cluster.google.backend import GoogleBackend
from flowerexp.cluster.google.names import cluster_name

if TYPE_CHECKING:
    from flowerexp.cluster.dataproc.jobs import Job
    from flowerexp.cluster.dataproc.lifecycle import Lifecycle


class DataprocBackend(GoogleBackend[Dataproc]):
    """A Dataproc cluster that is created for a sweep and deleted after it."""

    def __init__(self, cluster: Dataproc) -> None:
        super().__init__(cluster)
        self._lifecycle: Lifecycle | None = None

    def _lifecycle_of(self, scope: str, observer: ClusterObserver) -> Lifecycle:
        if self._lifecycle is None:
            from flowerexp.cluster.dataproc.lifecycle import Lifecycle

            self._lifecycle = Lifecycle(self.clients, cluster_name(scope, self.cluster), scope, observer)
        return self._lifecycle

    def open(self, scope: str, requires: Mapping[str, str], observer: ClusterObserver) -> None:
        """See `Backend.open`."""
        from flowerexp.cluster.dataproc.requests import cluster_message

        self.opened = False
        self.bucket.ensure()
        packages = self.packages(requires, "image", self.cluster.image_version, archive=False)
        name = cluster_name(scope, self.cluster)
        self.opened = True
        self._lifecycle_of(scope, observer).open(
            lambda zone: cluster_message(self.cluster, name, scope, zone, packages), self.cluster.zones
        )

    def submit(self, files: JobFiles) -> Job:
        """See `Backend.submit`."""
        from flowerexp.cluster.dataproc import jobs

        return jobs.submit(self.clients, self.bucket, self.cluster, cluster_name(files.scope, self.cluster), files)

    def handle(self, folder: Path, scope: str) -> dict[str, Any]:
        """See `Backend.handle`."""
        from flowerexp.cluster.dataproc import jobs

        return jobs.handle(self.bucket, scope, folder, cluster_name(scope, self.cluster))

    def running(self, scope: str) -> list[str]:
        """See `Backend.running`."""
        from flowerexp.cluster.dataproc import jobs

        return jobs.running(self.clients, scope, cluster_name(scope, self.cluster))

    def submitted(self, folder: Path, handle: Mapping[str, Any]) -> Job:
        """See `GoogleBackend.submitted`."""
        from flowerexp.cluster.dataproc import jobs

        name, staged = handle["job_id"], handle["staged"]
        return jobs.Job(self.clients, self.bucket, name, folder, staged, handle["cluster"])

    def close(self, scope: str, observer: ClusterObserver) -> None:
        """See `Backend.close`."""
        failed_before = self.opened is False  # here, before anything was asked for
        self._lifecycle_of(scope, observer).delete(made=not failed_before)
