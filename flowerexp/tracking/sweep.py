"""Tell MLflow about a sweep: one more run, its summary, with the tables and the report over all of its runs."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from flowerexp.journal import SEARCH
from flowerexp.tracking.store import Store, connect, ensure, explained

TABLES = ("runs.csv", "measurements.parquet", "journal.jsonl")  # not plan.json, which holds configs with their secrets
REPORT = ("report.html", "report.md", "cells.csv", "cells.parquet")
JOBS = ("jobs/*/driver.log", "jobs/*/events/*")
"""What belongs to a job rather than to one of its runs."""


def log_sweep(folder: Path, store: Store) -> str:
    """Log a sweep's summary, or log it again after a resume: a sweep has one.

    Args:
        folder: the sweep's folder, with its plan, journal and tables, and its report if one was made.
        store: where to.

    Returns:
        MLflow's run_id of the summary.

    Raises:
        TrackingError: the store failed.
    """
    from mlflow.entities import Metric, Param, RunTag

    plan = json.loads((folder / "plan.json").read_bytes())
    with (folder / "runs.csv").open(newline="") as file:
        states = Counter(line["state"] for line in csv.DictReader(file))
    sweep_id = plan["sweep_id"]
    with explained(store, f"the tables are in {folder}"):
        experiment, client = ensure(store), connect(store)
        query = f"tags.sweep_id = '{sweep_id}' AND tags.`flowerexp.kind` = 'sweep'"
        found = client.search_runs([experiment], query, max_results=1)
        run_id = found[0].info.run_id if found else None
        if run_id is None:
            tags = {"sweep_id": sweep_id, "flowerexp.kind": "sweep", "mlflow.source.name": "flowerexp"}
            run_id = client.create_run(experiment, tags=tags, run_name=f"sweep {folder.name}").info.run_id
        search = _search(folder)
        when = int(1000 * (folder / "runs.csv").stat().st_mtime)
        client.log_batch(
            run_id,
            metrics=[
                *(Metric(f"sweep/{state.replace(' ', '_')}", count, when, 0) for state, count in states.items()),
                *(Metric(f"search/{name}", value, when, 0) for name, value in search.items() if _is_number(value)),
            ],
            params=[] if found else [Param("sweep.runs", str(len(plan["runs"])))],
            tags=[
                RunTag("flowerexp.folder", str(folder)),
                *(RunTag(f"search.{name}", value) for name, value in search.items() if isinstance(value, str)),
            ],
        )
        for name in (*TABLES, SEARCH, *REPORT):
            if (folder / name).exists():
                client.log_artifact(run_id, str(folder / name))
        for pattern in JOBS:
            for path in sorted(folder.glob(pattern)):
                client.log_artifact(run_id, str(path), path.parent.relative_to(folder).as_posix())
        well = bool(search["winner"]) if search else set(states) <= {"finished", "skipped"}
        client.set_terminated(run_id, "FINISHED" if well else "FAILED")
    return str(run_id)


def _search(folder: Path) -> dict[str, Any]:
    """What a search recommends, by name; nothing for a sweep that is none."""
    try:
        found: dict[str, Any] = json.loads((folder / SEARCH).read_bytes())["recommendation"]
    except FileNotFoundError:
        return {}
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
