"""Settle the bill of clusters that are gone: each run pays for its own time, and its share of start and idle time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowerexp import storage, tracking
from flowerexp.cluster import cost
from flowerexp.cluster.cost import Prices
from flowerexp.errors import FlowerexpError
from flowerexp.orchestrate.home import RECORD
from flowerexp.orchestrate.ledger import Bill
from flowerexp.plan import PlannedRun


def settle(runs: Sequence[PlannedRun], bills: Iterable[Bill]) -> float | None:
    """Add to each run's record, and to MLflow, its share of what its cluster cost beside the runs' own time.

    It may be called again, as when a sweep was resumed: the shares are computed anew.

    Args:
        runs: all runs of the sweep; those without a record of their own time are left out.
        bills: of all clusters of the sweep that are gone.

    Returns:
        What all clusters have cost, in US dollars; None if there were none, or their prices are not known.

    Raises:
        TrackingError: MLflow could not be told; the records are right.
    """
    by_cluster: dict[str, list[Bill]] = {}
    for bill in bills:
        if bill.deleted_at is not None:
            by_cluster.setdefault(_key(bill.cluster), []).append(bill)
    total = None
    for key, own in by_cluster.items():
        here = [run for run in runs if _key(run.config["cluster"]) == key]
        try:
            rate = cost.rate(own[0].cluster, Prices.load(here[0].config["budget"]["prices"] if here else None))
        except FlowerexpError:
            continue
        usd = sum(rate.usd((bill.deleted_at or 0) - bill.created_at) for bill in own)
        total = (total or 0.0) + usd
        _share(here, usd)
    return total


def _share(runs: Sequence[PlannedRun], usd: float) -> None:
    """Share what a cluster cost beside its runs' own time, by that time."""
    records = {run: record for run in runs if (record := _record(run.folder)) and "cost/usd" in record["facts"]}
    paid = sum(record["facts"]["cost/usd"] for record in records.values())
    for run, record in records.items():
        part = record["facts"]["cost/usd"] / paid if paid else 1 / len(records)
        facts = {"cost/overhead_usd": max(0.0, usd - paid) * part, "cost/cluster_usd": usd}
        if all(record["facts"].get(name) == value for name, value in facts.items()):
            continue
        record["facts"] |= facts
        storage.write_bytes(str(run.folder / RECORD), json.dumps(record, indent=1).encode())
        tracking.add_metrics(run.folder, tracking.Store(**run.config["tracking"]), facts)


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    return content


def _key(cluster: Mapping[str, Any]) -> str:
    return json.dumps(cluster, sort_keys=True)
