"""What a report computes over all runs of a sweep: caching pairs, slowdowns by contention, and busy executors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flowerexp.analysis.caching import Caching, Side, compare_caching
from flowerexp.analysis.interference import Slowdown, slowdowns
from flowerexp.analysis.regression import FEWEST, Fit, fit
from flowerexp.analysis.report.evidence import believed
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.runs import Run, short
from flowerexp.analysis.utilisation import Use, by_phase


@dataclass(frozen=True)
class Derived:
    """What runs of a sweep say together: pairs of caching, slowdowns, and by run and phase how executors were used."""

    caching: Caching | None
    slowdowns: Sequence[Slowdown]
    uses: Mapping[str, Mapping[str, Use]]


def derived(material: Material, families: int) -> Derived:
    """All of it.

    Args:
        material: the material.
        families: how many intervals hold together with 95 %.
    """
    return Derived(caching_of(material, families), slowdowns_of(material, families), uses_of(material))


def looked_at(material: Material) -> int:
    """How many comparisons a report makes beside those of factors: of caching, and of measurements at once."""
    series = len(material.series)
    of_caching = 1 + series if "caching" in material.varied else 0
    return of_caching + series * (len({run.at_once for run in material.measured}) - 1 if material.measured else 0)


def caching_of(material: Material, families: int = 1) -> Caching | None:
    """The pairs of a sweep that varies caching: of its valid runs, or of all if no two of those are a pair."""
    return _pairs_of(believed(material), families) or _pairs_of(material.measured, families)


def _pairs_of(chosen: Sequence[Run], families: int) -> Caching | None:
    runs = []
    for run in sorted(chosen, key=lambda run: run.record.get("started_at", 0)):
        groups = list(run.rates.values())
        measured = sum(group["measurements"] for group in groups)
        if run.record.get("state") == "finished" and measured and run.config:
            executions = sum(group["executions"] for group in groups) / measured
            phases = run.record.get("phases", {})
            seconds = float(phases.get("measure", 0.0) + phases.get("cache", 0.0))  # to fill the cache is its price
            runs.append((run.config, Side(run.name, seconds, executions, run.values)))
    return compare_caching(runs, families)


def slowdowns_of(material: Material, families: int = 1) -> list[Slowdown]:
    """How much measurements slow each other down, for a sweep that varies how many run at once.

    Runs in which measurements overlapped are suspect for that reason, and count here: it is what is studied.
    """
    if len({run.at_once for run in material.measured}) < 2:
        return []
    rows = {str(name): of_run for name, of_run in material.timed.groupby("run", observed=True)}
    none = material.timed.iloc[:0]
    known = [(run.config, rows.get(run.name, none)) for run in material.measured if run.config]
    return slowdowns([(config, material.table_of(of_run)) for config, of_run in known], families)


def swept_lines(material: Material) -> list[Fit]:
    """The experiment's value against each number that the sweep varies, a point for each valid run."""
    runs = believed(material)
    lines = []
    for key in material.varied:
        for series in material.series:
            known = [(run.varied.get(key), run.values[series]) for run in runs if series in run.values]
            points = [(x, y) for x, y in known if isinstance(x, int | float) and not isinstance(x, bool)]
            xs, ys = np.array(points, float).reshape(-1, 2).T
            if len(points) == len(known) >= FEWEST and np.ptp(xs):
                lines.append(fit(series, short(key), material.experiment.value_name, xs, ys))
    return lines


def uses_of(material: Material) -> dict[str, dict[str, Use]]:
    """How each run used its executors, by the run's name and by phase."""
    uses: dict[str, dict[str, Use]] = {}
    for log in material.logs:
        for run in material.runs_of(log):
            phases = by_phase(log, run.record.get("started_at") or 0.0, run.record.get("ended_at") or math.inf)
            if phases:
                uses[run.name] = phases
    return uses
