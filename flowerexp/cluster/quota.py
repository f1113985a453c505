"""The arithmetic of quotas: what clusters need together, what is allowed, and whether the one fits into the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from flowerexp.config.schema import Cluster

WORDS = {
    "vcpus": "vCPUs",
    "shared_vcpus": "vCPUs of N1 and E2 (CPUS)",
    "n2_vcpus": "vCPUs of N2 (N2_CPUS)",
    "in_use_addresses": "external addresses in use (IN_USE_ADDRESSES)",
    "ssd_gb": "GB of SSD and balanced disks (SSD_TOTAL_GB)",
    "standard_disk_gb": "GB of standard disks (DISKS_TOTAL_GB)",
}
C = TypeVar("C", bound=Cluster)


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


def fits(wanted: Demand, used: Demand, limit: QuotaLimits) -> bool:
    """Is there room for `wanted` beside what is used already?"""
    return not list(over(wanted + used, limit))


def over(needed: Demand, limit: QuotaLimits) -> Iterator[tuple[str, int, int]]:
    """What is needed beyond the limits: its name, how much is needed, and how much is allowed."""
    for name, asked in asdict(needed).items():
        allowed = getattr(limit, name)
        if asked and allowed is not None and asked > allowed:
            yield name, asked, allowed


def changed(cluster: C, changes: Mapping[str, Any]) -> C:
    """A cluster's config with other values; the keys are `KEY` or `KEY.KEY`."""
    for key, value in changes.items():
        outer, _, inner = key.partition(".")
        cluster = replace(cluster, **{outer: replace(getattr(cluster, outer), **{inner: value}) if inner else value})
    return cluster
