"""Settle the bill of clusters that are gone: each run pays for its own time, and its share of start and idle time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from flowerexp import records, tracking
from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.shares import shares
from flowerexp.config import key_of
from flowerexp.errors import FlowerexpError
from flowerexp.job.ship import run_keys
from flowerexp.journal import RECORD
from flowerexp.orchestrate.collect import SECONDS
from flowerexp.orchestrate.ledger import ClusterLifetime
from flowerexp.plan import PlannedRun

USAGE, ESTIMATE = "usage", "estimate"
"""Where a run's cost comes from: what the cloud measured, or prices and time."""


def settle(runs: Sequence[PlannedRun], lifetimes: Iterable[ClusterLifetime], jobs: Iterable[Path] = ()) -> float | None:
    """Add to each run's record, and to MLflow, its share of what its cluster cost beside the runs' own time.

    It may be called again, as when a sweep was resumed: the shares are computed anew.

    Args:
        runs: all runs of the sweep; those without a record of their own time are left out.
        lifetimes: of all clusters of the sweep that are gone.
        jobs: the folders of all jobs, for what the cloud has measured of them.

    Returns:
        What all clusters have cost, in US dollars; None if there were none, or their prices are not known.

    Raises:
        FlowerexpError: one of them could not be logged to MLflow; the records are right, and so are the others.
    """
    by_cluster: dict[str, list[ClusterLifetime]] = {}
    for lifetime in lifetimes:
        if lifetime.deleted_at is not None:
            by_cluster.setdefault(key_of(lifetime.cluster), []).append(lifetime)
    carried = [(folder, keys) for folder in jobs if (keys := run_keys(folder))]
    total = None
    for key, own in by_cluster.items():
        here = [run for run in runs if key_of(run.config.cluster) == key]
        try:
            prices = Prices.of(here[0].config.budget, own[0].cluster) if here else Prices.load()
            kind, keys = kind_of(own[0].cluster), {run.run_key for run in here}
            rate = kind.rate(prices)
            used = kind.billed([folder for folder, all_ in carried if keys & all_], prices)
        except FlowerexpError:  # there is no price, or none to be had
            continue
        if rate:
            total = (total or 0.0) + _share(here, own, rate, used)
    return total


def _share(runs: Sequence[PlannedRun], lifetimes: Sequence[ClusterLifetime], rate: Rate, used: float | None) -> float:
    """Share what a cluster, created once or more often, cost; returns that in US dollars.

    What the cloud has measured (`used`) is shared as the estimate would be: by time.
    """
    own = {run.folder.name: (run, record) for run in runs if (record := _record(run.folder))}
    seconds = {name: record["facts"].get(SECONDS, 0.0) for name, (_, record) in own.items()}
    alive = sum((lifetime.deleted_at or 0.0) - lifetime.created_at for lifetime in lifetimes)
    start = sum((lifetime.ready_at or lifetime.deleted_at or 0.0) - lifetime.created_at for lifetime in lifetimes)
    if used is not None and alive > 0:
        rate = Rate(machines=used * 3600 / alive)
    source = ESTIMATE if used is None else USAGE
    settled = shares(rate, alive, start, seconds)
    failed: FlowerexpError | None = None
    for name, (run, record) in own.items():
        share = settled.share(name)
        facts = {"cost/usd": share.own, "cost/start_usd": share.start, "cost/idle_usd": share.idle}
        if rate.secondary:
            facts["cost/secondary_usd"] = share.own * rate.secondary / rate.total
        changed = any(record["facts"].get(key) != value for key, value in facts.items())
        if changed or record.get("cost_from") != source:
            record["facts"] |= facts
            records.write(run.folder / RECORD, record | {"cost_from": source})
            try:
                store = tracking.Store.of(run.config.tracking)
                tracking.add_metrics(run.folder, store, facts)
                tracking.add_tags(run.folder, store, {"cost_from": source})
            except FlowerexpError as error:
                failed = failed or error
    if failed:
        raise failed
    return settled.total


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        return records.find(folder / RECORD, records.RUN)
    except FlowerexpError:  # said where the sweep's tables are made
        return None
