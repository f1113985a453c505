"""Do clusters fit into a quota: what they need together, what is allowed, and changes that would make them fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from flowerexp.config.schema import Cluster, Quota
from flowerexp.errors import QuotaError

if TYPE_CHECKING:
    from flowerexp.cluster.cost import Prices
    from flowerexp.cluster.kind import Kind

_WORDS = {
    "vcpus": "vCPUs",
    "shared_vcpus": "vCPUs of N1 and E2 (CPUS)",
    "n2_vcpus": "vCPUs of N2 (N2_CPUS)",
    "in_use_addresses": "external addresses in use (IN_USE_ADDRESSES)",
    "ssd_gb": "GB of SSD and balanced disks (SSD_TOTAL_GB)",
    "standard_disk_gb": "GB of standard disks (DISKS_TOTAL_GB)",
}
C = TypeVar("C", bound=Cluster)
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
        return Demand(**{spec.name: getattr(self, spec.name) + getattr(other, spec.name) for spec in fields(self)})


@dataclass(frozen=True)
class QuotaLimits:
    """What is allowed of each at once; None is unlimited, or not known."""

    vcpus: int | None = None
    in_use_addresses: int | None = None
    ssd_gb: int | None = None
    standard_disk_gb: int | None = None
    shared_vcpus: int | None = None
    n2_vcpus: int | None = None


def limits(kind: Kind[Any], quota: Quota) -> QuotaLimits:
    """What may be used at once where a cluster is.

    Args:
        kind: the cluster's.
        quota: a checked config's `quota` node.

    Returns:
        What the config says, or what the cloud has left now; no limits for `none`.

    Raises:
        ClusterError: the cloud does not answer.
    """
    if quota.source == "fixed":
        return QuotaLimits(quota.vcpus, quota.in_use_addresses, quota.ssd_gb, quota.standard_disk_gb)
    return kind.live_limits() if quota.source == "live" else QuotaLimits()


def fits(wanted: Demand, used: Demand, limit: QuotaLimits) -> bool:
    """Is there room for `wanted` beside what is used already?"""
    return not list(_over(wanted + used, limit))


def _over(needed: Demand, limit: QuotaLimits) -> Iterator[tuple[str, int, int]]:
    for name, asked in asdict(needed).items():
        allowed = getattr(limit, name)
        if asked and allowed is not None and asked > allowed:
            yield name, asked, allowed


def check(kind: Kind[Any], quota: Quota, prices: Prices) -> None:
    """Would a cluster alone fit?

    Args:
        kind: the cluster's.
        quota: a checked config's `quota` node.
        prices: those that it names, with machine types of the user's own.

    Raises:
        QuotaError: it would not; the message says by how much, and what would.
        ConfigError: a machine type is unknown.
        ClusterError: the cloud does not answer.
    """
    if kind.place is None or quota.source == "none":
        return
    limit = limits(kind, quota)
    over = [
        f"{asked:,} {_WORDS[name]} of {max(0, allowed):,}" for name, asked, allowed in _over(kind.demand(prices), limit)
    ]
    if over:
        name, region = kind.cluster.name, kind.place.region
        problem = f"cluster {name} needs more than the quota of {region} has: {', '.join(over)}"
        changes = " or ".join(_that_fit(kind, limit, prices))
        hint = f"this would fit: {changes}" if changes else "nothing smaller of its kind would fit"
        raise QuotaError(problem, where="quota", hint=f"{hint}. Else {_ELSE}")


def _that_fit(kind: Kind[Any], limit: QuotaLimits, prices: Prices) -> list[str]:
    """Overrides with which a cluster fits: the nearest of each way to be smaller, two at most."""
    fitting = []
    for way in kind.smaller(limit, prices):
        for changes in way:
            if fits(type(kind)(changed(kind.cluster, changes)).demand(prices), Demand(), limit):
                fitting.append(" ".join(f"cluster.{key}={str(value).lower()}" for key, value in changes.items()))
                break
    return fitting[:2]


def changed(cluster: C, changes: Mapping[str, Any]) -> C:
    """A cluster's config with other values; the keys are `KEY` or `KEY.KEY`."""
    for key, value in changes.items():
        outer, _, inner = key.partition(".")
        cluster = replace(cluster, **{outer: replace(getattr(cluster, outer), **{inner: value}) if inner else value})
    return cluster
