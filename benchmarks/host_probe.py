"""What does the probe of the host's speed cost, and does it explain rates? `python benchmarks/host_probe.py OUTPUT`.

Runs of one config (A/A) in one Spark application, by turns with and without the probe, and by turns alone, beside a
busy process, and beside one that is busy by turns (2 s each). OUTPUT gets a line of JSON a measurement, and one a run
with the seconds of its phases; `--read` tells what they say. The figures in docs/how-it-measures.md come from it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from flowerexp.app import composed
from flowerexp.config import plain
from flowerexp.workload import report
from flowerexp.workload.engine import run
from flowerexp.workload.engine.declared import Workload
from flowerexp.workload.engine.stream import Stream
from flowerexp.workload.read_speed import measuring

NEIGHBOURS = ("alone", "busy", "by turns")
"""What a run has beside it."""
_TURN_SECONDS = 2.0
_BUSY = "while True: pass"
_WORKLOAD = Workload(
    measure=measuring.measure,
    prepare=measuring.prepare,
    ready=measuring.ready,
    possible=measuring.possible,
    warm=measuring.warm,
    warmth=measuring.warmth,
)


@contextmanager
def company(kind: str) -> Iterator[None]:
    """Have a neighbour while the body runs."""
    if kind == "alone":
        yield
        return
    neighbour = subprocess.Popen([sys.executable, "-c", _BUSY])
    over = threading.Event()
    turns = threading.Thread(target=_take_turns, args=(neighbour.pid, over), daemon=True)
    if kind == "by turns":
        turns.start()
    try:
        yield
    finally:
        over.set()
        if kind == "by turns":
            turns.join()
        neighbour.kill()
        neighbour.wait()


def _take_turns(process: int, over: threading.Event) -> None:
    while not over.wait(_TURN_SECONDS):
        os.kill(process, signal.SIGSTOP)
        over.wait(_TURN_SECONDS)
        os.kill(process, signal.SIGCONT)


def make(spark: Any, overrides: list[str]) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Make one run; its rows, and the seconds of its phases."""
    config = json.loads(json.dumps(plain(composed(overrides))))
    told = report.begin(uuid.uuid4().hex)
    with tempfile.TemporaryDirectory() as folder, Stream(folder, keep=False) as stream:
        entry = {"run_key": told.run_key, "config": config, "output": folder}
        rows = [json.loads(line) for line in run.of_workload(_WORKLOAD)(spark, entry, stream)]
    return rows, told.phases


def collect(output: Path, runs: int, overrides: list[str]) -> None:
    """Make the runs: for each company as many with the probe as without, in a random order within each repeat."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    chance = random.Random(0)
    make(spark, overrides)  # prepares the data and warms up
    with output.open("a", encoding="utf-8") as file:
        for number in range(runs):
            settings = [(kind, probe) for kind in NEIGHBOURS for probe in (True, False)]
            chance.shuffle(settings)
            for kind, probe in settings:
                with company(kind):
                    started = time.perf_counter()
                    rows, phases = make(spark, [*overrides, f"measure.probe={str(probe).lower()}"])
                    wall = time.perf_counter() - started
                head = {"run": number, "company": kind, "probe": probe}
                for row in (*rows, {"wall": wall, "phases": phases}):
                    file.write(json.dumps(head | row) + "\n")
                file.flush()
    spark.stop()


Key = tuple[int, str, bool]


def read(path: Path) -> None:
    """Print what a file says: the probe's cost, what it explains, and how often runs that do not differ seem to."""
    rows: dict[Key, list[dict[str, Any]]] = {}
    measuring_seconds: dict[Key, float] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        key = row["run"], row["company"], row["probe"]
        if "wall" in row:
            measuring_seconds[key] = row["phases"]["measure"]
        elif row["execution"] == 1:
            rows.setdefault(key, []).append(row)
    rows = {key: rows[key] for key in measuring_seconds}
    cost(measuring_seconds)
    probed = {key: Logs.of(own) for key, own in rows.items() if key[2]}
    explained(probed)
    alarms(probed)


