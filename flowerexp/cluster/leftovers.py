"""What flowerexp has left in Google Cloud, known by its labels: clusters, batches, and what is staged in the bucket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.cloud import dataproc_v1

from flowerexp.cluster import ClusterObserver
from flowerexp.cluster.dataproc.config import Machine, Secondary, Workers
from flowerexp.cluster.dataproc.nodes import Nodes
from flowerexp.cluster.dataproc.presence import Presence
from flowerexp.cluster.google.clients import Clients
from flowerexp.cluster.google.names import OWNER, SCOPE
from flowerexp.cluster.google.staging import GOOGLE_ERRORS, ROOT, Bucket
from flowerexp.cluster.serverless import batches
from flowerexp.cluster.serverless.rate import FoundBatch
from flowerexp.errors import ClusterError


@dataclass(frozen=True)
class Resource:
    """A cluster or batch of flowerexp that costs money.

    Attributes:
        kind: `cluster` or `batch`.
        name: the cluster's name or the batch's id.
        state: in Google's words.
        scope: the sweep or run that it belongs to.
        owner: who created it, as the label says.
        created_at: epoch seconds.
        machines: what its price depends on.
    """

    kind: str
    name: str
    state: str
    scope: str
    owner: str
    created_at: float
    machines: Nodes | FoundBatch


class Leftovers:
    """What flowerexp has left in a project and region.

    Args:
        clients: how to reach Google.
        bucket: the bucket that things are staged in.
    """

    def __init__(self, clients: Clients, bucket: str) -> None:
        self._clients = clients
        self._bucket = Bucket(clients, bucket)

    def resources(self) -> list[Resource]:
        """The clusters and active batches, the oldest first.

        Raises:
            ClusterError: Google does not say.
        """
        try:
            resources = [*self._clusters(), *self._batches()]
        except GOOGLE_ERRORS as error:
            raise self._clients.explained(error, "listing what is there") from error
        return sorted(resources, key=lambda resource: resource.created_at)

    def scopes(self) -> list[str]:
        """The sweeps and runs that have something staged in the bucket.

        Raises:
            ClusterError: Google does not say.
        """
        try:
            return sorted({name for part in ("jobs", "runs") for name in self._bucket.folders(self._bucket.uri(part))})
        except GOOGLE_ERRORS as error:
            raise self._clients.explained(error, f"listing gs://{self._bucket.name}") from error

    def delete(self, resource: Resource, observer: ClusterObserver) -> None:
        """Delete a cluster, or cancel a batch, and wait until it costs nothing any more.

        Raises:
            ClusterError: it may still be there.
        """
        if resource.kind == "cluster":
            Presence(self._clients, resource.name, resource.scope, observer).delete()
            return
        name = f"{self._clients.parent}/batches/{resource.name}"
        deadline = time.monotonic() + self._clients.pace.patience
        try:
            batches.cancel(self._clients, self._clients.batches.get_batch(name=name, **self._clients.call))
            while self._clients.batches.get_batch(name=name, **self._clients.call).state.name in batches.ACTIVE:
                if time.monotonic() > deadline:
                    command = f"gcloud dataproc batches cancel {resource.name} {self._clients.flags}"
                    hint = f"make sure of it: {command}"
                    raise ClusterError(f"batch {resource.name} still runs", hint=hint)
                time.sleep(self._clients.pace.look)
        except GOOGLE_ERRORS as error:
            raise self._clients.explained(error, f"cancelling batch {resource.name}") from error

    def unstage(self, scope: str) -> int:
        """Delete what is staged for a sweep or run; returns how many objects.

        Raises:
            ClusterError: something may still be there.
        """
        try:
            return sum(self._bucket.delete(f"{self._bucket.uri(part, scope)}/") for part in ("jobs", "runs"))
        except GOOGLE_ERRORS as error:
            raise self._clients.explained(error, f"deleting from gs://{self._bucket.name}") from error

    def empty(self) -> tuple[int, bool]:
        """Delete the bucket with all that is in it, if flowerexp made it; of another one, only flowerexp's folder.

        Returns:
            How many objects were deleted, and whether the bucket itself was.

        Raises:
            ClusterError: something may still be there.
        """
        name = self._bucket.name
        try:
            if not self._bucket.exists():
                return 0, False
            if self._bucket.is_ours():
                count = self._bucket.delete(f"gs://{name}/")
                self._bucket.remove()
                return count, True
            return self._bucket.delete(f"gs://{name}/{ROOT}/"), False
        except GOOGLE_ERRORS as error:
            raise self._clients.explained(error, f"deleting gs://{name}") from error

    def _clusters(self) -> Iterator[Resource]:
        request = {**self._clients.place, "filter": f"labels.{SCOPE} = *"}
        for cluster in self._clients.clusters.list_clusters(request=request, **self._clients.call):
            history = [*cluster.status_history, cluster.status]
            yield Resource(
                "cluster",
                cluster.cluster_name,
                cluster.status.state.name,
                cluster.labels.get(SCOPE, ""),
                cluster.labels.get(OWNER, ""),
                min(status.state_start_time.timestamp() for status in history),
                nodes_of(self._clients.region, cluster.config),
            )

    def _batches(self) -> Iterator[Resource]:
        for state in batches.ACTIVE:
            request = dataproc_v1.ListBatchesRequest(parent=self._clients.parent, filter=f"state = {state}")
            for batch in self._clients.batches.list_batches(request=request, **self._clients.call):
                if SCOPE not in batch.labels:
                    continue
                yield Resource(
                    "batch",
                    batch.name.rpartition("/")[2],
                    batch.state.name,
                    batch.labels[SCOPE],
                    batch.labels.get(OWNER, ""),
                    batch.create_time.timestamp(),
                    batch_of(self._clients.region, batch.runtime_config.properties),
                )


def nodes_of(region: str, config: Any) -> Nodes:
    """The machines of a cluster."""
    count = config.worker_config.num_instances
    workers = config.worker_config if count else config.master_config
    return Nodes(
        region,
        Machine(**_machine(config.master_config)),
        Workers(**_machine(workers), count=count),
        _secondary(config.secondary_worker_config),
        config.gce_cluster_config.internal_ip_only,
    )


def _secondary(group: Any) -> Secondary:
    kind = {"SPOT": "spot", "NON_PREEMPTIBLE": "standard"}.get(group.preemptibility.name, "preemptible")
    return Secondary(count=group.num_instances, kind=kind)


def _machine(group: Any) -> dict[str, Any]:
    return {
        "machine_type": group.machine_type_uri.rpartition("/")[2],
        "disk_type": group.disk_config.boot_disk_type.rpartition("/")[2] or "pd-standard",
        "disk_gb": group.disk_config.boot_disk_size_gb,
        "disk_iops": group.disk_config.boot_disk_provisioned_iops or None,
        "disk_mib_s": group.disk_config.boot_disk_provisioned_throughput or None,
    }


def batch_of(region: str, properties: Any) -> FoundBatch:
    """The size of a batch, by its properties."""
    executors, cores = properties.get("spark.executor.instances", 2), properties.get("spark.executor.cores", 4)
    tier = properties.get("spark.dataproc.executor.compute.tier", "standard")
    return FoundBatch(region, int(executors), int(cores), tier)
