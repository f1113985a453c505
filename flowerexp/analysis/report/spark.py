"""The section on what Spark did during measurements: shuffles, spill, garbage collection, skew, CPU and tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowerexp.analysis import words
from flowerexp.analysis.drawing import number
from flowerexp.analysis.report import spark_charts
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import MOST_ROWS, Section, Table
from flowerexp.analysis.report.rows import SPARK
from flowerexp.analysis.report.runs import short, shown

if TYPE_CHECKING:
    import pandas

    Column = pandas.Series[Any]

LEAST_SKEW = 3.0
"""Skew is reported where the slowest task takes at least this many times as long as the median one."""
_TICK = 1e-3  # Spark counts a task's seconds in milliseconds


@dataclass(frozen=True)
class Metric:
    """A number of each measurement: its name, and how it is computed from the columns of rows."""

    label: str
    of: Callable[[pandas.DataFrame], Column]


METRICS = (
    Metric("shuffled, MB", lambda rows: rows["shuffle_write_bytes"] / 1e6),
    Metric("spilled to disk, MB", lambda rows: rows["spill_bytes"] / 1e6),
    Metric("GC, % of task time", lambda rows: _percent(rows["gc_seconds"], rows)),
    Metric(
        "slowest task / median",
        lambda rows: rows["slowest_task_seconds"] / rows["median_task_seconds"].clip(lower=_TICK),
    ),
    Metric("CPU, % of task time", lambda rows: _percent(rows["executor_cpu_seconds"], rows)),
    Metric("tasks", lambda rows: rows["spark_tasks"]),
)
SPILL, SKEW, CPU = METRICS[1].label, METRICS[3].label, METRICS[4].label


def _percent(seconds: Column, rows: pandas.DataFrame) -> Column:
    return 100 * seconds / rows["task_seconds"].where(rows["task_seconds"] > 0)


def metrics_of(material: Material) -> pandas.DataFrame:
    """A column for each metric; the rows are the measurements in `material.timed` for which Spark reported metrics."""
    timed = material.timed
    lacking = {name: float("nan") for name in SPARK if name not in timed}
    rows = timed.assign(**lacking).dropna(subset="task_seconds")
    return rows.assign(**{metric.label: metric.of(rows) for metric in METRICS})[[metric.label for metric in METRICS]]


def did(material: Material) -> Section:
    """What Spark did during measurements of the driver, by what runs and grids vary; empty for other experiments."""
    section = Section("spark", "What Spark did")
    metrics = metrics_of(material)
    if metrics.empty:
        return section
    medians = metrics.groupby(material.timed.loc[metrics.index, "cell"]).median()
    varying = [metric.label for metric in METRICS if _varies(medians[metric.label])]
    section.text += _sentences(material, metrics, medians)
    section.draw(
        spark_charts.by_parameter(material, metrics, varying),
        "Dots are medians of measurements, bars hold their middle half; everything else is pooled. The slowest task is "
        "of the stage with the most task time. CPU is that of the JVM, without Python workers.",
    )
    section.tables.append(_table(material, medians))
    return section


def _varies(medians: Column) -> bool:
    known = medians.dropna()
    return len(known) > 1 and bool(known.max() - known.min() > 0.01 * abs(known.max()))


def _sentences(material: Material, metrics: pandas.DataFrame, medians: pandas.DataFrame) -> Iterator[str]:
    skew, spill, cpu = medians[SKEW].dropna(), medians[SPILL].dropna(), metrics[CPU].dropna()
    if len(skew) and skew.max() >= LEAST_SKEW:
        yield (
            f"Work is spread unevenly over tasks: the slowest one takes {number(skew.max())} times as long as the "
            f"median one in {_name(material, skew.idxmax())}."
        )
    if len(spill) and spill.max() > 0:
        yield f"Up to {number(spill.max())} MB are spilled to disk, in {_name(material, spill.idxmax())}."
    elif len(spill):
        yield "Nothing is spilled to disk."
    if len(cpu):
        yield f"Tasks compute in the JVM for {cpu.median():.0f} % of their time (median over measurements)."


def _name(material: Material, cell: Any) -> str:
    """The cell of a number in `material.timed`, in words."""
    return ", ".join(f"{head} {value}" if head else value for head, value in _cell(material, cell).items())


def _cell(material: Material, cell: Any) -> dict[str, str]:
    """A cell's value of everything that is varied, by its name."""
    row = material.timed[material.timed["cell"] == cell].iloc[0]
    run = next(run for run in material.measured if run.name == row["run"])
    values = {short(key): shown(run.varied.get(key)) for key in material.varied}
    values[""] = material.label(str(row["series"]))
    for name in material.experiment.numeric:
        values[words.parameter(material.experiment, name)] = number(row[name])
    return values


def _table(material: Material, medians: pandas.DataFrame) -> Table:
    """The medians of each cell."""
    cells = [_cell(material, cell) for cell in medians.index[:MOST_ROWS]]
    head = [name or words.head(material.experiment) for name in cells[0]]
    counts = [[_shown(value) for value in row] for row in medians.iloc[:MOST_ROWS].itertuples(index=False)]
    lines = [[*cell.values(), *row] for cell, row in zip(cells, counts, strict=True)]
    return Table([*head, *medians.columns], lines, frozenset(range(len(head), len(head) + len(medians.columns))))


def _shown(value: float) -> str:
    return "" if value != value else number(value)
