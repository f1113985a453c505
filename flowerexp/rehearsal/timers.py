"""Which clusters delete themselves now, by their `lifecycle_config` and the service's clock."""

from __future__ import annotations

from google.cloud.dataproc_v1 import types

from flowerexp.rehearsal.state import State

_IDLE_JOB_STATES = ("DONE", "ERROR", "CANCELLED", "ATTEMPT_FAILURE")


def due(state: State) -> list[str]:
    """The keys of the clusters whose time is over.

    https://cloud.google.com/dataproc/docs/concepts/configuring-clusters/scheduled-deletion: idle time counts while no
    job is pending or running, from when the cluster was ready; age counts from the submission of the request.
    """
    busy = {
        f"{key.partition('/')[0]}/{job.placement.cluster_name}"
        for key, job in state.jobs.items()
        if job.status.state.name not in _IDLE_JOB_STATES
    }
    return [
        key for key, each in state.clusters.items() if _is_old(each, state) or (key not in busy and _idle(each, state))
    ]


def _is_old(cluster: types.Cluster, state: State) -> bool:
    lifecycle, now = cluster.config.lifecycle_config, state.time()
    first = cluster.status_history[0] if cluster.status_history else cluster.status
    age = now - first.state_start_time.timestamp()
    if "auto_delete_ttl" in lifecycle and age >= lifecycle.auto_delete_ttl.total_seconds():
        return True
    return "auto_delete_time" in lifecycle and now >= lifecycle.auto_delete_time.timestamp()


def _idle(cluster: types.Cluster, state: State) -> bool:
    lifecycle = cluster.config.lifecycle_config
    since = state.notes["idle_since"].get(cluster.cluster_uuid)
    if "idle_delete_ttl" not in lifecycle or since is None:
        return False
    return state.time() - float(since) >= float(lifecycle.idle_delete_ttl.total_seconds())
