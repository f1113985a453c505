"""A table of cluster runtimes: the runs of each job, as candidates of a search and what each came to.

It has a row for each job and cluster: job, machine_type, nodes, runtime_s, cost_usd; and if it likes config_id, vcpus
and mem_gb (of a node), usd_h_node, completed, cpu_class and disk_class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from flowerexp.errors import DataError
from flowerexp.search import Candidate, Shape

NEEDED = ("job", "machine_type", "nodes", "runtime_s", "cost_usd")


@dataclass(frozen=True)
class Run:
    """What one cluster came to, in the table."""

    candidate: Candidate
    machine_type: str
    seconds: float
    cost: float
    completed: bool


def read(path: Path, failures: bool) -> dict[str, list[Run]]:
    """The table by job.

    Raises:
        DataError: a column is missing, or nothing is left.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="give a CSV file") from error
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise DataError(f"{path} has no column {missing[0]}", hint=f"it needs {', '.join(NEEDED)}")
    if "completed" not in table:
        table["completed"] = True
    table["completed"] = table["completed"].astype(str).str.strip().str.lower().isin(("true", "1", "1.0", "yes"))
    jobs: dict[str, list[Run]] = {}
    for row in table.to_dict("records"):
        run = _run({str(name): value for name, value in row.items()})
        if run is not None and (run.completed or failures):
            jobs.setdefault(str(row["job"]), []).append(run)
    jobs = {name: _distinct(runs) for name, runs in jobs.items()}
    jobs = {name: runs for name, runs in sorted(jobs.items()) if sum(run.completed for run in runs) > 1}
    if not jobs:
        raise DataError(f"{path} has no job with two completed runs")
    return jobs


def _run(row: dict[str, object]) -> Run | None:
    """A row, or None if it says nothing: no cost, no time, no nodes."""

    def number(name: str) -> float | None:
        value = pd.to_numeric(row.get(name), errors="coerce")  # type: ignore[call-overload]
        return float(value) if pd.notna(value) and value > 0 else None

    def text(name: str) -> str:
        return str(row[name]) if pd.notna(row.get(name)) else ""  # type: ignore[call-overload]

    cost, seconds, nodes, kind = number("cost_usd"), number("runtime_s"), number("nodes"), text("machine_type")
    if cost is None or seconds is None or nodes is None:
        return None
    each = number("usd_h_node")
    price = each * nodes if each is not None else cost / seconds * 3600
    family = re.split(r"[.\-]", kind)[0]
    shape = Shape(
        number("vcpus") or 1.0, number("mem_gb") or 1.0, nodes, text("cpu_class") or family, text("disk_class")
    )
    name = text("config_id") or f"{nodes:g}x{kind} {text('disk_class')}".strip()
    return Run(Candidate(name, shape, price), kind, seconds, cost, bool(row["completed"]))


def _distinct(runs: list[Run]) -> list[Run]:
    """One run for each cluster: of repeated ones the one of median cost, a completed one if there is any."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.candidate.name, []).append(run)
    kept = []
    for group in groups.values():
        some = [run for run in group if run.completed] or group
        kept.append(sorted(some, key=lambda run: run.cost)[(len(some) - 1) // 2])
    return kept
