"""ClusterController: clusters that are created, listed, updated and deleted, and delete themselves."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import grpc
from google.cloud.dataproc_v1 import types
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from flowerexp.rehearsal import filters, initialization, paging, quotas, secondary, strict, timers
from flowerexp.rehearsal.bucket import Bucket
from flowerexp.rehearsal.faults import Faults
from flowerexp.rehearsal.operations import Operations
from flowerexp.rehearsal.refusal import RefusalError, already_exists, as_refusal, invalid, not_found, precondition
from flowerexp.rehearsal.state import State

_S = types.ClusterStatus.State
# ListClustersRequest.filter in types/clusters.py.
_GROUPS = {
    "ACTIVE": {"CREATING", "UPDATING", "RUNNING"},
    "INACTIVE": {"DELETING", "ERROR", "STOPPING", "STOPPED"},
}


class Clusters:
    """Clusters, known by `region/name`. A cluster in ERROR exists, and bills, until it is deleted."""

    def __init__(self, state: State, operations: Operations, faults: Faults, bucket: Bucket) -> None:
        self._state = state
        self._operations = operations
        self._faults = faults
        self._bucket = bucket

    def resume(self) -> None:
        """Go on with what an earlier process of the service had begun."""
        for name, (kind, key) in self._operations.unfinished().items():
            self._thread(self._create if kind == "CREATE" else self._delete, key, name)

    @staticmethod
    def _thread(work: Callable[[str, str], None], key: str, operation: str) -> None:
        threading.Thread(target=work, args=(key, operation), daemon=True, name=f"cluster {key}").start()

    def _set(self, key: str, state: types.ClusterStatus.State, detail: str = "") -> None:
        with self._state.lock:
            cluster = self._state.clusters[key]
            if cluster.status.state:
                cluster.status_history.append(cluster.status)
            cluster.status = types.ClusterStatus(state=state, detail=detail, state_start_time=self._state.now())
            self._state.clusters.put(key, cluster)
            self._state.event("cluster", cluster.cluster_name, state.name)

    # Creating.

    def create(self, request: types.CreateClusterRequest) -> operations_pb2.Operation:
        """CreateCluster."""
        strict.request_id(request.request_id)
        strict.secondary(request.cluster.config)
        strict.autoscaling(request.cluster.config, request.project_id, request.region)
        cluster = self._completed(request.cluster)
        strict.cluster(cluster, request.region, self._bucket)
        key = f"{request.region}/{cluster.cluster_name}"
        with self._state.lock:
            earlier = self._state.remembered("CreateCluster", request.request_id)
            if earlier:
                return self._operations.copy(earlier)
            if key in self._state.clusters:
                name = f"projects/{request.project_id}/regions/{request.region}/clusters/{cluster.cluster_name}"
                raise already_exists("create cluster", f"Cluster {name}")
            if self._state.notes["quota_on"] == "call":
                self._check_quota(request.region, cluster)
            cluster.config.gce_cluster_config.zone_uri = self._zone(request.region, cluster)
            cluster.cluster_uuid = str(uuid.uuid4())
            self._state.clusters.put(key, cluster)
            self._state.machines("cluster", cluster.cluster_name, request.region, types.Cluster.pb(cluster).config)
            self._set(key, _S.CREATING)
            operation = self._operations.begin_cluster(
                "CREATE", request.region, cluster, strict.warnings(cluster.config)
            )
            self._state.notes["created"].append(cluster.cluster_name)
            self._state.remember("CreateCluster", request.request_id, operation.name)
            self._state.save()
        self._give_buckets(key, request.region)
        self._thread(self._create, key, operation.name)
        return operation

    def _completed(self, given: types.Cluster) -> types.Cluster:
        """A cluster with the values that Google fills in."""
        cluster = types.Cluster(given)
        cluster.project_id = self._state.project
        config = cluster.config
        properties = config.software_config.properties
        config.master_config.num_instances = config.master_config.num_instances or 1
        if properties.get("dataproc:dataproc.allow.zero.workers", "").lower() != "true":
            # "it will treat 0 number of worker nodes as the default number, [...] 2 worker nodes if this property is
            # not set": cdapio/cdap pull request 11315, on the single-node page.
            config.worker_config.num_instances = config.worker_config.num_instances or 2
        for group in (config.master_config, config.worker_config):
            group.machine_type_uri = group.machine_type_uri or "n1-standard-4"
            disk = group.disk_config
            disk.boot_disk_type = disk.boot_disk_type or quotas.DEFAULT_DISK[0]
            disk.boot_disk_size_gb = disk.boot_disk_size_gb or quotas.DEFAULT_DISK[1]
        secondary.complete(config)
        # types/clusters.py `GceClusterConfig.internal_ip_only`: true by default on images 2.2 and later.
        if "internal_ip_only" not in config.gce_cluster_config:
            version = strict.image(config.software_config.image_version)
            config.gce_cluster_config.internal_ip_only = version >= (2, 2)
        return cluster

    def _zone(self, region: str, cluster: types.Cluster) -> str:
        """The zone asked for; else one with machines left (Dataproc's automatic zone placement)."""
        zone = quotas.short(cluster.config.gce_cluster_config.zone_uri)
        free = [each for each in quotas.zones(region) if each not in self._state.notes["stocked_out"]]
        zone = zone or (free or quotas.zones(region))[0]
        return f"https://www.googleapis.com/compute/v1/projects/{self._state.project}/zones/{zone}"

    def _give_buckets(self, key: str, region: str) -> None:
        """The buckets that were not named: Dataproc makes one of each kind for a project and location.

        types/clusters.py `ClusterConfig.config_bucket` and `temp_bucket`.
        """
        config = self._state.clusters[key].config
        for field, kind in (("config_bucket", "staging"), ("temp_bucket", "temp")):
            if not getattr(config, field):
                name = f"dataproc-{kind}-{region}-1234-fake"
                self._bucket.make_bucket(name)
                setattr(config, field, name)
        with self._state.lock:
            self._state.clusters.put(key, self._state.clusters[key])

    def in_use(self, region: str, but: str = "") -> dict[str, float]:
        """What the clusters of a region take of each quota, all but the one of a uuid."""
        in_use: dict[str, float] = {}
        for key, cluster in self._state.clusters.items():
            if key.startswith(f"{region}/") and cluster.cluster_uuid != but:
                for name, amount in quotas.usage(cluster.config, self._state.notes["quota"]).items():
                    in_use[name] = in_use.get(name, 0.0) + amount
        return in_use

    def _check_quota(self, region: str, cluster: types.Cluster) -> None:
        in_use, quota = self.in_use(region, cluster.cluster_uuid), self._state.notes["quota"]
        quotas.check(quotas.usage(cluster.config, quota), in_use, quota)

    def _create(self, key: str, operation: str) -> None:
        if not self._state.pass_gate("create"):
            return
        found = self._state.clusters.get(key)
        cluster = types.Cluster() if found is None else found
        if cluster.status.state == _S.CREATING:
            self._state.lasts("create", cluster.status.state_start_time)
        try:
            if cluster.status.state != _S.CREATING:
                raise RefusalError(grpc.StatusCode.CANCELLED, "The cluster was deleted while it was created.")
            self._faults.stock_out(quotas.short(cluster.config.gce_cluster_config.zone_uri))
            if self._state.notes["quota_on"] == "operation":
                self._check_quota(key.partition("/")[0], cluster)
            self._faults.operation("CREATE")
            installed = initialization.run(cluster, self._bucket, self._state.folder / "actions")
            self._keep_history(cluster)
        except Exception as error:
            refusal = as_refusal(error)
            with self._state.lock:
                if key in self._state.clusters and self._state.clusters[key].status.state == _S.CREATING:
                    self._set(key, _S.ERROR, refusal.message)
            self._operations.fail(operation, refusal)
            return
        with self._state.lock:
            still_there = self._state.clusters.get(key) is cluster
            if not still_there or cluster.status.state != _S.CREATING:
                self._operations.fail(operation, RefusalError(grpc.StatusCode.CANCELLED, "The cluster was deleted."))
                return
            self._state.notes["installed"][cluster.cluster_uuid] = installed
            self._state.notes["idle_since"][cluster.cluster_uuid] = self._state.time()
            self._state.save()
            self._set(key, _S.RUNNING)
            self._operations.succeed(operation, self._state.clusters[key])

    def _keep_history(self, cluster: types.Cluster) -> None:
        """What a cluster keeps in its temporary bucket, in a folder of its own; nobody deletes that with it.

        https://docs.cloud.google.com/dataproc/docs/concepts/configuring-clusters/staging-bucket
        """
        for folder in ("spark-job-history", "mapreduce-job-history"):
            self._bucket.write(f"gs://{cluster.config.temp_bucket}/{cluster.cluster_uuid}/{folder}/", b"")

    # Deleting.

    def delete(self, request: types.DeleteClusterRequest) -> operations_pb2.Operation:
        """DeleteCluster."""
        strict.request_id(request.request_id)
        with self._state.lock:
            earlier = self._state.remembered("DeleteCluster", request.request_id)
            if earlier:
                return self._operations.copy(earlier)
            cluster = self._found(request.project_id, request.region, request.cluster_name, request.cluster_uuid)
            if cluster.status.state == _S.DELETING:
                raise precondition(
                    f"Cannot delete cluster '{request.cluster_name}' while it has other pending delete operations."
                )
            key = f"{request.region}/{request.cluster_name}"
            self._set(key, _S.DELETING)
            operation = self._operations.begin_cluster("DELETE", request.region, cluster)
            self._state.remember("DeleteCluster", request.request_id, operation.name)
        self._thread(self._delete, key, operation.name)
        return operation

    def _delete(self, key: str, operation: str) -> None:
        if not self._state.pass_gate("delete"):
            return
        try:
            self._faults.operation("DELETE")
        except RefusalError as refusal:
            self._set(key, _S.ERROR, refusal.message)
            self._operations.fail(operation, refusal)
            return
        found = self._state.clusters.get(key)
        if found is not None:
            self._state.lasts("delete", found.status.state_start_time)
        self.vanish(key)
        self._operations.succeed(operation, empty_pb2.Empty())

    def vanish(self, key: str) -> None:
        """Remove a cluster at once, as at the end of its deletion; jobs on it fail."""
        with self._state.lock:
            cluster = self._state.clusters.get(key)
            if cluster is not None:
                self._state.clusters.remove(key)
                self._state.notes["deleted"].append(cluster.cluster_name)
                self._state.event("cluster", cluster.cluster_name, "deleted")

    def stop(self, key: str) -> None:
        """Stop a cluster's machines at once, as another person may; its disks stay, and cost money."""
        self._set(key, _S.STOPPED)

    def reap(self) -> None:
        """Delete the clusters whose time is over."""
        with self._state.lock:
            for key in timers.due(self._state):
                self.vanish(key)

    # Looking, changing.

    def _found(self, project: str, region: str, name: str, cluster_uuid: str = "") -> types.Cluster:
        found = self._state.clusters.get(f"{region}/{name}") if project == self._state.project else None
        if found is None or (cluster_uuid and cluster_uuid != found.cluster_uuid):
            raise not_found(f"Cluster projects/{project}/regions/{region}/clusters/{name}")
        return found

    def get(self, request: types.GetClusterRequest) -> types.Cluster:
        """GetCluster."""
        return self._found(request.project_id, request.region, request.cluster_name)

    def list(self, request: types.ListClustersRequest) -> types.ListClustersResponse:
        """ListClusters."""
        wanted = filters.parse(request.filter)
        found = []
        for key, cluster in self._state.clusters.items():
            values = {
                "status.state": cluster.status.state.name,
                "clusterName": cluster.cluster_name,
                **{f"labels.{name}": value for name, value in cluster.labels.items()},
            }
            if key.startswith(f"{request.region}/") and filters.matches(wanted, values, _GROUPS):
                found.append(cluster)
        asked = f"{request.region} {request.filter}"
        some, token = paging.page(found, asked, request.page_size, request.page_token)
        return types.ListClustersResponse(clusters=some, next_page_token=token)

    def update(self, request: types.UpdateClusterRequest) -> operations_pb2.Operation:
        """UpdateCluster: labels and the lifecycle; done at once."""
        with self._state.lock:
            cluster = self._found(request.project_id, request.region, request.cluster_name)
            for path in request.update_mask.paths:
                if path == "labels":
                    strict.labels(request.cluster.labels)
                    cluster.labels = dict(request.cluster.labels)
                elif path.startswith("config.lifecycle_config."):
                    strict.lifecycle(request.cluster.config.lifecycle_config)
                    field = path.rpartition(".")[2]
                    value = getattr(request.cluster.config.lifecycle_config, field)
                    setattr(cluster.config.lifecycle_config, field, value)
                else:
                    raise invalid(f"Cannot update '{path}'.")
            self._state.clusters.put(f"{request.region}/{request.cluster_name}", cluster)
            operation = self._operations.begin_cluster("UPDATE", request.region, cluster)
            self._operations.succeed(operation.name, cluster)
        return self._operations.copy(operation.name)
