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
"""How many times as long as the median task the slowest one has to take for skew to be spoken of."""
_TICK = 1e-3  # Spark counts a task's seconds in milliseconds


@dataclass(frozen=True)
class Metric:
    """A number of each measurement: what it is called, and what it is of the columns that rows have."""

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
    """A column a metric, of the measurements of which Spark said what it did; of their places in `material.timed`."""
    timed = material.timed
    lacking = {name: float("nan") for name in SPARK if name not in timed}
    rows = timed.assign(**lacking).dropna(subset="task_seconds")
    return rows.assign(**{one.label: one.of(rows) for one in METRICS})[[one.label for one in METRICS]]


def did(material: Material) -> Section:
    """What Spark did during each measurement of a driver, by what runs and grids vary; nothing of other experiments."""
    section = Section("spark", "What Spark did")
    found = metrics_of(material)
    if found.empty:
        return section
    medians = found.groupby(material.timed.loc[found.index, "cell"]).median()
    varying = [one.label for one in METRICS if _varies(medians[one.label])]
    section.text += _sentences(material, found, medians)
    section.draw(
        spark_charts.by_parameter(material, found, varying),
        "Dots are medians of measurements, bars hold the middle half of them; everything else is pooled. The slowest "
        "task is of the stage with the most task time. CPU is the JVM's: what Python workers compute is not in it.",
    )
    section.tables.append(_table(material, medians))
    return section


def _varies(medians: Column) -> bool:
    known = medians.dropna()
    return len(known) > 1 and bool(known.max() - known.min() > 0.01 * abs(known.max()))


def _sentences(material: Material, found: pandas.DataFrame, medians: pandas.DataFrame) -> Iterator[str]:
    skew, spill, cpu = medians[SKEW].dropna(), medians[SPILL].dropna(), found[CPU].dropna()
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
        yield f"Tasks compute in the JVM for {cpu.median():.0f} % of their time (the measurement in the middle)."


def _name(material: Material, cell: Any) -> str:
    """The cell of a number in `material.timed`, in words."""
    return ", ".join(f"{head} {value}" if head else value for head, value in _cell(material, cell).items())


def _cell(material: Material, cell: Any) -> dict[str, str]:
    """What a cell has of all that is varied, by what that is called."""
    row = material.timed[material.timed["cell"] == cell].iloc[0]
    run = next(run for run in material.measured if run.name == row["run"])
    found = {short(key): shown(run.varied.get(key)) for key in material.varied}
    found[""] = material.label(str(row["series"]))
    for name in material.experiment.numeric:
        found[words.parameter(material.experiment, name)] = number(row[name])
    return found


def _table(material: Material, medians: pandas.DataFrame) -> Table:
    """The medians of each cell."""
    cells = [_cell(material, cell) for cell in medians.index[:MOST_ROWS]]
    head = [name or words.head(material.experiment) for name in cells[0]]
    counts = [[_shown(value) for value in row] for row in medians.iloc[:MOST_ROWS].itertuples(index=False)]
    lines = [[*cell.values(), *row] for cell, row in zip(cells, counts, strict=True)]
    return Table([*head, *medians.columns], lines, frozenset(range(len(head), len(head) + len(medians.columns))))


def _shown(value: float) -> str:
    return "" if value != value else number(value)
