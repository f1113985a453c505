"""Folders of runs and sweeps with many measurements, as read_speed leaves them: with all of its columns."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from flowerexp.app import composed
from flowerexp.config.schema import Config
from flowerexp.plan import PlannedRun

READERS = ("image_files", "tfrecords")
_START = 1_700_000_000
_TOKEN = "token"


def _config(home: Path, cells: int, shards: int = 16) -> Config:
    """A config whose grid has so many cells, at most 1,000."""
    sizes = max(1, cells // 40)
    grid = [f"grid.batch_size={[2 * place for place in range(1, sizes + 1)]}", f"grid.batch_number={[*range(1, 21)]}"]
    grid += [f"preprocess.shards={shards}"]
    return composed([f"home={home}", f"grid.reader=[{','.join(READERS)}]", *grid])


def _lines(config: Config, count: int, seed: int) -> Iterator[str]:
    """So many rows as lines of JSON, a repetition of all cells after the other."""
    grid, made, clock = config.grid, random.Random(seed), 0.0
    cells = [(name, size, parts) for name in READERS for size in grid["batch_size"] for parts in grid["batch_number"]]
    for number in range(count):
        name, size, parts = cells[number % len(cells)]
        noise = made.lognormvariate(0, 0.08)
        seconds = ((0.004 if name == "tfrecords" else 0.02) + 0.001 * parts + 0.0005 * size * parts) * noise
        row: dict[str, object] = {"reader": name, "batch_size": size, "batch_number": parts}
        row |= {"repetition": 1 + number // len(cells), "execution": 1, "order": number, "images": size * parts}
        row |= {"batches": parts, "first_batch_seconds": seconds / parts * 0.9, "first_batch_images": size}
        row |= {"page_cache": "warm", "page_cache_fraction": 1.0, "seconds": seconds}
        row |= {"started_ns": int(1e9 * clock), "ended_ns": int(1e9 * (clock + seconds)), "censored": False}
        row |= {"host": f"node-{number % 4}", "pid": 4000 + number % 4, "neighbours": 0, "started_at": _START + clock}
        row |= {"waited_seconds": 0.1 * noise, "warm_ups": 8, "warm_up_steady": True, "load_before": 0.25}
        row |= {"host_cores": 4, "memory_available_bytes": 12_000_000_000 + number, "cpu_percent": 30 * noise}
        row |= {"others_cpu_percent": 5 * noise, "net_bytes_s": 0.0, "disk_bytes_s": 0.0}
        row |= {"probe_seconds": 0.0035 * noise, "attempt": 1}
        clock += seconds
        yield json.dumps(row, separators=(",", ":")) + "\n"


def make_run(home: Path, folder: Path, count: int, **extra: object) -> PlannedRun:
    """Write the results of a run with so many rows, in at most 1,000 cells, as its job would; they are not analysed.

    Args:
        home: of the config, and so of the MLflow store.
        folder: the run's.
        count: how many rows.
        extra: what else the run's record holds.
    """
    place = int(str(extra.get("order", 0)))
    config = _config(home, min(1000, max(40, count // 10)), 1 + place)
    results = folder / "results"
    results.mkdir(parents=True)
    with (results / "measurements.jsonl").open("w") as file:
        file.writelines(_lines(config, count, place))
    (results / "phases.json").write_text(json.dumps({"prepare": 1.0, "measure": 60.0}))
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in results.iterdir()}
    facts = {"images": 3670, "bytes": 230_000_000, "prepared_images": 3670, "executors": 4, "cores": 16}
    status: dict[str, object] = {
        "run_key": f"{place:016x}",
        "token": _TOKEN,
        "state": "finished",
        "error": None,
        "where": None,
    }
    status |= {"hint": None, "blame": None, "retry": False, "started_at": _START, "ended_at": _START + 100}
    status |= {"facts": facts, "notes": [], "attached": [], "files": hashes}
    (results / "status.json").write_text(json.dumps(status))
    return PlannedRun(str(status["run_key"]), config, folder, "code", extra)


def collected(run: PlannedRun) -> None:
    """Do what is done when a run has ended: read, analyse and record it.

    Raises:
        FlowerexpError: that failed.
    """
    from flowerexp.job.results import JobEnd
    from flowerexp.orchestrate.collect import collect_run

    result = collect_run(run, _START, JobEnd(_TOKEN))
    if result.error:
        raise result.error


def _run_of_sweep(folder: Path, count: int, place: int) -> PlannedRun:
    label = f"preprocess.shards={1 + place}"
    extra = {"sweep_id": "sweep", "order": place, "block": 0, "label": label, "name": f"{label} · read_speed"}
    made = make_run(folder.parent, folder / str(place), count, **extra)
    collected(made)
    return made


def make_sweep(folder: Path, runs: int, count: int) -> None:
    """Make a finished sweep over so many numbers of partitions, with so many rows in all; the runs are analysed."""
    from flowerexp.journal.events import RunEnded
    from flowerexp.journal.journal import Journal

    folder.mkdir(parents=True)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        made = [*pool.map(partial(_run_of_sweep, folder, count // runs), range(runs))]
    journal = Journal(folder)
    settings = {"sweep_id": "sweep", "max_clusters": 1, "max_failures": None}
    journal.write_plan(settings, made, [[str(run.extra["label"])] for run in made])
    for run in made:
        journal.append(RunEnded(run=run.folder.name, state="finished"))
