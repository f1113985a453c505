"""The section on runs that measured until it was known (`measure.until`): what was spent on which cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowerexp.analysis import words
from flowerexp.analysis.drawing import number
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import MOST_ROWS, Section, Table
from flowerexp.analysis.report.runs import Run, shown
from flowerexp.experiment import Experiment
from flowerexp.measurements.parquet import read_parquet
from flowerexp.measurements.table import Measurements
from flowerexp.workload.engine.until import Value, reach_of

_NAMED = 10  # cells in a sentence


@dataclass(frozen=True)
class Spent:
    """What was spent on a cell.

    Attributes:
        at: its parameters.
        repetitions: its measurements that were not stopped.
        seconds: of these, what the clock counted.
        reach: how far its 95 % interval reaches to each side, as a share; infinite where it was measured less than
            twice.
    """

    at: Mapping[str, Any]
    repetitions: int
    seconds: float
    reach: float


def section(material: Material) -> Section:
    """What each run with `measure.until` spent on each cell, how well that cell is known, and which ones stayed wide.

    Args:
        material: the material.

    Returns:
        An empty section where no run has that setting.
    """
    found, experiment = Section("spent", "Which cells took the measuring time?"), material.experiment
    lines: list[tuple[float, list[str]]] = []
    for run in material.measured:
        if run.config and run.config.measure.until:
            cells = spent_of(run, material.experiment_of(run))
            found.text.append(_sentence(run, cells, run.config.measure.until, material.is_sweep))
            lines += [(cell.reach, [run.name, *_line(experiment, cell)]) for cell in cells]
    if lines:
        lines.sort(key=lambda line: -line[0])
        names = [words.parameter(experiment, name) for name in experiment.parameters]
        head = ["run", *names, "measurements", "seconds", "interval"]
        right = frozenset(range(1 + len(names), len(head)))
        found.tables.append(Table(head, [line for _, line in lines[:MOST_ROWS]], right))
        found.text.append(
            "The widest cells come first. The interval is the one by which the run decided: 95 %, Student's of the "
            "mean logarithm, as a share of the value to each side. It does not include how much the machine's speed "
            "varies between runs. Because the run stopped when it was narrow, it is right a little less often than "
            "95 %."
        )
    return found


def spent_of(run: Run, experiment: Experiment) -> list[Spent]:
    """What a run spent on each of its cells, by the first executions of its measurements.

    Args:
        run: the run.
        experiment: what it measured.

    Raises:
        DataError: its file of measurements is damaged.
    """
    parts = experiment.parts
    first = (parts.first_count, parts.first_seconds) if parts else (None, None)
    value = Value(experiment.value.name, experiment.count, *first)
    columns = [*experiment.parameters, experiment.count, experiment.value.name, *filter(None, first)]
    columns += ["execution", "seconds", "censored"]
    table = read_parquet(run.folder / "analysis" / "measurements.parquet", [*dict.fromkeys(columns)])
    cells: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in Measurements(table, experiment).firsts.rows():
        kept = cells.setdefault(tuple(row.get(name) for name in experiment.parameters), [])
        if not row.get("censored"):
            kept.append(row)
    return [
        Spent(
            dict(zip(experiment.parameters, at, strict=True)),
            len(rows),
            math.fsum(row.get("seconds") or 0.0 for row in rows),
            math.inf if (found := reach_of(rows, value)) is None else found,
        )
        for at, rows in cells.items()
    ]


def _sentence(run: Run, cells: list[Spent], goal: float, is_sweep: bool) -> str:
    """How many cells are known as well as was asked for, and which ones are not."""
    known = [cell for cell in cells if cell.reach <= goal]
    wide = sorted((cell for cell in cells if cell.reach > goal), key=lambda cell: -cell.reach)
    most = max(cells, key=lambda cell: cell.seconds)
    total = math.fsum(cell.seconds for cell in cells)
    name = f"Run {run.name}: " if is_sweep else ""
    text = f"{name}{len(known):,} of {len(cells):,} cells are known to {goal * 100:g} %, by "
    text += f"{sum(cell.repetitions for cell in cells):,} measurements of {number(total)} s in all"
    if total and len(cells) > 1:
        text += f"; {most.seconds / total:.0%} of these seconds went into {_at(most)}"
    if wide:
        named = "; ".join(_at(cell) for cell in wide[:_NAMED])
        more = f"; and {len(wide) - _NAMED:,} more" if len(wide) > _NAMED else ""
        stopped = run.facts.get("until_stopped")
        text += f". These stayed wider{f' ({stopped})' if stopped else ''}: {named}{more}"
    return f"{text}."


def _at(cell: Spent) -> str:
    return ", ".join(f"{name}={shown(value)}" for name, value in cell.at.items()) or "the only cell"


def _line(experiment: Experiment, cell: Spent) -> list[str]:
    values = [
        str(cell.at.get(name)) if parameter.is_numeric else words.value(experiment, name, shown(cell.at.get(name)))
        for name, parameter in experiment.parameters.items()
    ]
    reach = "not known" if math.isinf(cell.reach) else f"± {cell.reach:.1%}"
    return [*values, f"{cell.repetitions:,}", number(cell.seconds), reach]
