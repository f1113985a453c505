"""What a machine type has, and how Spark shares the machines of a cluster out: one executor a node."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# GB of memory a vCPU: https://cloud.google.com/compute/docs/general-purpose-machines
_MEMORY = {
    ("n1", "standard"): 3.75, ("n1", "highmem"): 6.5, ("n1", "highcpu"): 0.9,
    ("n2", "standard"): 4.0, ("n2", "highmem"): 8.0, ("n2", "highcpu"): 1.0,
    ("n2d", "standard"): 4.0, ("n2d", "highmem"): 8.0, ("n2d", "highcpu"): 1.0,
    ("e2", "standard"): 4.0, ("e2", "highmem"): 8.0, ("e2", "highcpu"): 1.0,
    ("n4", "standard"): 4.0, ("n4", "highmem"): 8.0, ("n4", "highcpu"): 2.0,
}  # fmt: skip
# Dataproc gives YARN four fifths of a node's memory, and the driver runs on the master.
_YARN_SHARE = 0.8
# On a single node, the driver and the daemons of Hadoop live there, too.
_SINGLE_NODE_SHARE = 0.5
_MASTER_MB = 1024  # YARN's own container for a job, on one of the nodes
_HEAP_SHARE = 1 / 3  # photographs are held by Python workers, outside the JVM's heap


def resources(machine_type: str) -> tuple[int, int] | None:
    """The vCPUs and the memory in MB of a machine type; None for one that is not known here."""
    custom = re.fullmatch(r"(?:\w+-)?custom-(\d+)-(\d+)(?:-ext)?", machine_type)
    if custom:
        return int(custom[1]), int(custom[2])
    known = re.fullmatch(r"(\w+)-(\w+)-(\d+)", machine_type)
    each = _MEMORY.get((known[1], known[2])) if known else None
    return (int(known[3]), int(int(known[3]) * each * 1024)) if known and each else None


def executors(cluster: Mapping[str, Any]) -> dict[str, str]:
    """Spark's properties for one executor a node, which takes the whole node; none for unknown machines.

    Without dynamic allocation, Spark on YARN starts two executors however large the cluster is.

    Args:
        cluster: a Dataproc cluster's config.
    """
    single = cluster["workers"]["count"] == 0
    node = cluster["master"] if single else cluster["workers"]
    found = resources(node["machine_type"])
    if found is None:
        return {}
    vcpus, memory = found
    share = int(memory * (_SINGLE_NODE_SHARE if single else _YARN_SHARE)) - _MASTER_MB
    container = share // 512 * 512
    if container < 1024:
        return {}
    heap = int(container * _HEAP_SHARE)
    return {
        "spark.executor.instances": str(1 if single else cluster["workers"]["count"]),
        "spark.executor.cores": str(vcpus),
        "spark.executor.memory": f"{heap}m",
        "spark.executor.memoryOverhead": f"{container - heap}m",
    }
