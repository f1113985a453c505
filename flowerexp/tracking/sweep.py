"""Log a sweep to MLflow as one more run, its summary, with the tables and the report over all of its runs."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowerexp import json_lines, records
from flowerexp.errors import DataError
from flowerexp.journal import JOURNAL, SEARCH
from flowerexp.journal.events import ClusterChanged, RunEnded, RunLost, fits, from_json
from flowerexp.journal.journal import Journal
from flowerexp.tracking import describe
from flowerexp.tracking.client import connect, ensure, log_metrics
from flowerexp.tracking.describe import CONCLUSIONS
from flowerexp.tracking.failures import explained
from flowerexp.tracking.landing import page_of_runs
from flowerexp.tracking.model import log_models
from flowerexp.tracking.params import choices
from flowerexp.tracking.settings import MEASUREMENTS, of_settings
from flowerexp.tracking.store import Store
from flowerexp.tracking.upload import upload
from flowerexp.tracking.view import tag_of, view

TABLES = ("runs.csv", "runs.parquet", MEASUREMENTS, JOURNAL)  # not plan.json: its configs have secrets
REPORT = ("report.html", "report.md", CONCLUSIONS, "cells.csv", "cells.parquet", "model.json", "residuals.png")
JOBS = ("jobs/*/driver.log", "jobs/*/events/*")
"""Files that belong to a job and not to one of its runs."""


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
    started, ended = _span(folder)
    with explained(store, f"the tables are in {folder}"):
        experiment, client = ensure(store), connect(store)
        query = f"tags.sweep_id = '{sweep_id}' AND tags.`flowerexp.kind` = 'sweep'"
        found = client.search_runs([experiment], query, max_results=1)
        tags = {"sweep_id": sweep_id, "flowerexp.kind": "sweep", "mlflow.source.name": "flowerexp"}
        run = found[0] if found else client.create_run(experiment, started, tags, f"sweep {folder.name}")
        run_id = run.info.run_id
        search = _search(folder)
        numbers: dict[str, float] = {f"sweep/{state.replace(' ', '_')}": count for state, count in states.items()}
        numbers |= {f"search/{name}": value for name, value in search.items() if _is_number(value)}
        numbers |= of_settings(folder, plan, lines)
        log_metrics(client, run_id, [Metric(name, value, ended, 0) for name, value in numbers.items()])
        client.log_batch(
            run_id,
            params=[] if found else [Param("sweep.runs", str(len(plan["runs"])))],
            tags=[
                RunTag("flowerexp.folder", str(folder)),
                *(
                    RunTag(name, value)
                    for name, value in describe.of_sweep(folder, plan, describe.page_of(experiment, run_id)).items()
                ),
                *(RunTag(f"search.{name}", value) for name, value in search.items() if isinstance(value, str)),
            ],
        )
        files = [path for name in (*TABLES, SEARCH, *REPORT) if (path := folder / name).exists()]
        upload(client, run, [*files, *(path for pattern in JOBS for path in sorted(folder.glob(pattern)))], folder)
        log_models(client, run_id, folder)
        shown = view(folder.name, ended, f"tags.sweep_id = '{sweep_id}'", varied(plan), _measured(lines))
        client.set_experiment_tag(experiment, tag_of(sweep_id), shown)
        well = bool(search["winner"]) if search else set(states) <= {"finished", "skipped"}
        client.set_terminated(run_id, "FINISHED" if well else "FAILED", ended)
    return str(run_id)


def _span(folder: Path) -> tuple[int, int]:
    """When a sweep began and when its last run or cluster ended, in epoch milliseconds, by its journal."""
    lines, _ = json_lines.read_lines(folder / JOURNAL, fits)
    events = [event for line in lines if (event := from_json(line))]
    ends = [event.at for event in events if isinstance(event, RunEnded | RunLost | ClusterChanged)]
    started = min((event.at for event in events), default=(folder / "runs.csv").stat().st_mtime)
    return int(1000 * started), int(1000 * max(ends, default=started))


def page_of(store: Store, sweep_id: str) -> str:
    """The address of MLflow's page of a sweep's runs; for a database it works while `flowerexp ui` runs."""
    base = store.address.rstrip("/") if store.is_server else "http://127.0.0.1:5000"
    return f"{base}{page_of_runs(ensure(store), sweep_id)}"


def varied(plan: Mapping[str, Any]) -> list[str]:
    """The params in which the runs of a sweep's plan differ; for a cluster or an entrypoint, only its name."""
    each = [choices(run["config"]) for run in plan["runs"]]
    keys = dict.fromkeys(key for of_run in each for key in of_run)
    differing = [key for key in keys if len({of_run.get(key) for of_run in each}) > 1]
    named = {key.removesuffix("name") for key in differing if key in ("cluster.name", "entrypoint.name")}
    return [key for key in differing if key.endswith(".name") or key.partition(".")[0] + "." not in named]


def measured(columns: Iterable[str]) -> list[str]:
    """Those columns of the table of runs that are measured: `SERIES rows/s`, `SERIES COLUMN`; no other has a space."""
    return [name for name in columns if " " in name and not name.endswith((" low", " high"))]


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
