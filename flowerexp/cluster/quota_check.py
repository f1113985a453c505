"""Does a cluster fit into its place's quotas, before anything is created? If not, what would?"""

from __future__ import annotations

from typing import Any

from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import Kind
from flowerexp.cluster.quota import Demand, QuotaLimits, changed, fits, over
from flowerexp.config.schema import Quota
from flowerexp.errors import QuotaError

_ELSE = "ask Google for more, or name what you have: quota.KEY=NUMBER, quota=live or quota=none"


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
    excess = [f"{asked:,} {what} of {max(0, allowed):,}" for what, asked, allowed in over(kind.demand(prices), limit)]
    if excess:
        name, region = kind.cluster.name, kind.place.region
        problem = f"cluster {name} needs more than the quota of {region} has: {', '.join(excess)}"
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
