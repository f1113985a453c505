"""What a report concludes from: the valid runs of a sweep, or its run, as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from flowerexp.analysis import words
from flowerexp.analysis.conclusions.effects import effects_of
from flowerexp.analysis.conclusions.evidence import Evidence, Factor, number_column, parameters_of
from flowerexp.analysis.conclusions.sentences import Conclusions
from flowerexp.analysis.experiments import extras_of
from flowerexp.analysis.interference import FACTOR
from flowerexp.analysis.report.cells import OF_VALUE, values_of
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.rows import of_each_run, of_runs
from flowerexp.analysis.report.runs import Run, short, shown
from flowerexp.config.schema import Sweep
from flowerexp.measurements.coded import Array, Coded

MOST_LEVELS = 30
"""A factor with more levels is not compared level by level; its line and the model say what it changes."""


def believed(material: Material) -> list[Run]:
    """The runs that findings rest on: they have finished, and are valid."""
    return [run for run in material.measured if run.verdict == "valid" and run.state in ("finished", "skipped")]


def doubt_of(material: Material) -> str | None:
    """Why nothing can be concluded; None if something can."""
    if not material.measured:
        return "nothing was measured"
    if believed(material):
        return None
    reason = next((run.reasons[0] for run in material.measured if run.reasons), "none has finished")
    if len(material.runs) == 1:
        return f"the run is {material.runs[0].verdict}: {reason}"
    return f"none of {len(material.runs)} runs is valid; the first reason: {reason}"


def conclusions(material: Material, more_families: int = 0, further: Sequence[str] = ()) -> Conclusions:
    """What follows from the valid runs; if none is valid, what would follow from the others, with the doubt.

    Args:
        material: the material.
        more_families: how many comparisons the report makes beside those of factors.
        further: the sentences about these.
    """
    runs = believed(material) or material.measured
    effects = effects_of(evidence(material, runs), material.margin, more_families)
    values = values_of(of_runs(material.valued[[*OF_VALUE]], runs), material)
    ordered = {name: values[name] for name in words.ordered(material.experiment, values)}
    costs = {key: _costs(runs, key) for key in material.varied}
    families = len(effects) + more_families
    return Conclusions(material.experiment, effects, ordered, doubt_of(material), costs, further, families)


def decided(material: Material) -> Sequence[str]:
    """What the valid runs say in the experiment's own words; nothing if there are none, or if it has no such words."""
    runs = believed(material)
    if not runs:
        return ()
    found = evidence(material, runs)
    parameters = material.experiment.parameters
    varied = {factor.key: factor.label for factor in found.factors if factor.key not in parameters}
    facts = [run.facts for run in runs]
    return extras_of(material.experiment).decision(found, varied, facts, material.margin)


def _costs(runs: Sequence[Run], key: str) -> Mapping[str, float]:
    by_level: dict[str, list[float]] = {}
    for run in runs:
        if run.dollars is not None:
            by_level.setdefault(shown(run.varied.get(key)), []).append(run.dollars)
    return {level: sum(costs) / len(costs) for level, costs in by_level.items()}


def evidence(material: Material, runs: Sequence[Run]) -> Evidence:
    """Some runs of a sweep as evidence: what the sweep varies is compared, and parameters of its experiment.

    Args:
        material: the material.
        runs: those that count.
    """
    experiment = material.experiment
    rows = of_runs(material.fair[["run", "series", "repetition", "top", "bottom", *experiment.numeric]], runs)
    numbers = of_each_run(rows, {run.name: place for place, run in enumerate(runs)}).to_numpy(int)
    columns = {name: number_column(rows[name].to_numpy(float)) for name in experiment.numeric}
    series = [words.values(experiment, name) for name in rows["series"].cat.categories]
    for name in experiment.categorical:
        values = [of_series.get(name) or "-" for of_series in series]
        columns[name] = Coded.chosen(np.array(values, str), rows["series"].cat.codes.to_numpy())
    factors = _factors(material)
    for factor in factors:
        if factor.key not in columns:
            columns[factor.key] = Coded.chosen(_levels([run.varied.get(factor.key) for run in runs]), numbers)
    few = [factor for factor in factors if len(columns[factor.key].present.values) <= MOST_LEVELS]
    top, bottom = (rows[name].to_numpy(float) for name in ("top", "bottom"))
    repetitions = Coded.of(rows["repetition"].fillna(0).to_numpy(float)).places
    return Evidence(experiment, top, bottom, numbers, repetitions, columns, few, _blocks(runs), _order(runs))


def _factors(material: Material) -> list[Factor]:
    """What is compared: what the sweep varies; and of the parameters, categorical ones, or all if nothing is varied."""
    known = {factor.key: factor for factor in parameters_of(material.experiment)}
    swept = []
    for key in material.varied:
        group, _, name = key.partition(".")
        if group == "grid" and name in material.experiment.parameters:
            swept += [known[name]] if name in known else []
        elif key not in ("caching", FACTOR):  # which have findings of their own
            swept.append(Factor(key, short(key)))
    if not material.varied:
        return [*known.values()]
    chosen = {factor.key: replace(factor, asked=True) for factor in swept}
    others = [known[name] for name in material.experiment.categorical if name in known and name not in chosen]
    return [*chosen.values(), *(replace(factor, asked=False) for factor in others)]


def _levels(values: Sequence[Any]) -> Array:
    """Values of a config key: numbers, or texts if not all are numbers; NaN is none."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) and value == value for value in values)
    return np.array(values, float) if numbers else np.array([shown(value) for value in values])


def _blocks(runs: Sequence[Run]) -> Array | None:
    """The block of each run, if there are several that follow one another in time."""
    sweeps = [run.config.sweep for run in runs if run.config]
    if any(isinstance(sweep, Sweep) and sweep.order == "random" for sweep in sweeps):  # earlier versions kept no sweep
        return None
    blocks = [str(run.varied.get("repeat", 1)) for run in runs]
    return np.array(blocks) if len(set(blocks)) > 1 else None


def _order(runs: Sequence[Run]) -> Array:
    """The place of each run in the order of time."""
    starts = np.array([run.record.get("started_at") or 0.0 for run in runs])
    return np.argsort(np.argsort(starts, kind="stable"))
