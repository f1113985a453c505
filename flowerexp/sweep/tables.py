"""The tables of a sweep: a line a run, and all measurements with the run and the setting that each belongs to."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.console import figure
from flowerexp.escape import csv_cell
from flowerexp.lookup.saved import name_of
from flowerexp.measurements import write_whole
from flowerexp.storage import write_bytes
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from flowerexp.analysis.report.material import Material
    from flowerexp.journal.state import State

RUNS = "runs.csv"
RUNS_TYPED = "runs.parquet"
MEASUREMENTS = "measurements.parquet"
_MEASURED = ("finished", "failed", "lost")


def write(folder: Path, state: State) -> list[dict[str, Any]]:
    """Write the tables into a sweep's folder: `runs.csv`, the same as Parquet, and the measurements of all runs.

    Args:
        folder: the sweep's, with its plan.
        state: what its journal says.

    Returns:
        The table of runs, see `run_table`.

    Raises:
        DataError: the plan is damaged.
        MachineError: a table cannot be written.
    """
    import pyarrow.parquet

    from flowerexp.analysis.report.gather import load
    from flowerexp.analysis.report.run_table import as_arrow, run_table

    material = load(folder)
    lines = run_table(material, state.errors)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in (lines[0], *(line.values() for line in lines)):
        writer.writerow("" if cell is None else csv_cell(cell) for cell in row)
    write_bytes(str(folder / RUNS), buffer.getvalue().encode())
    table = as_arrow(lines)
    write_whole(folder / RUNS_TYPED, lambda aside: pyarrow.parquet.write_table(table, aside))
    _write_measurements(material)
    return lines


def _write_measurements(material: Material) -> None:
    """All rows of all runs, a file at a time, each with its run and what the sweep varies; what a run lacks is null."""
    import pyarrow
    import pyarrow.parquet

    from flowerexp.analysis.report.run_table import swept_columns
    from flowerexp.measurements.parquet import read_parquet

    paths = [(run, run.folder / "analysis" / MEASUREMENTS) for run in material.runs if run.state in _MEASURED]
    paths = [(run, path) for run, path in paths if path.exists()]
    if not paths:
        return
    own = swept_columns(material)
    found = [pyarrow.parquet.read_schema(path) for _, path in paths]
    schema = pyarrow.unify_schemas([own.schema, *found], promote_options="permissive")
    by_run = {line["run"]: line for line in own.to_pylist()}
    aside = material.folder / f".{MEASUREMENTS}.partial"
    with pyarrow.parquet.ParquetWriter(aside, schema, write_page_checksum=True) as writer:
        for run, path in paths:
            table, named = read_parquet(path), by_run[run.name]
            columns = [
                pyarrow.array([named[field.name]] * table.num_rows, field.type)
                if field.name in named
                else table.column(field.name).cast(field.type)
                if field.name in table.column_names
                else pyarrow.nulls(table.num_rows, field.type)
                for field in schema
            ]
            writer.write_table(pyarrow.table(columns, schema=schema))
    aside.replace(material.folder / MEASUREMENTS)


def shown(lines: Sequence[Mapping[str, Any]], folder: Path, width: int = 0, most: int = 40) -> str:
    """The table of runs as text, and what the next command takes; failures are all listed with their reasons.

    Args:
        lines: the table.
        folder: the sweep's.
        width: how many columns the screen has; 0 for as many as it takes.
        most: how many runs are shown; of more, the first and the last ones.
    """
    from flowerexp.tracking.sweep import measured  # with the store, which a plan does not need

    found = measured(dict.fromkeys(column for line in lines for column in line))
    head = ["run", "state", *found, "verdict", "values"]
    rows: list[list[str] | str] = [head]
    for line in lines if len(lines) <= most else [*lines[: most // 2], *lines[-most // 2 :]]:
        values = [figure(line.get(column)) for column in found]
        rows.append([line["run"], line["state"], *values, line["verdict"] or "-", line["values"]])
    if len(lines) > most:
        rows.insert(1 + most // 2, f"... {len(lines) - most} more runs, all in {RUNS} ...")
    text = [text_table(rows, width=width)]
    failures = [line for line in lines if line["error"] and line["state"] != "not started"]
    text += [f"run {line['run']} {line['state']}: {line['error']}" for line in failures]
    unstarted = Counter(line["error"] for line in lines if line["state"] == "not started")
    text += [f"{count} of {len(lines)} runs not started: {error}" for error, count in unstarted.items() if error]
    name = name_of(folder)
    ended = [line["run"] for line in lines if line["state"] == "finished"]
    if len(ended) > 1:
        text += [
            f"compare   flowerexp compare {name}",
            f"      or  flowerexp compare {name}/{ended[0]} {name}/{ended[-1]}",
        ]
    return "\n".join(text)
