"""The ledger of a batch: what its clusters use of the quotas, and what they have cost so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from flowerexp.cluster import quota, quota_check
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import Place, kind_of
from flowerexp.cluster.quota import Demand, QuotaLimits
from flowerexp.config import key_of
from flowerexp.config.schema import Cluster, Config
from flowerexp.errors import ConfigError


@dataclass(frozen=True)
class ClusterLifetime:
    """A cluster's life: its config, and when it was asked for, was ready, and was gone, in epoch seconds."""

    cluster: Cluster
    created_at: float
    ready_at: float | None = None
    deleted_at: float | None = None

    def seconds(self, now: float) -> float:
        """How long it has been paid for by now, in epoch seconds."""
        return (self.deleted_at or now) - self.created_at


class Ledger:
    """What the clusters of a batch use and cost.

    Args:
        config: a run's config, for its quota and budget.
        lifetimes: the clusters that earlier launchers of the same sweep paid for.
    """

    def __init__(self, config: Config, lifetimes: Iterable[ClusterLifetime] = ()) -> None:
        self._quota = config.quota
        self._budget = config.budget
        self.budget: float | None = config.budget.usd
        lifetimes = [*lifetimes]
        self._alive = {key_of(lifetime.cluster): lifetime for lifetime in lifetimes if lifetime.deleted_at is None}
        self._deleted = [lifetime for lifetime in lifetimes if lifetime.deleted_at is not None]
        self._active: dict[str, Cluster] = {}
        self._limits: dict[Place, QuotaLimits] = {}

    def fits(self, cluster: Cluster) -> bool:
        """Does a cluster fit into its region's quotas beside those that are there?"""
        kind = kind_of(cluster)
        if kind.place is None:
            return True
        if kind.place not in self._limits:
            self._limits[kind.place] = quota_check.limits(kind, self._quota)
        used = Demand()
        for other in map(kind_of, self._active.values()):
            used += other.demand(self._prices(other.cluster)) if other.place == kind.place else Demand()
        return quota.fits(kind.demand(self._prices(cluster)), used, self._limits[kind.place])

    def take(self, cluster: Cluster) -> None:
        """A cluster is about to be created: it counts against the quotas from now on."""
        self._active[key_of(cluster)] = cluster

    def give_back(self, cluster: Cluster) -> None:
        """Nothing of a cluster is left."""
        self._active.pop(key_of(cluster), None)

    def note(self, cluster: Cluster, state: str, at: float) -> None:
        """A cluster's state changed: it costs from `creating` to `deleted`."""
        key = key_of(cluster)
        lifetime = self._alive.get(key)
        if state == "deleted":
            if lifetime:
                self._deleted.append(replace(self._alive.pop(key), deleted_at=at))
        elif lifetime is None:
            self._alive[key] = ClusterLifetime(cluster, at, at if state == "running" else None)
        elif state == "running" and lifetime.ready_at is None:
            self._alive[key] = replace(lifetime, ready_at=at)

    @property
    def lifetimes(self) -> list[ClusterLifetime]:
        """The lifetimes of all clusters, those that are gone first."""
        return [*self._deleted, *self._alive.values()]

    def spent(self, now: float) -> float:
        """What all clusters have cost until now, in US dollars.

        Args:
            now: epoch seconds.
        """
        return sum(self.usd(lifetime.cluster, lifetime.seconds(now)) for lifetime in self.lifetimes)

    def usd(self, cluster: Cluster, seconds: float) -> float:
        """What a cluster costs in some seconds; nothing where no price is known, and no budget is set.

        Raises:
            ConfigError: no price is known, and a budget is set.
        """
        try:
            rate = kind_of(cluster).rate(self._prices(cluster))
        except ConfigError:
            if self.budget is not None:
                raise
            return 0.0
        return rate.usd(seconds) if rate else 0.0

    def _prices(self, cluster: Cluster) -> Prices:
        return Prices.of(self._budget, cluster)

    def over_budget(self, now: float) -> str | None:
        """What to say once the budget is used up; None before, or without one."""
        if self.budget is None or (spent := self.spent(now)) < self.budget:
            return None
        return f"the budget is used up: ${spent:.2f} of ${self.budget:.2f} spent"
