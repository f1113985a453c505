"""Dataproc's two kinds of cluster, as `flowerexp.cluster.Backend` wants them.

Google's libraries take seconds to import, so that this module imports them only when one of its methods needs them.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flowerexp.cluster import ClusterObserver, JobFiles
from flowerexp.cluster.dataproc.names import cluster_name
from flowerexp.config import schema

if TYPE_CHECKING:
    from flowerexp.cluster.dataproc.batches import Batch
    from flowerexp.cluster.dataproc.clients import Clients
    from flowerexp.cluster.dataproc.jobs import Job
    from flowerexp.cluster.dataproc.lifecycle import Lifecycle
    from flowerexp.cluster.dataproc.staging import Bucket
    from flowerexp.cluster.dataproc.submission import CloudSubmission
    from flowerexp.cluster.dataproc.wheels import Packages

C = TypeVar("C", bound=schema.Cloud)

# https://cloud.google.com/dataproc/docs/concepts/versioning/dataproc-version-clusters
_IMAGE_PYTHON = "3.11"  # of images 2.2, 2.3 and 3.0


@functools.cache
def _check(project: str, region: str, bucket: str) -> None:
    """Ask Google something harmless, once: are there credentials, permission, the service, and a bucket of ours?

    Raises:
        ClusterError: not so.
    """
    from flowerexp.cluster.dataproc.clients import Clients
    from flowerexp.cluster.dataproc.staging import GOOGLE_ERRORS, Bucket

    clients = Clients(project, region)
    try:
        clients.clusters.list_clusters(request={**clients.place, "page_size": 1}, **clients.call)
        _ = clients.storage
    except (*GOOGLE_ERRORS, OSError) as error:  # google-cloud-storage: OSError without a project
        raise clients.explained(error, f"asking Dataproc in project {project}") from error
    Bucket(clients, bucket).check()


class _Cloud(ABC, Generic[C]):
    """What both kinds have in common."""

    on_this_host = False

    def __init__(self, cluster: C) -> None:
        self.cluster = cluster
        self._opened: bool | None = None
        """Did `open` come as far as to tell of a cluster? None if it was never called."""

    def check(self) -> None:
        """See `Backend.check`."""
        _check(self.cluster.project, self.cluster.region, self.cluster.bucket)

    def output(self, run_folder: Path, scope: str) -> str:
        """See `Backend.output`."""
        return f"gs://{self.cluster.bucket}/flowerexp/runs/{scope}/{run_folder.name}/results"

    @cached_property
    def _clients(self) -> Clients:
        from flowerexp.cluster.dataproc.clients import Clients

        return Clients(self.cluster.project, self.cluster.region)

    @cached_property
    def _bucket(self) -> Bucket:
        from flowerexp.cluster.dataproc.staging import Bucket

        return Bucket(self._clients, self.cluster.bucket)

    def _packages(self, requires: Mapping[str, str], python: str, *, archive: bool) -> Packages | None:
        from flowerexp.cluster.dataproc.wheels import stage

        staged = self.cluster.packages == "stage"
        return stage(self._bucket, requires, python, archive=archive) if staged else None

    @abstractmethod
    def _submitted(self, folder: Path, handle: Mapping[str, Any]) -> CloudSubmission:
        """The job of a folder, by its handle, whether or not there is one."""

    def arrived(self, handle: Mapping[str, Any]) -> bool:
        """See `Backend.arrived`."""
        return self._submitted(Path(), handle).seen() is not None

    def find(self, folder: Path, handle: dict[str, Any]) -> CloudSubmission | None:
        """See `Backend.find`; a job that has ended well is found, too, since its results can be fetched."""
        found = self._submitted(folder, handle)
        seen = found.seen()
        return found if seen and (seen.good or not seen.ended) else None


class Dataproc(_Cloud[schema.Dataproc]):
    """A Dataproc cluster that is created for a sweep and deleted after it."""

    def __init__(self, cluster: schema.Dataproc) -> None:
        super().__init__(cluster)
        self._lifecycle: Lifecycle | None = None

    def _life(self, scope: str, life: ClusterObserver) -> Lifecycle:
        if self._lifecycle is None:
            from flowerexp.cluster.dataproc.lifecycle import Lifecycle

            self._lifecycle = Lifecycle(self._clients, cluster_name(scope, self.cluster), scope, life)
        return self._lifecycle

    def open(self, scope: str, requires: Mapping[str, str], life: ClusterObserver) -> None:
        """See `Backend.open`."""
        from flowerexp.cluster.dataproc.requests import cluster_message

        self._opened = False
        self._bucket.ensure()
        packages = self._packages(requires, _IMAGE_PYTHON, archive=False)
        name = cluster_name(scope, self.cluster)
        self._opened = True
        self._life(scope, life).open(
            lambda zone: cluster_message(self.cluster, name, scope, zone, packages), self.cluster.zones
        )

    def submit(self, files: JobFiles) -> Job:
        """See `Backend.submit`."""
        from flowerexp.cluster.dataproc import jobs

        return jobs.submit(self._clients, self._bucket, self.cluster, cluster_name(files.scope, self.cluster), files)

    def handle(self, folder: Path, scope: str) -> dict[str, Any]:
        """See `Backend.handle`."""
        from flowerexp.cluster.dataproc import jobs

        return jobs.handle(self._bucket, scope, folder, cluster_name(scope, self.cluster))

    def running(self, scope: str) -> list[str]:
        """See `Backend.running`."""
        from flowerexp.cluster.dataproc import jobs

        return jobs.running(self._clients, scope, cluster_name(scope, self.cluster))

    def _submitted(self, folder: Path, handle: Mapping[str, Any]) -> Job:
        from flowerexp.cluster.dataproc import jobs

        name, staged = handle["job_id"], handle["staged"]
        return jobs.Job(self._clients, self._bucket, name, folder, staged, handle["cluster"])

    def close(self, scope: str, life: ClusterObserver) -> None:
        """See `Backend.close`."""
        failed_before = self._opened is False  # here, before anything was asked for
        self._life(scope, life).delete(made=not failed_before)


class Serverless(_Cloud[schema.Serverless]):
    """Dataproc batches: Google runs each job on machines of its own."""

    def __init__(self, cluster: schema.Serverless) -> None:
        super().__init__(cluster)
        self._staged: Packages | None = None

    def open(self, scope: str, requires: Mapping[str, str], life: ClusterObserver) -> None:
        """See `Backend.open`: there is nothing to create but the bucket and what lies in it."""
        from flowerexp.cluster.dataproc.batches import python_of

        self._opened = False
        self._bucket.ensure()
        if self.cluster.container is None and self.cluster.packages == "stage":
            self._staged = self._packages(requires, python_of(self.cluster.runtime_version), archive=True)
        self._opened = True
        life.tell("running", {"name": cluster_name(scope, self.cluster), "scope": scope})

    def submit(self, files: JobFiles) -> Batch:
        """See `Backend.submit`."""
        from flowerexp.cluster.dataproc import batches

        return batches.submit(self._clients, self._bucket, self.cluster, self._staged, files)

    def handle(self, folder: Path, scope: str) -> dict[str, Any]:
        """See `Backend.handle`."""
        from flowerexp.cluster.dataproc import batches

        return batches.handle(self._bucket, scope, folder)

    def running(self, scope: str) -> list[str]:
        """See `Backend.running`."""
        from flowerexp.cluster.dataproc import batches

        return batches.running(self._clients, scope, cluster_name(scope, self.cluster))

    def _submitted(self, folder: Path, handle: Mapping[str, Any]) -> Batch:
        from flowerexp.cluster.dataproc import batches

        name, staged = handle["batch_id"], handle["staged"]
        return batches.Batch(self._clients, self._bucket, name, folder, staged)

    def close(self, scope: str, life: ClusterObserver) -> None:
        """See `Backend.close`: a batch that has ended costs nothing, and one that has not is ended."""
        if self._opened is not False:
            from flowerexp.cluster.dataproc import batches

            batches.end(self._clients, self._bucket, scope, cluster_name(scope, self.cluster))
            life.tell("deleted", {"name": cluster_name(scope, self.cluster), "scope": scope})
