"""What a plan says of clusters that cost money: dollars, quotas and ceilings; no cloud is asked."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flowerexp.cluster import quota, quota_check
from flowerexp.cluster.kind import kind_of
from flowerexp.errors import ConfigError, QuotaError
from flowerexp.plan import duration

if TYPE_CHECKING:
    from flowerexp.sweep.budget import Expense
    from flowerexp.sweep.forecast import Forecast


_OLD_DAYS = 90
"""The age at which a plan says how old its prices are."""


def as_json(made: Forecast) -> dict[str, Any]:
    """The same as `as_text`, for machines, of all clusters."""
    from flowerexp.sweep import budget

    allowed = budget.budget(item.run for item in made.to_run)
    refused = budget.over(_needed(made), allowed)
    return {
        "clusters": [_cluster_json(expense) for expense in made.expenses],
        "refused": _refused(made),
        "notes": _notes(made.expenses),
        "usd": budget.total(_counted(made)),
        "usd_is_complete": not any(_open(expense) for expense in [*made.expenses, *made.expenses_aside]),
        "budget_usd": allowed,
        "budget_refuses": str(refused) if refused else None,
    }


def _cluster_json(expense: Expense) -> dict[str, Any]:
    needed, refused = _quota(expense)
    parts = ("machines", "secondary", "disks", "addresses", "fee", "total")
    return {
        "name": expense.cluster.name,
        "runs": expense.runs,
        "usd_per_hour": {part: getattr(expense.rate, part) for part in parts} if expense.rate else None,
        "start_seconds": expense.start,
        "known_seconds": expense.seconds,
        "runs_of_unknown_length": expense.unknown,
        "usd": expense.usd,
        "unpriced": expense.unpriced or None,
        "prices": {"source": expense.prices.source, "dated": expense.prices.dated.isoformat()},
        "quota": asdict(needed) if needed else None,
        "quota_refuses": refused or None,
        "limits": kind_of(expense.cluster).ceilings(expense.prices),
    }


def as_text(made: Forecast) -> list[str]:
    """Lines on what the clusters cost, need and reach; none where all is on this machine."""
    from flowerexp.sweep import budget

    paid = [expense for expense in made.expenses if kind_of(expense.cluster).place]
    if not paid:
        return []
    lines = [_cost_line(expense) for expense in paid]
    least = "at least " if any(_open(expense) for expense in [*paid, *made.expenses_aside]) else "about "
    smoke = "a smoke run on each and " if made.aside else ""
    which = (
        f"for {smoke}the {made.most_runs} most expensive clusters, as many as may be tried"
        if made.walk.chooses
        else "in all"
    )
    by = " and ".join(dict.fromkeys(expense.prices.named for expense in paid))
    lines.append(f"cost      {least}${budget.total(_counted(made)):,.2f} {which}, by {by}")
    allowed = budget.budget(item.run for item in made.to_run)
    refused = budget.over(_needed(made), allowed)
    if refused:
        lines.append(f"budget    refused: {refused.problem}")
    elif allowed is not None:
        enough = "enough to begin" if made.walk.chooses else "above the forecast"
        lines.append(f"budget    ${allowed:,.2f}, {enough}; a sweep that spends more is stopped")
    lines += [_quota_line(expense) for expense in paid]
    lines += [line for expense in paid for line in _limit_line(expense)]
    lines += [f"refused   {why}" for why in _refused(made)]
    return lines + [f"note      {note}" for note in _notes(paid)]


def _notes(clusters: Iterable[Expense]) -> list[str]:
    """What else to say of clusters in a cloud: versions that are out of support, and old prices."""
    paid = [each for each in clusters if kind_of(each.cluster).place]
    today = datetime.date.today()
    found = [f"{each.cluster.name}: {note}" for each in paid for note in kind_of(each.cluster).notes(today)]
    found += [f"{each.cluster.name}: {each.rate.left_out}" for each in paid if each.rate and each.rate.left_out]
    for source, dated in {each.prices.source: each.prices.dated for each in paid}.items():
        if (age := (today - dated).days) > _OLD_DAYS:
            found.append(f"{source} are {age} days old: set budget.prices=live, or name newer ones by budget.prices")
    return found


def _refused(made: Forecast) -> list[str]:
    """Why runs fit no cluster of their kind, as they would be refused at the start."""
    found: dict[str, None] = {}
    for config in (item.run.config for item in made.to_run):
        try:
            kind_of(config.cluster).check(config)
        except ConfigError as error:
            found[str(error)] = None
    return [*found]


def _counted(made: Forecast) -> list[Expense]:
    """The clusters that are paid for; of a search, as many as are tried at most, the dearest, and its smoke runs."""
    dearest = sorted(made.expenses, key=lambda expense: expense.usd or 0.0, reverse=True)[: made.most_runs]
    return [*made.expenses_aside, *dearest]


def _needed(made: Forecast) -> list[Expense]:
    """The clusters that a budget must allow for; a search may begin if it pays for the cheapest one."""
    by_price = sorted(made.expenses, key=lambda expense: expense.usd or 0.0)
    return by_price[:1] if made.walk.chooses else list(made.expenses)


def _open(expense: Expense) -> bool:
    """Is the forecast only the least that it costs?"""
    return expense.rate is None or (expense.rate.total > 0 and expense.unknown > 0)


def _cost_line(expense: Expense) -> str:
    name = f"cost      {expense.cluster.name}"
    if expense.rate is None:
        return f"{name}: unknown, {expense.unpriced}; set budget.prices=live, or add it to a file that it names"
    rate = expense.rate
    parts = {"machines": rate.machines, "secondary workers": rate.secondary, "disks": rate.disks}
    parts |= {"addresses": rate.addresses, "Dataproc": rate.fee}
    hourly = ", ".join(f"{what} {usd:.3f}" for what, usd in parts.items() if usd)
    start = f"{duration(expense.start)} to start and stop (assumed)"
    runs = f"and {duration(expense.seconds)} of runs" if expense.seconds else ""
    runs_of = "run" if expense.unknown == 1 else "runs"
    unknown = f"and {expense.unknown} {runs_of} of unknown length" if expense.unknown else ""
    least = "at least" if expense.unknown else "about"
    what = " ".join(part for part in (start, runs, unknown) if part)
    return f"{name}: ${rate.total:.3f} an hour ({hourly}); {least} ${expense.usd:,.2f} for {what}"


def _quota(expense: Expense) -> tuple[quota.Demand | None, str]:
    """What a cluster needs, and why it would be refused, if it would; None if its machines are not known."""
    try:
        kind = kind_of(expense.cluster)
        needed = kind.demand(expense.prices)
        if expense.quota.source != "live":
            quota_check.check(kind, expense.quota, expense.prices)
    except ConfigError as error:
        return None, f"{error.problem}; {error.hint}"
    except QuotaError as error:
        return needed, f"{error.problem}; {error.hint}"
    return needed, ""


def _quota_line(expense: Expense) -> str:
    needed, refused = _quota(expense)
    if needed is None or refused:
        return f"quota     refused: {refused}"
    disks = f"{needed.ssd_gb:,} GB of SSD, {needed.standard_disk_gb:,} GB of standard disks"
    addresses = f"{needed.in_use_addresses} external addresses"
    verdict = {"fixed": "fits", "live": "looked up at the start"}.get(expense.quota.source, "not checked")
    return f"quota     {expense.cluster.name}: {needed.vcpus} vCPUs, {addresses}, {disks}: {verdict}"


def _limit_line(expense: Expense) -> list[str]:
    found = kind_of(expense.cluster).ceilings(expense.prices)
    words = {
        "limit/vcpus": "{:,.0f} vCPUs for tasks",
        "limit/network_mb_s": "network {:,.0f} MB/s",
        "limit/disk_read_mib_s": "disk {:,.0f} MiB/s a machine",
    }
    parts = [text.format(found[key]) for key, text in words.items() if key in found]
    return [f"limits    {expense.cluster.name}: {', '.join(parts)}"] if parts else []
