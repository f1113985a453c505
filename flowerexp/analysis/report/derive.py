"""What a report computes over all runs of a sweep: caching pairs, slowdowns by contention, and busy executors."""

from __future__ import annotations

import math

from flowerexp.analysis.caching import Caching, Side, compare_caching
from flowerexp.analysis.interference import Slowdown, slowdowns
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.utilisation import Use, by_phase


def caching_of(material: Material) -> Caching | None:
    """The pairs of a sweep that varies caching."""
    runs = []
    for run in sorted(material.measured, key=lambda run: run.record.get("started_at", 0)):
        groups = list(run.rates.values())
        measured = sum(group["measurements"] for group in groups)
        if run.record.get("state") == "finished" and measured and run.config:
            executions = sum(group["executions"] for group in groups) / measured
            rates = {group["name"]: group["rate"] for group in groups}
            phases = run.record.get("phases", {})
            seconds = float(phases.get("measure", 0.0) + phases.get("cache", 0.0))  # to fill the cache is its price
            runs.append((run.config, Side(run.name, seconds, executions, rates)))
    return compare_caching(runs)


def slowdowns_of(material: Material) -> list[Slowdown]:
    """How much measurements slow each other down, for a sweep that varies how many run at once."""
    if len({run.at_once for run in material.measured}) < 2:
        return []
    rows = {str(name): of_run for name, of_run in material.timed.groupby("run")}
    none = material.timed.iloc[:0]
    known = [(run.config, rows.get(run.name, none)) for run in material.measured if run.config]
    return slowdowns([(config, material.table_of(of_run)) for config, of_run in known])


def uses_of(material: Material) -> dict[str, dict[str, Use]]:
    """How each run used its executors, by the run's name and by phase."""
    uses: dict[str, dict[str, Use]] = {}
    for log in material.logs:
        for run in material.runs_of(log):
            phases = by_phase(log, run.record.get("started_at") or 0.0, run.record.get("ended_at") or math.inf)
            if phases:
                uses[run.name] = phases
    return uses
