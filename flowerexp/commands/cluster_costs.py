"""What a plan says of clusters that cost money: dollars, quotas and ceilings; no cloud is asked."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flowerexp.cluster import quota, quota_check
from flowerexp.cluster.kind import kind_of
from flowerexp.errors import ConfigError, QuotaError

if TYPE_CHECKING:
    from flowerexp.sweep.budget import Expense
    from flowerexp.sweep.forecast import Forecast


def as_json(made: Forecast) -> dict[str, Any]:
    """The same as `as_text`, for machines, of all clusters."""
    from flowerexp.sweep import budget

    allowed = budget.budget(item.run for item in made.to_run)
    refused = budget.over(_needed(made), allowed)
    return {
        "clusters": [_cluster_json(one) for one in made.expenses],
        "usd": budget.total(_counted(made)),
        "usd_is_complete": not any(_open(one) for one in [*made.expenses, *made.expenses_aside]),
        "budget_usd": allowed,
        "budget_refuses": str(refused) if refused else None,
    }


def _cluster_json(one: Expense) -> dict[str, Any]:
    needed, refused = _quota(one)
    parts = ("machines", "disks", "addresses", "fee", "total")
    return {
        "name": one.cluster.name,
        "runs": one.runs,
        "usd_per_hour": {part: getattr(one.rate, part) for part in parts} if one.rate else None,
        "start_seconds": one.start,
        "known_seconds": one.seconds,
        "runs_of_unknown_length": one.unknown,
        "usd": one.usd,
        "unpriced": one.unpriced or None,
        "quota": asdict(needed) if needed else None,
        "quota_refuses": refused or None,
        "limits": kind_of(one.cluster).ceilings(one.prices),
    }


def as_text(made: Forecast) -> list[str]:
    """Lines on what the clusters cost, need and reach; none where all is on this machine."""
    from flowerexp.sweep import budget

    paid = [one for one in made.expenses if kind_of(one.cluster).place]
    if not paid:
        return []
    lines = [_cost_line(one) for one in paid]
    least = "at least " if any(_open(one) for one in [*paid, *made.expenses_aside]) else "about "
    smoke = "a smoke run on each and " if made.aside else ""
    which = f"for {smoke}the {made.most_runs} dearest, the most that are tried" if made.walk.chooses else "in all"
    lines.append(f"cost      {least}${budget.total(_counted(made)):,.2f} {which}, by prices of {paid[0].prices.dated}")
    allowed = budget.budget(item.run for item in made.to_run)
    refused = budget.over(_needed(made), allowed)
    if refused:
        lines.append(f"budget    refused: {refused.problem}")
    elif allowed is not None:
        enough = "enough to begin" if made.walk.chooses else "above the forecast"
        lines.append(f"budget    ${allowed:,.2f}, {enough}; a sweep that spends more is stopped")
    lines += [_quota_line(one) for one in paid]
    return lines + [line for one in paid for line in _limit_line(one)]


def _counted(made: Forecast) -> list[Expense]:
    """The clusters that are paid for; of a search, as many as are tried at most, the dearest, and its smoke runs."""
    dearest = sorted(made.expenses, key=lambda one: one.usd or 0.0, reverse=True)[: made.most_runs]
    return [*made.expenses_aside, *dearest]


def _needed(made: Forecast) -> list[Expense]:
    """The clusters that a budget must allow for; a search may begin if it pays for one, and stops when it is spent."""
    return sorted(made.expenses, key=lambda one: one.usd or 0.0)[:1] if made.walk.chooses else list(made.expenses)


def _open(one: Expense) -> bool:
    """Is the forecast only the least that it costs?"""
    return one.rate is None or (one.rate.total > 0 and one.unknown > 0)


def _cost_line(one: Expense) -> str:
    name = f"cost      {one.cluster.name}"
    if one.rate is None:
        return f"{name}: unknown, {one.unpriced}"
    parts = {"machines": one.rate.machines, "disks": one.rate.disks, "addresses": one.rate.addresses}
    parts["Dataproc"] = one.rate.fee
    hourly = ", ".join(f"{what} {usd:.3f}" for what, usd in parts.items() if usd)
    start = f"{duration(one.start)} to start and stop (assumed)"
    runs = f"and {duration(one.seconds)} of runs" if one.seconds else ""
    unknown = f"and {one.unknown} {'run' if one.unknown == 1 else 'runs'} of unknown length" if one.unknown else ""
    least = "at least" if one.unknown else "about"
    what = " ".join(part for part in (start, runs, unknown) if part)
    return f"{name}: ${one.rate.total:.3f} an hour ({hourly}); {least} ${one.usd:,.2f} for {what}"


def _quota(one: Expense) -> tuple[quota.Demand | None, str]:
    """What a cluster needs, and why it would be refused, if it would; None if its machines are not known."""
    try:
        kind = kind_of(one.cluster)
        needed = kind.demand(one.prices)
        if one.quota.source != "live":
            quota_check.check(kind, one.quota, one.prices)
    except ConfigError as error:
        return None, f"{error.problem}; {error.hint}"
    except QuotaError as error:
        return needed, f"{error.problem}; {error.hint}"
    return needed, ""


def _quota_line(one: Expense) -> str:
    needed, refused = _quota(one)
    if needed is None or refused:
        return f"quota     refused: {refused}"
    disks = f"{needed.ssd_gb:,} GB of SSD, {needed.standard_disk_gb:,} GB of standard disks"
    addresses = f"{needed.in_use_addresses} external addresses"
    verdict = {"fixed": "fits", "live": "looked up at the start"}.get(one.quota.source, "not checked")
    return f"quota     {one.cluster.name}: {needed.vcpus} vCPUs, {addresses}, {disks}: {verdict}"


def _limit_line(one: Expense) -> list[str]:
    found = kind_of(one.cluster).ceilings(one.prices)
    words = {
        "limit/vcpus": "{:,.0f} vCPUs for tasks",
        "limit/network_mb_s": "network {:,.0f} MB/s",
        "limit/disk_read_mib_s": "disk {:,.0f} MiB/s a machine",
    }
    parts = [text.format(found[key]) for key, text in words.items() if key in found]
    return [f"limits    {one.cluster.name}: {', '.join(parts)}"] if parts else []


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
