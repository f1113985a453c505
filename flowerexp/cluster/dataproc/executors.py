"""How Spark divides the machines of a cluster: one executor a node, which takes the whole node."""

from __future__ import annotations

from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.cluster.google.machines import machine
from flowerexp.errors import ConfigError
from flowerexp.workload.executors import WAIT

# Dataproc gives YARN four fifths of a node's memory; what is left is for the system.
_YARN_SHARE = 0.8
# On a single node, the driver and the daemons of Hadoop run there, too.
_SINGLE_NODE_SHARE = 0.5
_MASTER_MB = 1024  # YARN's own container for a job, on one of the nodes
_LEAST_MB = 1024
_HEAP_SHARE = 1 / 3  # photographs are held by Python workers, outside the JVM's heap


def executors(cluster: Dataproc) -> dict[str, str]:
    """Spark's properties for one executor a node; none for machines that are not known, which Dataproc divides itself.

    Without dynamic allocation, Spark on YARN starts two executors however large the cluster is.

    Args:
        cluster: a Dataproc cluster's config.
    """
    single = cluster.workers.count == 0
    node = cluster.master if single else cluster.workers
    try:
        known = machine(node.machine_type)
    except ConfigError:
        return {}
    share = known.memory_gb * 1024 * (_SINGLE_NODE_SHARE if single else _YARN_SHARE) - _MASTER_MB
    container = int(share) // 512 * 512
    if container < _LEAST_MB:
        return {}
    heap = int(container * _HEAP_SHARE)
    # Secondary workers come late.
    late = {WAIT: str(cluster.secondary.wait_seconds)} if cluster.secondary.count else {}
    return {
        "spark.executor.instances": str(1 if single else cluster.workers.count + cluster.secondary.count),
        "spark.executor.cores": str(known.vcpus),
        "spark.executor.memory": f"{heap}m",
        "spark.executor.memoryOverhead": f"{container - heap}m",
        **late,
    }
