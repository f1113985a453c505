"""The ledger of a batch: what its clusters use of the quotas, and what they have cost so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from flowerexp.cluster import cost, quota
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.quota import Demand, QuotaLimits
from flowerexp.config import key_of
from flowerexp.config.schema import Cloud, Cluster, Config
from flowerexp.errors import ConfigError


@dataclass(frozen=True)
class ClusterLifetime:
    """A cluster's life: its config, and when it was asked for, was ready, and was gone, in epoch seconds."""

    cluster: Cluster
    created_at: float
    ready_at: float | None = None
    deleted_at: float | None = None


class Ledger:
    """What the clusters of a batch use and cost.

    Args:
        config: a run's config, for its quota and budget.
        bills: the clusters that earlier launchers of the same sweep paid for.
    """

    def __init__(self, config: Config, bills: Iterable[ClusterLifetime] = ()) -> None:
        self._quota = config.quota
        self.budget: float | None = config.budget.usd
        self._prices = Prices.load(config.budget.prices)
        self._bills = {_key(bill.cluster): bill for bill in bills if bill.deleted_at is None}
        self._closed = [bill for bill in bills if bill.deleted_at is not None]
        self._active: dict[str, Cluster] = {}
        self._limits: dict[tuple[str, str], QuotaLimits] = {}

    def fits(self, cluster: Cluster) -> bool:
        """Does a cluster fit into its region's quotas beside those that are there?"""
        place = _place(cluster)
        if place is None:
            return True
        if place not in self._limits:
            self._limits[place] = quota.limits(self._quota, *place)
        used = Demand()
        for other in self._active.values():
            used += quota.demand(other) if _place(other) == place else Demand()
        return quota.fits(quota.demand(cluster), used, self._limits[place])

    def take(self, cluster: Cluster) -> None:
        """A cluster is about to be created: it counts against the quotas from now on."""
        self._active[_key(cluster)] = cluster

    def give_back(self, cluster: Cluster) -> None:
        """Nothing of a cluster is left."""
        self._active.pop(_key(cluster), None)

    def note(self, cluster: Cluster, state: str, at: float) -> None:
        """A cluster's state changed: it costs from `creating` to `deleted`."""
        key = _key(cluster)
        bill = self._bills.get(key)
        if state == "deleted":
            if bill:
                self._closed.append(replace(self._bills.pop(key), deleted_at=at))
        elif bill is None:
            self._bills[key] = ClusterLifetime(cluster, at)
        elif state == "running" and bill.ready_at is None:
            self._bills[key] = replace(bill, ready_at=at)

    @property
    def bills(self) -> list[ClusterLifetime]:
        """All bills, of clusters that are gone and of those that are there."""
        return [*self._closed, *self._bills.values()]

    def spent(self, now: float) -> float:
        """What all clusters have cost until now, in US dollars.

        Args:
            now: epoch seconds.
        """
        return sum(self.usd(bill.cluster, (bill.deleted_at or now) - bill.created_at) for bill in self.bills)

    def usd(self, cluster: Cluster, seconds: float) -> float:
        """What a cluster costs in so many seconds; nothing where no price is known, and no budget is set.

        Raises:
            ConfigError: no price is known, and a budget is set.
        """
        try:
            rate = cost.rate(cluster, self._prices)
        except ConfigError:
            if self.budget is not None:
                raise
            return 0.0
        return rate.usd(seconds) if rate else 0.0

    def over_budget(self, now: float) -> str | None:
        """What to say once the budget is used up; None before, or without one."""
        if self.budget is None or (spent := self.spent(now)) < self.budget:
            return None
        return f"the budget is used up: ${spent:.2f} of ${self.budget:.2f} spent"


def _key(cluster: Cluster) -> str:
    return key_of(cluster)


def _place(cluster: Cluster) -> tuple[str, str] | None:
    """Where a cluster's quotas are counted: its project and region; None for one outside of the cloud."""
    return (cluster.project, cluster.region) if isinstance(cluster, Cloud) else None
