"""The tables of a sweep: a line a run, and all measurements with the run that each belongs to."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp import records
from flowerexp.console import figure
from flowerexp.errors import FlowerexpError
from flowerexp.escape import csv_cell
from flowerexp.journal import RECORD
from flowerexp.plan import PlannedRun
from flowerexp.storage import write_bytes
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from flowerexp.journal.state import State

RUNS = "runs.csv"
MEASUREMENTS = "measurements.parquet"


def write(folder: Path, runs: Sequence[PlannedRun], state: State) -> list[dict[str, Any]]:
    """Write both tables into a sweep's folder.

    Args:
        folder: the sweep's.
        runs: all its runs, in order.
        state: what its journal says.

    Returns:
        The table of runs: run, run_key, state, values (those that differ between runs), verdict, error, and each
        series' rate, such as `SERIES rows/s`, with the low and high end of its 95 % interval, and what its experiment
        is about, where that is a column of its own.
    """
    lines = [_line(run, state) for run in runs]
    columns = list(dict.fromkeys(column for line in lines for column in line))
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in (columns, *([line.get(column, "") for column in columns] for line in lines)):
        writer.writerow(map(csv_cell, row))
    write_bytes(str(folder / RUNS), buffer.getvalue().encode())
    whole = [run for run, line in zip(runs, lines, strict=True) if line["state"] in ("finished", "failed", "lost")]
    _write_measurements(folder, whole)
    return lines


def _line(run: PlannedRun, state: State) -> dict[str, Any]:
    name = run.folder.name
    line: dict[str, Any] = {
        "run": name,
        "run_key": run.run_key,
        "state": state.runs.get(name, "not started"),
        "values": run.label,
        "verdict": "",
        "error": state.errors.get(name, ""),
    }
    try:
        summary = _summary(run.folder, line["state"])
    except FlowerexpError as error:
        return {**line, "state": "damaged", "error": error.problem}
    if summary is None:
        return line
    line["verdict"] = summary["verdict"]["state"]
    about = run.config.entrypoint.value.name
    for group in summary["groups"]:
        line[f"{group['name']} {summary['experiment']['unit']}/s"] = group["rate"]
        line |= {f"{group['name']} {end}": group.get(end) for end in ("low", "high")}
        if about in group.get("columns", {}):
            line[f"{group['name']} {about}"] = group["columns"][about]["median"]
    return line


def _summary(folder: Path, state: str) -> dict[str, Any] | None:
    """What was found in a run's measurements; None without any.

    Raises:
        DataError: one of its files is damaged, or missing though the run has finished.
    """
    from flowerexp.analysis.earlier import find_summary
    from flowerexp.measurements.parquet import check_parquet  # with Arrow, which a plan does not need

    if state == "finished" or (folder / RECORD).exists():
        records.of_run(folder)
    check_parquet(folder / "analysis" / MEASUREMENTS)
    return find_summary(folder / "analysis" / "summary.json", {**records.SUMMARY, "verdict": {"state": str}})


def _write_measurements(folder: Path, runs: Sequence[PlannedRun]) -> None:
    """All rows of all runs, a file at a time; columns that a run lacks are null."""
    import pyarrow
    import pyarrow.parquet

    from flowerexp.measurements.parquet import read_parquet

    paths = [(run, run.folder / "analysis" / "measurements.parquet") for run in runs]
    paths = [(run, path) for run, path in paths if path.exists()]
    if not paths:
        return
    own = [pyarrow.field("run", "string"), pyarrow.field("run_key", "string")]
    found = [pyarrow.parquet.read_schema(path) for _, path in paths]
    schema = pyarrow.unify_schemas([pyarrow.schema(own), *found], promote_options="permissive")
    aside = folder / f".{MEASUREMENTS}.partial"
    with pyarrow.parquet.ParquetWriter(aside, schema, write_page_checksum=True) as writer:
        for run, path in paths:
            table = read_parquet(path)
            named = {"run": run.folder.name, "run_key": run.run_key}
            columns = [
                pyarrow.array([named[field.name]] * table.num_rows, field.type)
                if field.name in named
                else table.column(field.name).cast(field.type)
                if field.name in table.column_names
                else pyarrow.nulls(table.num_rows, field.type)
                for field in schema
            ]
            writer.write_table(pyarrow.table(columns, schema=schema))
    aside.replace(folder / MEASUREMENTS)


def shown(lines: Sequence[dict[str, Any]], most: int = 40) -> str:
    """The table of runs as text; failures are all listed with their reasons, however many runs there are."""
    from flowerexp.tracking.sweep import measured  # with the store, which a plan does not need

    found = measured(dict.fromkeys(column for line in lines for column in line))
    head = ["run", "state", *found, "verdict", "values"]
    rows = [head]
    for line in lines if len(lines) <= most else [*lines[: most // 2], *lines[-most // 2 :]]:
        values = [figure(line.get(column)) for column in found]
        rows.append([line["run"], line["state"], *values, line["verdict"] or "-", line["values"]])
    text = text_table(rows).split("\n")
    if len(lines) > most:
        text.insert(1 + most // 2, f"... {len(lines) - most} more runs, all in {RUNS} ...")
    failures = [line for line in lines if line["error"]]
    text += [f"run {line['run']} {line['state']}: {line['error']}" for line in failures]
    return "\n".join(text)
