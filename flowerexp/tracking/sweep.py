"""Log a sweep to MLflow as one more run, its summary, with the tables and the report over all of its runs."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowerexp import records
from flowerexp.config import recorded
from flowerexp.errors import DataError
from flowerexp.journal import SEARCH
from flowerexp.journal.journal import Journal
from flowerexp.tracking.client import connect, ensure
from flowerexp.tracking.content import params
from flowerexp.tracking.failures import explained
from flowerexp.tracking.log import upload
from flowerexp.tracking.model import log_models
from flowerexp.tracking.store import Store
from flowerexp.tracking.view import query_of, tag_of, view

TABLES = ("runs.csv", "measurements.parquet", "journal.jsonl")  # not plan.json: its configs have secrets
REPORT = ("report.html", "report.md", "cells.csv", "cells.parquet", "model.json", "residuals.png")
JOBS = ("jobs/*/driver.log", "jobs/*/events/*")
"""Files that belong to a job and not to one of its runs."""
_OF_THE_RUN = ("run", "run_key", "state", "values", "verdict", "error")
"""The columns of the table of runs that say which run it is, and how it ended."""


def log_sweep(folder: Path, store: Store) -> str:
    """Log a sweep's summary, or log it again after a resume: a sweep has one.

    Args:
        folder: the sweep's folder, with its plan, journal and tables, and its report if one was made.
        store: where it is logged.

    Returns:
        MLflow's run_id of the summary.

    Raises:
        TrackingError: the store failed.
    """
    from mlflow.entities import Metric, Param, RunTag

    plan = Journal(folder).read_plan()
    with (folder / "runs.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    states = Counter(line["state"] for line in lines)
    sweep_id = plan["sweep_id"]
    with explained(store, f"the tables are in {folder}"):
        experiment, client = ensure(store), connect(store)
        query = f"tags.sweep_id = '{sweep_id}' AND tags.`flowerexp.kind` = 'sweep'"
        found = client.search_runs([experiment], query, max_results=1)
        run_id = found[0].info.run_id if found else None
        if run_id is None:
            tags = {"sweep_id": sweep_id, "flowerexp.kind": "sweep", "mlflow.source.name": "flowerexp"}
            tags["mlflow.note.content"] = "\n".join(_questions(plan))
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
        files = [path for name in (*TABLES, SEARCH, *REPORT) if (path := folder / name).exists()]
        upload(client, run_id, [*files, *(path for pattern in JOBS for path in sorted(folder.glob(pattern)))], folder)
        log_models(client, run_id, folder)
        shown = view(folder.name, when, f"tags.sweep_id = '{sweep_id}'", varied(plan), _measured(lines))
        client.set_experiment_tag(experiment, tag_of(sweep_id), shown)
        well = bool(search["winner"]) if search else set(states) <= {"finished", "skipped"}
        client.set_terminated(run_id, "FINISHED" if well else "FAILED")
    return str(run_id)


def page_of(store: Store, sweep_id: str) -> str:
    """The address of MLflow's page of a sweep's runs; for a database it works while `flowerexp ui` runs."""
    base = store.address.rstrip("/") if store.is_server else "http://127.0.0.1:5000"
    return f"{base}/#/experiments/{ensure(store)}/runs?{query_of(sweep_id)}"


def varied(plan: Mapping[str, Any]) -> list[str]:
    """The params in which the runs of a sweep's plan differ; for a cluster or an entrypoint, only its name."""
    each = [params(run["config"]) for run in plan["runs"]]
    keys = dict.fromkeys(key for of_run in each for key in of_run)
    differing = [key for key in keys if len({of_run.get(key) for of_run in each}) > 1]
    named = {key.removesuffix("name") for key in differing if key in ("cluster.name", "entrypoint.name")}
    return [key for key in differing if key.endswith(".name") or key.partition(".")[0] + "." not in named]


def _questions(plan: Mapping[str, Any]) -> list[str]:
    """The questions of the experiments of a sweep."""
    return list(dict.fromkeys(recorded(run["config"]).entrypoint.question for run in plan["runs"]))


def measured(columns: Iterable[str]) -> list[str]:
    """Those columns of the table of runs that are measured: `SERIES rows/s`, `SERIES COLUMN`."""
    return [name for name in columns if name not in _OF_THE_RUN and not name.endswith((" low", " high"))]


def _measured(lines: Sequence[Mapping[str, str]]) -> list[str]:
    """The metrics that a sweep's runs have measured, by the lines of its table of runs."""
    columns = [name for name in measured(lines[0]) if any(line[name] for line in lines)] if lines else []
    named = [name.rpartition(" ") for name in columns]
    return [f"{series}/{re.sub('/s$', '_per_second', name)}" for series, _, name in named]


def _search(folder: Path) -> dict[str, Any]:
    """What a search recommends, by name; empty for a sweep that is not a search."""
    try:
        search = records.find(folder / SEARCH, {"recommendation": {"winner": str | None}})
    except DataError:  # the report says so
        return {}
    return dict(search["recommendation"]) if search else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
