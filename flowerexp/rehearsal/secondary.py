"""Secondary workers of clusters: they come after their cluster is there, and not all may come."""

from __future__ import annotations

from google.cloud.dataproc_v1 import types

from flowerexp.rehearsal.executors import EVERY
from flowerexp.rehearsal.state import State


def complete(config: types.ClusterConfig) -> None:
    """Secondary workers are what the primary ones are, with at most 1,000 GB, and preemptible where nothing is said.

    https://docs.cloud.google.com/dataproc/docs/concepts/compute/secondary-vms
    """
    group, workers = config.secondary_worker_config, config.worker_config
    if not group.num_instances:
        return
    kinds = types.InstanceGroupConfig.Preemptibility
    group.preemptibility = group.preemptibility or kinds.PREEMPTIBLE
    group.is_preemptible = group.preemptibility != kinds.NON_PREEMPTIBLE
    group.machine_type_uri = workers.machine_type_uri
    disk = group.disk_config
    disk.boot_disk_type = disk.boot_disk_type or workers.disk_config.boot_disk_type
    disk.boot_disk_size_gb = disk.boot_disk_size_gb or min(1000, workers.disk_config.boot_disk_size_gb)


def counts(cluster: types.Cluster | None) -> tuple[int, int]:
    """How many primary and secondary workers a cluster has, or will have."""
    if cluster is None:
        return 0, 0
    return cluster.config.worker_config.num_instances, cluster.config.secondary_worker_config.num_instances


def first_missing(state: State, cluster: types.Cluster) -> int:
    """The number of the first executor that has no machine yet, or never will: primary workers are there already."""
    plan, (workers, late) = state.notes["secondary"], counts(cluster)
    running = types.ClusterStatus.State.RUNNING
    history = [*cluster.status_history, cluster.status]
    since = next((status.state_start_time.timestamp() for status in history if status.state == running), None)
    if since is None or state.time() < since + plan["after"]:
        return workers
    came = late if plan["most"] is None else min(late, plan["most"])
    return EVERY if came == late and plan["again"] else workers + came
