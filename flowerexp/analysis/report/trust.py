"""The sections for checking a report: verdicts, settings, and how to run it again."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp import records
from flowerexp.analysis import words
from flowerexp.analysis.conclusions.effects import drift_of
from flowerexp.analysis.conclusions.sentences import Conclusions
from flowerexp.analysis.drawing import number
from flowerexp.analysis.experiments import extras_of
from flowerexp.analysis.report.cells import NARROW, reach
from flowerexp.analysis.report.evidence import believed, evidence
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import MOST_ROWS, Section, Table
from flowerexp.analysis.report.runs import Run
from flowerexp.config import measured_part, upgraded
from flowerexp.errors import FlowerexpError

if TYPE_CHECKING:
    import pandas

    from flowerexp.experiment import Experiment

_OF_THE_ENTRYPOINT = ("name", "script", "settings")
"""The keys of an experiment's declaration that are settings."""
_FACTS = (
    "spark",
    "java",
    "python",
    "platform",
    "host",
    "cores",
    "executors",
    "git_commit",
    "git_dirty",
    "data_fingerprint",
)


def belief(material: Material, table: pandas.DataFrame, found: Conclusions) -> Section:
    """Verdicts with their reasons, outliers, how intervals are computed, and how wide those of single cells are.

    Args:
        material: the material.
        table: its cells.
        found: what was concluded.
    """
    section, unit = Section("verdicts", "Can it be believed?"), material.experiment.unit
    section.text += _adjusted(material, found)
    doubtful = [
        run
        for run in material.runs
        if run.reasons or run.record.get("error") or run.state in ("failed", "lost", "damaged")
    ]
    lines = [
        [
            run.name,
            run.label,
            run.verdict if run.reasons else run.state,
            "; ".join(run.reasons) or str(run.record.get("error") or ""),
        ]
        for run in doubtful
    ]
    if lines:
        section.tables.append(Table(["run", "what", "verdict", "why"], lines[:MOST_ROWS]))
    section.text += [*_stopped(material), *_discarded(material)]
    far = [(run, outlier) for run in material.measured for outlier in run.summary.get("outliers", ())]
    flagged = f"{len(far)} of {len(material.timed):,} measurements"
    section.text.append(
        f"Flagged as far from the others of its cell: {flagged}. They still count everywhere."
        if far
        else f"No measurement of {len(material.timed):,} is far from the others of its cell."
    )
    if far:
        section.tables.append(_outliers(material, far))
    drifting = [
        run.name for run in material.measured if any(group.get("steady_state") is False for group in run.rates.values())
    ]
    if drifting:
        section.text.append(
            f"No steady state was reached in {len(drifting)} of {len(material.measured)} runs: "
            f"{', '.join(drifting[:20])}."
        )
    section.text.append(
        f"Every rate is a sum of {unit} over a sum of seconds. The 95 % intervals come from the spread of a cell's "
        "repetitions and from how much the machine's speed varies, or from the spread of repeated runs, whichever is "
        f"larger. {_wandering(material)}"
    )
    known = reach(table, material.experiment).dropna()
    if len(known):
        section.text.append(
            f"{(known <= NARROW).sum():,} of {len(known):,} single cells have an interval within {NARROW:.0%} of their "
            f"median; the median interval reaches {known.median():.0%} to each side. More repetitions make them "
            "narrower: `measure.repetitions`."
        )
    return section


def _adjusted(material: Material, found: Conclusions) -> list[str]:
    """How findings are adjusted for their number, which runs they leave out, and whether the runs drifted."""
    text = []
    left_out = [run.name for run in material.measured if run not in believed(material)]
    if left_out and not found.doubt:
        text.append(f"Findings leave out {len(left_out)} runs that are not valid: {', '.join(left_out[:20])}.")
    if found.families > 1 or any(len(effect.levels) > 2 for effect in found.effects):
        comparisons = f"{found.families} comparison{'' if found.families == 1 else 's'}"
        text.append(
            f"The intervals of the findings are true together with 95 % probability: they allow for {comparisons} and "
            "for picking the best of several values (Tukey's within a factor, Bonferroni's between factors and series)."
        )
    moved = drift_of(evidence(material, believed(material))) if believed(material) else None
    if moved:
        faster = "higher" if moved.change > 0 else "lower"
        text.append(
            f"The runs drifted: {material.experiment.value_unit} were {abs(moved.change):.0%} {faster} at the end of "
            "the sweep than at its beginning, whatever the settings were."
        )
    return text


