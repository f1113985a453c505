"""The table of runs: a line a run, with what it varies, how it ended, what it was charged for, and what it measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow

from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.runs import Run
from flowerexp.analysis.report.varied import column_of, kind_of, typed

Line = dict[str, Any]

_TIMES = ("seconds", "preparing_seconds", "warm_up_seconds", "dollars")


def run_table(material: Material, errors: Mapping[str, str] | None = None) -> list[Line]:
    """The lines of a sweep, or that of a run.

    Args:
        material: the sweep's or the run's.
        errors: by run, why it failed or was lost, as the journal of a sweep has it.

    Returns:
        For each run: run, run_key, state, a column for each key that the sweep varies, values (all of them in one
        text), order (the place in which it ran, from 0, as that was planned) and block (its repeat), neither of a
        search; simulated_bucket (how fast it is, if there is one); verdict, error; seconds (its own), preparing_seconds
        and warm_up_seconds (which stand apart), dollars (for its own time); and for each series what the experiment is
        about, such as `SERIES steady_images/s`, with the low and high end of its 95 % interval, and its rate, where
        that is something else. All lines have all columns.
    """
    lines = [_line(material, run, (errors or {}).get(run.name)) for run in material.runs]
    columns = list(dict.fromkeys(column for line in lines for column in line))
    return [{column: line.get(column) for column in columns} for line in lines]


def _line(material: Material, run: Run, error: str | None) -> Line:
    own = {"run": run.name, "run_key": run.run_key, "state": run.state, **_swept(material, run)}
    own |= {"values": run.said, "order": run.order, "block": run.block}
    own |= {"simulated_bucket": run.simulated} if run.simulated else {}
    own |= {"verdict": None if run.verdict == "-" else run.verdict, "error": error or run.record.get("error")}
    times = (run.seconds.own, run.seconds.preparing, run.seconds.warm_up)
    if run.state != "damaged":
        own |= dict(zip(_TIMES, [*(round(each, 3) or None for each in times), run.dollars], strict=True))
    return own | _measured(run)


def _swept(material: Material, run: Run) -> Line:
    """What the sweep varies, repeats included, in the columns that all tables have for it."""
    keys = dict.fromkeys(key for each in material.runs for key in each.varied)
    return {column_of(key, material.experiment): run.varied.get(key) for key in keys}


def swept_columns(material: Material) -> pyarrow.Table:
    """A line for each run: run, run_key, and what the sweep varies."""
    return as_arrow([{"run": run.name, "run_key": run.run_key, **_swept(material, run)} for run in material.runs])


def _measured(run: Run) -> Line:
    if not run.summary.get("groups"):
        return {}
    experiment, line = run.summary["experiment"], {}
    unit, value = f"{experiment['unit']}/s", value_heading(experiment)
    for group in run.summary["groups"]:
        line[f"{group['name']} {value}"] = group["value"]
        line |= {f"{group['name']} {end}": group.get(end) for end in ("low", "high")}
        if value != unit:
            line[f"{group['name']} {unit}"] = group["rate"]
    return line


def value_heading(experiment: Mapping[str, str]) -> str:
    """The head of the column of what an experiment is about, without spaces: ``steady_images/s``."""
    return experiment["value"].replace("_per_second", "/s")


def as_arrow(lines: Sequence[Line]) -> pyarrow.Table:
    """The lines as a table with typed columns."""
    columns = {name: [line[name] for line in lines] for name in lines[0]} if lines else {}
    return pyarrow.table(
        {
            name: pyarrow.array(typed(values), pyarrow.type_for_alias(kind_of(values)))
            for name, values in columns.items()
        }
    )
