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
from flowerexp.errors import ConfigError, FlowerexpError
from flowerexp.journal import RECORD
from flowerexp.orchestrate.collect import SECONDS
from flowerexp.orchestrate.ledger import ClusterLifetime
from flowerexp.plan import PlannedRun


def settle(runs: Sequence[PlannedRun], lifetimes: Iterable[ClusterLifetime]) -> float | None:
    """Add to each run's record, and to MLflow, its share of what its cluster cost beside the runs' own time.

    It may be called again, as when a sweep was resumed: the shares are computed anew.

    Args:
        runs: all runs of the sweep; those without a record of their own time are left out.
        lifetimes: of all clusters of the sweep that are gone.

    Returns:
        What all clusters have cost, in US dollars; None if there were none, or their prices are not known.

    Raises:
        FlowerexpError: one of them could not be logged to MLflow; the records are right, and so are the others.
    """
    by_cluster: dict[str, list[ClusterLifetime]] = {}
    for lifetime in lifetimes:
        if lifetime.deleted_at is not None:
            by_cluster.setdefault(key_of(lifetime.cluster), []).append(lifetime)
    total = None
    for key, own in by_cluster.items():
        here = [run for run in runs if key_of(run.config.cluster) == key]
        try:
            rate = kind_of(own[0].cluster).rate(Prices.load(here[0].config.budget.prices if here else None))
        except ConfigError:
            continue
        if rate:
            total = (total or 0.0) + _share(here, own, rate)
    return total


def _share(runs: Sequence[PlannedRun], lifetimes: Sequence[ClusterLifetime], rate: Rate) -> float:
    """Share what a cluster, created once or more often, cost; returns that in US dollars."""
    own = {run.folder.name: (run, record) for run in runs if (record := _record(run.folder))}
    seconds = {name: record["facts"].get(SECONDS, 0.0) for name, (_, record) in own.items()}
    alive = sum((lifetime.deleted_at or 0.0) - lifetime.created_at for lifetime in lifetimes)
    start = sum((lifetime.ready_at or lifetime.deleted_at or 0.0) - lifetime.created_at for lifetime in lifetimes)
    settled = shares(rate, alive, start, seconds)
    failed: FlowerexpError | None = None
    for name, (run, record) in own.items():
        share = settled.share(name)
        facts = {"cost/usd": share.own, "cost/start_usd": share.start, "cost/idle_usd": share.idle}
        if any(record["facts"].get(key) != value for key, value in facts.items()):
            record["facts"] |= facts
            records.write(run.folder / RECORD, record)
            try:
                tracking.add_metrics(run.folder, tracking.Store.of(run.config.tracking), facts)
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