def _outliers(material: Material, far: list[tuple[Run, Mapping[str, Any]]]) -> Table:
    """The measurements that are furthest from the others of their cell."""
    which = material.experiment
    worst = sorted(far, key=lambda pair: pair[1][which.rate] / pair[1]["cell_median"])[:10]
    head = ["run", *(words.parameter(which, name) for name in which.categorical), "cell", "repetition"]
    lines = [
        [
            run.name,
            *(_shown(which, name, outlier[name]) for name in which.categorical),
            " × ".join(str(outlier[name]) for name in which.numeric),
            str(outlier["repetition"]),
            number(outlier[which.rate]),
            number(outlier["cell_median"]),
        ]
        for run, outlier in worst
    ]
    right = frozenset(range(len(head) - 1, len(head) + 2))
    return Table([*head, which.rate_unit, "median of its cell"], lines, right)


def _shown(experiment: Experiment, name: str, value: Any) -> str:
    """A categorical parameter's value in a table."""
    return json.dumps(value) if isinstance(value, bool) else words.value(experiment, name, str(value))


def _stopped(material: Material) -> list[str]:
    """How many measurements were stopped at their time limit, and in how many cells all were."""
    rows = material.firsts[[*material.cell, "censored"]]
    stopped = int(rows["censored"].sum())
    if not stopped:
        return []
    cells = rows.groupby(material.cell, dropna=False, observed=True)["censored"].all()
    text = f"{stopped:,} of {len(rows):,} measurements were stopped when they reached `measure.max_seconds`. They do "
    text += "not count in rates and intervals, and the findings compare only cells in which none was stopped. In "
    return [f"{text}{int(cells.sum()):,} of {len(cells):,} cells no measurement finished; cells.csv has them all."]


def _discarded(material: Material) -> list[str]:
    """How many measurements were made again because machines were lost."""
    counts = [int(run.facts.get("measurements_discarded") or 0) for run in material.measured]
    if not any(counts):
        return []
    runs = sum(count > 0 for count in counts)
    return [
        f"{sum(counts):,} measurements of {runs:,} runs were discarded and made again, because executors were lost or "
        "tasks failed while they were made. The notes of these runs say which."
    ]


def _wandering(material: Material) -> str:
    """How far the speed of the machines varied, in a sentence."""
    deviations = [instability.deviation for instability in material.instability.values() if instability.deviation]
    if not deviations:
        return "In no run did the machine's speed vary by more than the noise of single measurements."
    return (
        f"In {len(deviations)} of {len(material.measured)} runs the machine's speed varied, by "
        f"{statistics.median(deviations):.1%} (the median of their standard deviations): runs differ by this much "
        "whatever their settings are."
    )


def settings(material: Material) -> Section:
    """The settings that all runs share, and the machines that they ran on; what they vary is in the table of runs."""
    section = Section("settings", "Settings and machine", folded=True)
    configs = [flat(measured_part(_settings(run), "repeat")) for run in material.runs if run.config]
    shared = _shared(configs)
    if shared:
        section.tables.append(Table(["setting", "value"], [[key, _text(value)] for key, value in shared.items()]))
    facts = _shared([dict(run.facts) for run in material.measured])
    wanted = [*_FACTS, *extras_of(material.experiment).facts]
    if any(run.is_here for run in material.measured):
        wanted.remove("host")
    lines = [
        [key, _text(value)] for key, value in facts.items() if key in wanted or key.startswith(("version.", "limit/"))
    ]
    if lines:
        section.tables.append(Table(["fact", "value"], lines))
    return section


def _settings(run: Run) -> dict[str, Any]:
    """A run's settings: of the entrypoint its name, script and settings, not its declaration."""
    whole = upgraded(run.record["config"])
    return whole | {"entrypoint": {key: whole["entrypoint"][key] for key in _OF_THE_ENTRYPOINT}}


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config by dotted keys."""
    values: dict[str, Any] = {}
    for key, value in config.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return values


def _shared(values: list[dict[str, Any]]) -> dict[str, Any]:
    """What is the same in all of them."""
    first = values[0] if values else {}
    return {key: value for key, value in first.items() if all(key in each and each[key] == value for each in values)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _note(path: Path) -> dict[str, Any] | None:
    """Where a run was logged to; None if that file is damaged, which `flowerexp log` reports."""
    try:
        return records.find(path, records.NOTE)
    except FlowerexpError:
        return None


def again(material: Material) -> Section:
    """How to run it again."""
    section = Section("again", "Run it again")
    record = material.runs[0].record
    if material.is_sweep or not (record.get("sweep_id") or record.get("rerun_of")):
        section.text.append(f"All of it: `{material.command}`")
    known = [(run, note) for run in material.runs if (note := _note(run.folder / "mlflow.json"))]
    ids = [(run, store["run_id"]) for run, note in known for store in note["stores"][-1:] if store.get("run_id")]
    if ids:
        run, run_id = ids[0]
        what = f"one run, such as {run.label}" if material.is_sweep else "this run, wherever its folder is"
        section.text.append(f"{what[0].upper()}{what[1:]}: `flowerexp rerun {run_id[:8]}`")
    section.text.append(f"Everything that was measured: `{material.place}`")
    return section
