"""What a cluster needs of a region's quotas, and whether it fits, before anything is created."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from flowerexp.cluster.machines import Types, machine_groups, smaller, vcpus_of
from flowerexp.config.schema import Cloud, Cluster, Dataproc, Machine, Quota, Serverless
from flowerexp.errors import ClusterError, QuotaError

# What Compute Engine calls them. That N1 and E2 count as CPUS, N2 apart, and balanced disks as SSD is how we take its
# names; where it counts otherwise, creating the cluster is what tells. A serverless batch needs CPUS:
# https://cloud.google.com/dataproc-serverless/quotas
_METRICS = {
    "CPUS": "shared_vcpus",
    "N2_CPUS": "n2_vcpus",
    "IN_USE_ADDRESSES": "in_use_addresses",
    "SSD_TOTAL_GB": "ssd_gb",
    "DISKS_TOTAL_GB": "standard_disk_gb",
}
_WORDS = {
    "vcpus": "vCPUs",
    "shared_vcpus": "vCPUs of N1 and E2 (CPUS)",
    "n2_vcpus": "vCPUs of N2 (N2_CPUS)",
    "in_use_addresses": "external addresses in use (IN_USE_ADDRESSES)",
    "ssd_gb": "GB of SSD and balanced disks (SSD_TOTAL_GB)",
    "standard_disk_gb": "GB of standard disks (DISKS_TOTAL_GB)",
}
_LEAST_DISK = 50  # GB: smaller boot disks are not proposed, since image and data would hardly find room
_Cloud = TypeVar("_Cloud", bound=Cloud)
_ELSE = "ask Google for more, or name what you have: quota.KEY=NUMBER, quota=live or quota=none"


@dataclass(frozen=True)
class Demand:
    """What clusters need at once: vCPUs in all, those that count as CPUS, those of N2, addresses, and disks in GB."""

    vcpus: int = 0
    in_use_addresses: int = 0
    ssd_gb: int = 0
    standard_disk_gb: int = 0
    shared_vcpus: int = 0
    n2_vcpus: int = 0

    def __add__(self, other: Demand) -> Demand:
        """What both need together."""
        return Demand(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})


@dataclass(frozen=True)
class QuotaLimits:
    """What is allowed of each at once; None is unlimited, or not known."""

    vcpus: int | None = None
    in_use_addresses: int | None = None
    ssd_gb: int | None = None
    standard_disk_gb: int | None = None
    shared_vcpus: int | None = None
    n2_vcpus: int | None = None


def demand(cluster: Cluster, further: Types | None = None) -> Demand:
    """What a cluster needs; nothing if it is not in the cloud.

    Args:
        cluster: a checked config's `cluster` node.
        further: machine types of the user's own.

    Raises:
        ConfigError: a machine type is unknown.
    """
    if isinstance(cluster, Serverless):
        return Demand(vcpus=vcpus_of(cluster), shared_vcpus=vcpus_of(cluster))
    if not isinstance(cluster, Dataproc):
        return Demand()
    needed = Demand()
    for group in machine_groups(cluster, further):
        vcpus, disk = group.count * group.machine.vcpus, group.count * group.disk_gb
        needed += Demand(
            vcpus,
            0 if cluster.internal_ip_only else group.count,
            0 if group.disk_type == "pd-standard" else disk,
            disk if group.disk_type == "pd-standard" else 0,
            vcpus if group.machine.series in ("n1", "e2") else 0,
            vcpus if group.machine.series == "n2" else 0,
        )
    return needed


def limits(quota: Quota, project: str, region: str, client: Any = None) -> QuotaLimits:
    """What may be used at once.

    Args:
        quota: a checked config's `quota` node.
        project: the project, for `live`.
        region: the region, for `live`.
        client: a `RegionsClient`, for `live`; by default one of the user's own credentials, or of the server that
            COMPUTE_EMULATOR_HOST (HOST:PORT) names.

    Returns:
        What the config says, or what Compute Engine has left now; no limits for `none`.

    Raises:
        ClusterError: Compute Engine does not tell.
    """
    if quota.source == "fixed":
        return QuotaLimits(quota.vcpus, quota.in_use_addresses, quota.ssd_gb, quota.standard_disk_gb)
    return _live(project, region, client) if quota.source == "live" else QuotaLimits()


def _live(project: str, region: str, client: Any) -> QuotaLimits:
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        found = (client or _client()).get(project=project, region=region)
    except (GoogleAPIError, GoogleAuthError) as error:
        problem = f"Compute Engine does not tell the quotas of {region} in {project}: {error}"
        hint = "the Compute Engine API must be enabled, and you need compute.regions.get; or go without: quota=none"
        raise ClusterError(problem, where="quota", hint=hint) from error
    left = {_METRICS[one.metric]: int(one.limit - one.usage) for one in found.quotas if one.metric in _METRICS}
    return QuotaLimits(**left)


def _client() -> Any:
    from google.cloud import compute_v1

    host = os.environ.get("COMPUTE_EMULATOR_HOST")
    if not host:
        return compute_v1.RegionsClient()
    from google.auth.credentials import AnonymousCredentials

    return compute_v1.RegionsClient(
        credentials=AnonymousCredentials(), client_options={"api_endpoint": f"http://{host}"}
    )


def fits(wanted: Demand, used: Demand, limit: QuotaLimits) -> bool:
    """Is there room for `wanted` beside what is used already?"""
    return not list(_over(wanted + used, limit))


def _over(needed: Demand, limit: QuotaLimits) -> Iterator[tuple[str, int, int]]:
    for name, asked in asdict(needed).items():
        allowed = getattr(limit, name)
        if asked and allowed is not None and asked > allowed:
            yield name, asked, allowed


def check(
    cluster: Cluster,
    quota: Quota,
    further: Types | None = None,
    client: Any = None,
) -> None:
    """Would a cluster alone fit?

    Args:
        cluster: a checked config's `cluster` node.
        quota: its `quota` node.
        further: machine types of the user's own.
        client: see `limits`.

    Raises:
        QuotaError: it would not; the message says by how much, and what would.
        ConfigError: a machine type is unknown.
        ClusterError: Compute Engine does not tell.
    """
    if not isinstance(cluster, Cloud) or quota.source == "none":
        return
    needed = demand(cluster, further)
    limit = limits(quota, cluster.project, cluster.region, client)
    over = [f"{asked:,} {_WORDS[name]} of {max(0, allowed):,}" for name, asked, allowed in _over(needed, limit)]
    if over:
        problem = f"cluster {cluster.name} needs more than the quota of {cluster.region} has: {', '.join(over)}"
        changes = " or ".join(_that_fit(cluster, limit, further))
        hint = f"this would fit: {changes}" if changes else "nothing smaller of its kind would fit"
        raise QuotaError(problem, where="quota", hint=f"{hint}. Else {_ELSE}")


def _that_fit(cluster: Cloud, limit: QuotaLimits, further: Types | None) -> list[str]:
    """Overrides with which a cluster fits: the nearest of each way to be smaller, two at most."""
    found = []
    for changes in _smaller(cluster, limit, further):
        for one in changes:
            if fits(demand(_changed(cluster, one), further), Demand(), limit):
                found.append(" ".join(f"cluster.{key}={str(value).lower()}" for key, value in one.items()))
                break
    return found[:2]


def _smaller(cluster: Cloud, limit: QuotaLimits, further: Types | None) -> Iterator[list[dict[str, Any]]]:
    """The ways to be smaller, each with its changes from the smallest on: addresses, disks, workers, machines."""
    if isinstance(cluster, Serverless):
        yield [{"executors": count} for count in range(cluster.executors - 1, 1, -1)]
    if not isinstance(cluster, Dataproc):
        return
    yield [{"internal_ip_only": True}]
    ways = [
        list(_smaller_disks(cluster, limit, further)),
        [{"workers.count": number} for number in range(cluster.workers.count - 1, 1, -1)],
        list(_smaller_machines(cluster)),
    ]
    for way in ways:
        both = [] if cluster.internal_ip_only else [{"internal_ip_only": True, **one} for one in way]
        yield [*way, *both]


def _smaller_machines(cluster: Dataproc) -> Iterator[dict[str, Any]]:
    """Smaller machines for the workers, for the master, or for both."""
    types = {role: smaller(node.machine_type) for role, _, node in _nodes(cluster)}
    for role, names in types.items():
        yield from ({f"{role}.machine_type": name} for name in names)
    if len(types) > 1:
        yield from (
            {"master.machine_type": first, "workers.machine_type": second}
            for first, second in itertools.product(types["master"], types["workers"])
        )


def _smaller_disks(cluster: Dataproc, limit: QuotaLimits, further: Types | None) -> Iterator[dict[str, Any]]:
    """The largest disks that the quota has room for, or standard ones in the place of SSD."""
    for role, count, node in _nodes(cluster):
        standard = node.disk_type == "pd-standard"
        name = "standard_disk_gb" if standard else "ssd_gb"
        others = getattr(demand(_changed(cluster, {f"{role}.disk_gb": 0}), further), name)
        most = ((getattr(limit, name) or 0) - others) // count
        if _LEAST_DISK <= most < node.disk_gb:
            yield {f"{role}.disk_gb": most}
        if not standard:
            yield {f"{role}.disk_type": "pd-standard"}


def _nodes(cluster: Dataproc) -> list[tuple[str, int, Machine]]:
    """The parts of a cluster, the workers first if there are any: key, number and machine."""
    workers = cluster.workers
    return [*([("workers", workers.count, workers)] if workers.count else []), ("master", 1, cluster.master)]


def _changed(cluster: _Cloud, changes: Mapping[str, Any]) -> _Cloud:
    """A cluster config with other values; the keys are `KEY` or `KEY.KEY`."""
    for key, value in changes.items():
        outer, _, inner = key.partition(".")
        cluster = replace(cluster, **{outer: replace(getattr(cluster, outer), **{inner: value}) if inner else value})
    return cluster
