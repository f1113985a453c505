"""Sweep folders as a finished sweep leaves them, made from known numbers in a moment."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowerexp.analysis.repetitions import outliers
from flowerexp.analysis.summary import summarise
from flowerexp.analysis.verdict import judge
from flowerexp.config import plain, typed
from flowerexp.experiment import Experiment
from flowerexp.measurements.written import write as write_measurements
from tests.analysis.events import START, cluster, write
from tests.analysis.rows import WHOLE, grid, table

SECRET = "hunter2"


def config(varied: Mapping[str, Any], of: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A run's config, with what varies put in its place; of read_speed, or of another experiment."""
    whole: dict[str, Any] = (
        copy.deepcopy(dict(of))
        if of
        else {
            "cluster": {"name": "local", "kind": "local", "cores": 2, "spark": {}},
            "dataset": {"kind": "synthetic", "images": 300, "tfrecords": None},
            "grid": {"reader": ["image_files", "tfrecords"], "batch_size": [2, 4, 8], "batch_number": [3, 6, 12]},
            "measure": {"repetitions": 3, "seed": 1, "concurrency": 1},
            "sampling": {"fraction": 1.0, "seed": 0},
            "entrypoint": plain(WHOLE),
            "caching": True,
            "preprocess": {"shards": 16, "target_size": [192, 192], "quality": 95, "exact": False},
            "repeat": 1,
            "storage": {"prepared": "/home/me/data/prepared"},
            "tracking": {"uri": "sqlite:////home/me/mlruns/mlflow.db"},
            "home": "/home/me",
        }
    )
    for key, value in varied.items():
        node = whole
        *path, last = key.split(".")
        for part in path:
            node = node[part]
        node[last] = {"name": value, "kind": "dataproc"} if key == "cluster" else value
    return whole


def write_sweep(
    folder: Path,
    axes: Mapping[str, Sequence[Any]],
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    overrides: Sequence[str] = (),
    repetitions: int = 3,
    whole: Mapping[str, Any] | None = None,
    rows: list[dict[str, Any]] | None = None,
) -> Path:
    """Write a sweep over some axes; partitions change nothing, caching divides the wall time of measuring by 4.

    Args:
        folder: where.
        axes: values by key, such as ``caching`` or ``preprocess.shards``; the last varies fastest.
        facts: more facts for the runs of each cluster.
        overrides: what was written on the command line.
        repetitions: measurements of each cell.
        whole: the config of each run, but for what varies; of read_speed by default.
        rows: what each run has measured; by default read_speed's, over its grid.
    """
    plan, events = [], []
    for place, values in enumerate(itertools.product(*axes.values())):
        varied = dict(zip(axes, values, strict=True))
        name = str(place)
        text = [f"{key}={json.dumps(value) if isinstance(value, bool) else value}" for key, value in varied.items()]
        plan.append(
            {
                "run": name,
                "run_key": f"key{place}",
                "label": " ".join(text),
                "overrides": [*overrides, *text],
                "config": config(varied, whole),
            }
        )
        known = (facts or {}).get(varied.get("cluster", "local"), {})
        write_run(folder / name, config(varied, whole), place, known, repetitions, rows)
        events.append({"event": "finished", "at": START, "run": name, "run_id": f"{place:032x}"})
    (folder / "plan.json").write_text(
        json.dumps({"sweep_id": "x", "max_clusters": 1, "max_failures": None, "runs": plan})
    )
    (folder / "journal.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    (folder / "multirun.yaml").write_text(json.dumps({"hydra": {"overrides": {"task": [*overrides]}}}))
    return folder


def write_run(
    folder: Path,
    chosen: Mapping[str, Any],
    place: int = 0,
    facts: Mapping[str, Any] | None = None,
    repetitions: int = 3,
    rows: list[dict[str, Any]] | None = None,
) -> Path:
    """Write one finished run, which ran for 100 s from `START` + 200 x `place`."""
    caching = chosen["caching"]
    if rows is None:
        rows = grid(sizes=(2, 4, 8), numbers=(3, 6, 12), repetitions=repetitions)
        for number, row in enumerate(rows):
            row["seconds"] *= 1 + 0.01 * ((number * 7 + place * 3) % 5)  # runs differ a little
        rows += [] if caching else [row | {"execution": again} for again in (2, 3, 4, 5) for row in rows]
    which = typed(chosen["entrypoint"], Experiment)
    verdict = judge(table(rows, which))
    started = START + 200 * place
    measure = (5.0 if caching else 20.0) * (1 + 0.01 * (place % 3))
    record = {
        "run_key": f"key{place}",
        "name": "local read_speed",
        "entrypoint": chosen["entrypoint"]["name"],
        "config": dict(chosen),
        "started_at": started,
        "ended_at": started + 100,
        "state": "finished",
        "error": None,
        "verdict": {"state": verdict.state, "reasons": verdict.reasons},
        "phases": {"prepare": 1.0, "measure": measure, "measure.rows": measure},
        "facts": {
            "images": 300,
            "bytes": 18_344_733,
            "prepared_images": 300,
            "prepared_bytes": 7_024_830,
            "cores": 2,
            "executors": 1,
            **(facts or {}),
        },
    }
    write_measurements(table(rows, which), folder / "analysis" / "measurements.parquet")
    (folder / "run.json").write_text(json.dumps(record))
    summary = {
        "verdict": record["verdict"],
        "outliers": outliers(table(rows, which)),
        **summarise(table(rows, which)).plain(),
    }
    (folder / "analysis" / "summary.json").write_text(json.dumps(summary))
    return folder


def write_partitions(folder: Path) -> Path:
    """A sweep over 2 and 16 partitions on two clusters of 16 executors that work at once, with their event logs."""
    write_sweep(folder, {"preprocess.shards": [2, 16]}, overrides=["experiment=partitions"])
    for place, partitions in enumerate((2, 16)):
        name = f"application_{place}"
        write(cluster(partitions, name=name), folder / "jobs" / f"job-{place}" / "events" / name)
        path = folder / str(place) / "run.json"
        record = json.loads(path.read_text())
        record |= {"started_at": START, "ended_at": START + 100}
        record["facts"]["application_id"] = name
        path.write_text(json.dumps(record))
    return folder
