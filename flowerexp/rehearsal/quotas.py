"""Machine types, zones, and what a cluster takes of a region's quotas."""

from __future__ import annotations

import re
from collections.abc import Mapping

from google.cloud.dataproc_v1 import types

from flowerexp.rehearsal.refusal import invalid

# https://cloud.google.com/compute/docs/regions-zones
ZONES = {
    "us-central1": "abcf",
    "us-east1": "bcd",
    "us-east4": "abc",
    "us-east5": "abc",
    "us-south1": "abc",
    "us-west1": "abc",
    "us-west2": "abc",
    "us-west3": "abc",
    "us-west4": "abc",
    "europe-north1": "abc",
    "europe-west1": "bcd",
    "europe-west2": "abc",
    "europe-west3": "abc",
    "europe-west4": "abc",
    "europe-west6": "abc",
    "asia-east1": "abc",
    "asia-northeast1": "abc",
    "asia-south1": "abc",
    "asia-southeast1": "abc",
    "australia-southeast1": "abc",
}

# https://cloud.google.com/compute/docs/general-purpose-machines and .../compute-optimized-machines: vCPUs on offer.
_VCPUS = {
    "n1": (1, 2, 4, 8, 16, 32, 64, 96),
    "n2": (2, 4, 8, 16, 32, 48, 64, 80, 96, 128),
    "n2d": (2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224),
    "e2": (2, 4, 8, 16, 32),
    "n4": (2, 4, 8, 16, 32, 48, 64, 80),
    "n4d": (2, 4, 8, 16, 32, 48, 64, 80, 96),
    "c4": (2, 4, 8, 16, 24, 32, 48, 96, 144, 192, 288),
    "c2": (4, 8, 16, 30, 60),
    "c2d": (2, 4, 8, 16, 32, 56, 112),
    "c3": (4, 8, 22, 44, 88, 176),
}
# https://docs.cloud.google.com/dataproc/docs/concepts/compute/supported-machine-types: they boot from nothing else.
HYPERDISK_ONLY = ("c4-", "n4-", "n4d-")

# https://cloud.google.com/dataproc/docs/concepts/compute/supported-machine-types: shared-core types are not supported.
_SHARED_CORE = ("e2-micro", "e2-small", "e2-medium", "f1-micro", "g1-small")

PREEMPTIBLE = "PREEMPTIBLE_CPUS"

# "The boot disk size in GB (default is 500GB)", and the default type pd-standard: DiskConfig in types/clusters.py of
# google-cloud-dataproc.
DEFAULT_DISK = ("pd-standard", 500)


def short(uri: str) -> str:
    """The last part of a name that may be a URL."""
    return uri.rpartition("/")[2]


def zones(region: str) -> list[str]:
    """The zones of a region; none if there is no such region."""
    return [f"{region}-{letter}" for letter in ZONES.get(region, "")]


def vcpus(machine_type: str) -> int:
    """The vCPUs of a machine type.

    Raises:
        RefusalError: Dataproc has no such type.
    """
    name = short(machine_type)
    custom = re.fullmatch(r"(?:(?:n1|n2|n2d|e2|n4|n4d)-)?custom-(\d+)-(\d+)(-ext)?", name)
    if custom:
        return int(custom[1])
    known = re.fullmatch(r"(\w+)-(standard|highmem|highcpu)-(\d+)", name)
    if name in _SHARED_CORE:
        raise invalid(f"Shared-core machine type '{name}' is not supported by Dataproc.")
    if known is None or int(known[3]) not in _VCPUS.get(known[1], ()) or (known[2] == "highcpu" and known[3] == "1"):
        raise invalid(f"Invalid value for field 'machineType': machine type '{name}' does not exist.")
    return int(known[3])


def _groups(config: types.ClusterConfig) -> list[types.InstanceGroupConfig]:
    return [config.master_config, config.worker_config, config.secondary_worker_config]


def usage(config: types.ClusterConfig, quota: Mapping[str, float]) -> dict[str, float]:
    """What a cluster takes of each quota; the names are Compute Engine's.

    Balanced disks count with SSDs: https://cloud.google.com/compute/resource-usage#disk_quota. Spot and preemptible
    machines have a quota of their own where some was granted, else they count as others do:
    https://docs.cloud.google.com/compute/docs/instances/create-use-spot.
    """
    taken = dict.fromkeys(("CPUS", PREEMPTIBLE, "IN_USE_ADDRESSES", "SSD_TOTAL_GB", "DISKS_TOTAL_GB"), 0.0)
    for group in _groups(config):
        if not group.num_instances:
            continue
        disk = group.disk_config
        gigabytes = (disk.boot_disk_size_gb or DEFAULT_DISK[1]) * group.num_instances
        kind = "DISKS_TOTAL_GB" if short(disk.boot_disk_type or DEFAULT_DISK[0]) == "pd-standard" else "SSD_TOTAL_GB"
        own = quota[PREEMPTIBLE] and group.preemptibility.name in ("PREEMPTIBLE", "SPOT")
        taken[PREEMPTIBLE if own else "CPUS"] += vcpus(group.machine_type_uri) * group.num_instances
        taken[kind] += gigabytes
        if not config.gce_cluster_config.internal_ip_only:
            taken["IN_USE_ADDRESSES"] += group.num_instances
    return taken


def check(asked: Mapping[str, float], in_use: Mapping[str, float], quota: Mapping[str, float]) -> None:
    """Does it fit beside what is in use?

    Raises:
        RefusalError: no; in the words of the notebook's transcript.
    """
    lacking = []
    for name, amount in asked.items():
        available = quota[name] - in_use.get(name, 0.0)
        if amount > available:
            lacking.append(f"Insufficient '{name}' quota. Requested {amount:.1f}, available {available:.1f}.")
    if len(lacking) == 1:
        raise invalid(lacking[0])
    if lacking:
        raise invalid("Multiple validation errors:\n" + "\n".join(f" - {line}" for line in lacking))
