"""The arithmetic of quotas: what clusters need together, what is allowed, and whether the one fits into the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from flowerexp.config.schema import Cluster

WORDS = {
    "vcpus": "vCPUs",
    "in_use_addresses": "external addresses in use (IN_USE_ADDRESSES)",
    "ssd_gb": "GB of SSD and balanced disks (SSD_TOTAL_GB)",
    "standard_disk_gb": "GB of standard disks (DISKS_TOTAL_GB)",
}
_SERIES = {"CPUS": "N1 and E2", "PREEMPTIBLE_CPUS": "spot and preemptible machines"}
PREEMPTIBLE = "PREEMPTIBLE_CPUS"
"""The metric that counts the vCPUs of spot and preemptible machines, in regions that have granted some of it."""
C = TypeVar("C", bound=Cluster)


@dataclass(frozen=True)
class Demand:
    """What clusters need at once.

    Attributes:
        vcpus: of all machines.
        in_use_addresses: external ones.
        ssd_gb: of SSD and balanced disks.
        standard_disk_gb: of standard disks.
        by_metric: vCPUs of standard machines by the metric that counts them.
        preemptible: vCPUs of spot and preemptible machines by the metric that counts them in a region without quota of
            `PREEMPTIBLE`; no text where none is known.
    """

    vcpus: int = 0
    in_use_addresses: int = 0
    ssd_gb: int = 0
    standard_disk_gb: int = 0
    by_metric: Mapping[str, int] = field(default_factory=dict)
    preemptible: Mapping[str, int] = field(default_factory=dict)

    @property
    def amounts(self) -> dict[str, int]:
        """Everything by name: of the fields, and of the metrics where there is no quota of `PREEMPTIBLE`."""
        return {**{name: getattr(self, name) for name in WORDS}, **_sum(self.by_metric, self.preemptible)}

    def __add__(self, other: Demand) -> Demand:
        """What both need together."""
        plain = {name: getattr(self, name) + getattr(other, name) for name in WORDS}
        by_metric, preemptible = _sum(self.by_metric, other.by_metric), _sum(self.preemptible, other.preemptible)
        return Demand(**plain, by_metric=by_metric, preemptible=preemptible)

    def counted(self, limit: QuotaLimits) -> Mapping[str, int]:
        """By the metric that counts them in a region, the vCPUs.

        Spot and preemptible machines have a quota of their own only where Google has granted some:
        https://docs.cloud.google.com/compute/docs/instances/create-use-spot, "Before you begin".
        """
        if PREEMPTIBLE in limit.by_metric:
            return _sum(self.by_metric, {PREEMPTIBLE: sum(self.preemptible.values())})
        return _sum(self.by_metric, self.preemptible)


def _sum(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {name: first.get(name, 0) + second.get(name, 0) for name in {**first, **second}}


@dataclass(frozen=True)
class QuotaLimits:
    """What is allowed of each at once; None, or a metric that is missing, is unlimited, or not known."""

    vcpus: int | None = None
    in_use_addresses: int | None = None
    ssd_gb: int | None = None
    standard_disk_gb: int | None = None
    by_metric: Mapping[str, int] = field(default_factory=dict)


def fits(wanted: Demand, used: Demand, limit: QuotaLimits) -> bool:
    """Is there room for `wanted` beside what is used already?"""
    return not list(over(wanted + used, limit))


def over(needed: Demand, limit: QuotaLimits) -> Iterator[tuple[str, int, int]]:
    """What is needed beyond the limits: what it is, in words, how much is needed, and how much is allowed."""
    for name, words in WORDS.items():
        asked, allowed = getattr(needed, name), getattr(limit, name)
        if asked and allowed is not None and asked > allowed:
            yield words, asked, allowed
    for metric, asked in needed.counted(limit).items():
        if asked > limit.by_metric.get(metric, asked):
            yield f"vCPUs of {_SERIES.get(metric, metric.partition('_')[0])} ({metric})", asked, limit.by_metric[metric]


def changed(cluster: C, changes: Mapping[str, Any]) -> C:
    """A cluster's config with other values; the keys are `KEY` or `KEY.KEY`."""
    for key, value in changes.items():
        outer, _, inner = key.partition(".")
        cluster = replace(cluster, **{outer: replace(getattr(cluster, outer), **{inner: value}) if inner else value})
    return cluster
