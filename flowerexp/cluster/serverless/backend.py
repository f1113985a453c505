"""Jobs as Dataproc batches; Google's libraries are imported only when a method needs them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.cluster import ClusterObserver, JobFiles
from flowerexp.cluster.google.backend import GoogleBackend
from flowerexp.cluster.google.names import cluster_name
from flowerexp.cluster.serverless.config import Serverless

if TYPE_CHECKING:
    from flowerexp.cluster.google.wheels import Packages
    from flowerexp.cluster.serverless.batches import Batch


class ServerlessBackend(GoogleBackend[Serverless]):
    """Dataproc batches: Google runs each job on machines of its own."""

    def __init__(self, cluster: Serverless) -> None:
        super().__init__(cluster)
        self._staged: Packages | None = None

    def open(self, scope: str, requires: Mapping[str, str], observer: ClusterObserver) -> None:
        """See `Backend.open`: there is nothing to create but the bucket and what lies in it."""
        self.opened = False
        self.bucket.ensure()
        if self.cluster.container is None:
            self._staged = self.packages(requires, "runtime", self.cluster.runtime_version, archive=True)
        self.opened = True
        observer.notify("running", {"name": cluster_name(scope, self.cluster), "scope": scope})

    def submit(self, files: JobFiles) -> Batch:
        """See `Backend.submit`."""
        from flowerexp.cluster.serverless import batches

        return batches.submit(self.clients, self.bucket, self.cluster, self._staged, files)

    def handle(self, folder: Path, scope: str) -> dict[str, Any]:
        """See `Backend.handle`."""
        from flowerexp.cluster.serverless import batches

        return batches.handle(self.bucket, scope, folder)

    def running(self, scope: str) -> list[str]:
        """See `Backend.running`."""
        from flowerexp.cluster.serverless import batches

        return batches.running(self.clients, scope, cluster_name(scope, self.cluster))

    def submitted(self, folder: Path, handle: Mapping[str, Any]) -> Batch:
        """See `GoogleBackend.submitted`."""
        from flowerexp.cluster.serverless import batches

        name, staged = handle["batch_id"], handle["staged"]
        return batches.Batch(self.clients, self.bucket, name, folder, staged)

    def close(self, scope: str, observer: ClusterObserver) -> None:
        """See `Backend.close`: a batch that has ended costs nothing, and one that has not is ended."""
        if self.opened is not False:
            from flowerexp.cluster.serverless import batches

            batches.end(self.clients, self.bucket, scope, cluster_name(scope, self.cluster))
            observer.notify("deleted", {"name": cluster_name(scope, self.cluster), "scope": scope})