def cost(seconds: dict[Key, float]) -> None:
    """The ratio of the seconds of measuring with the probe and without it, in pairs of one repeat and company."""
    pairs = [(own, seconds[*key[:2], False]) for key, own in seconds.items() if key[2] and (*key[:2], False) in seconds]
    ratios = np.log([own / other for own, other in pairs])
    error = stats.t.ppf(0.975, len(ratios) - 1) * stats.sem(ratios)
    print(f"cost: {np.exp(ratios.mean()):.3f} times the seconds, within {error:.3f} ({len(ratios)} pairs)")


@dataclass(frozen=True)
class Logs:
    """A run's logarithms, of shape (n,), and its cells: rates, probes."""

    rates: np.ndarray[Any, Any]
    probes: np.ndarray[Any, Any]
    cells: np.ndarray[Any, Any]

    @classmethod
    def of(cls, rows: list[dict[str, Any]]) -> Logs:
        """Those of a run's rows."""
        names = [f"{row['reader']} {row['batch_size']} {row['batch_number']}" for row in rows]
        rates = np.log([row["images"] / row["seconds"] for row in rows])
        return cls(rates, np.log([row["probe_seconds"] for row in rows]), np.unique(names, return_inverse=True)[1])


def _within(values: Any, groups: Any) -> Any:
    return values - (np.bincount(groups, values) / np.bincount(groups))[groups]


def explained(runs: dict[Key, Logs]) -> None:
    """How much of the variance of rates the probe explains: of single measurements, and of runs."""
    for kind in NEIGHBOURS:
        own = [logs for key, logs in runs.items() if key[1] == kind]
        numbers = np.repeat(np.arange(len(own)), [len(logs.rates) for logs in own])
        rates, probes, cells = (
            np.concatenate([getattr(logs, name) for logs in own]) for name in ("rates", "probes", "cells")
        )
        for what, groups in (("cell", cells), ("cell and run", cells + numbers * (cells.max() + 1))):
            share = np.corrcoef(_within(rates, groups), _within(probes, groups))[0, 1] ** 2
            print(f"explained within a {what}, {kind}: {share:.1%} of {len(rates)} measurements")
    rates, probes = (np.array([getattr(logs, name).mean() for logs in runs.values()]) for name in ("rates", "probes"))
    line = stats.linregress(probes, rates)
    print(f"explained between runs: {line.rvalue**2:.1%} of {len(rates)}, slope {line.slope:.2f}; standard deviation "
          f"{rates.std(ddof=1):.3f}, adjusted {(rates + probes).std(ddof=1):.3f}")  # fmt: skip


def alarms(runs: dict[Key, Logs]) -> None:
    """How many pairs of runs with the same company Student's interval calls different, as they are and adjusted."""
    pairs = [pair for pair in itertools.combinations(runs, 2) if pair[0][1] == pair[1][1]]
    for adjusted in (False, True):
        found = [_difference(runs[one], runs[other], adjusted) for one, other in pairs]
        alarm = np.mean([abs(difference) > reach for difference, reach in found])
        width = np.median([reach for _, reach in found])
        print(f"called different, {'adjusted' if adjusted else 'as they are'}: {alarm:.1%} of {len(pairs)} pairs; the "
              f"median interval reaches {width:.3f}")  # fmt: skip


def _difference(one: Logs, other: Logs, adjusted: bool) -> tuple[float, float]:
    """Of the mean log rates, and how far its interval reaches."""
    difference, variance, freedom = 0.0, 0.0, 0
    for sign, logs in ((1, one), (-1, other)):
        left = _within(logs.rates, logs.cells)
        own = len(left) - len(np.unique(logs.cells))
        difference += sign * (logs.rates.mean() + (logs.probes.mean() if adjusted else 0))
        variance += (left**2).sum() / own / len(left) + (stats.sem(logs.probes) ** 2 if adjusted else 0)
        freedom += own
    return float(difference), float(stats.t.ppf(0.975, freedom) * np.sqrt(variance))


def main() -> None:
    """Collect, or read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("output", type=Path)
    parser.add_argument("--runs", type=int, default=10, help="of each kind (default: %(default)s)")
    parser.add_argument("--read", action="store_true", help="tell what OUTPUT says")
    options, overrides = parser.parse_known_args()
    if options.read:
        read(options.output)
    else:
        collect(options.output, options.runs, overrides)


if __name__ == "__main__":
    report._emit = lambda message: None  # no lines of progress
    main()
