"""Sweeps whose jobs run in this process, without Spark: the real runner, launcher, journal, analysis and MLflow."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flowerexp import index
from flowerexp.cluster import ExistingCluster, JobFiles
from flowerexp.cluster.local.kind import LocalKind
from flowerexp.config import Config, recorded
from flowerexp.console import Screen
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.journal.journal import Journal
from flowerexp.plan import PlannedRun, run_key
from flowerexp.sweep.pending import Pending
from flowerexp.sweep.run import Sweep
from flowerexp.tracking import model as tracking_model
from flowerexp.workload import executors, report
from flowerexp.workload.engine import runner
from tests.composing import composed

Rows = Iterator[dict[str, Any]]


class Killed(BaseException):
    """The job died."""


class Submitted:
    """A job that has run by the time it was submitted."""

    def __init__(self, files: JobFiles, lines: Sequence[str], code: int) -> None:
        self.handle = {"job": files.folder.name}
        self._lines = lines
        self._code = code

    def poll(self) -> tuple[Sequence[str], int | None]:
        lines, self._lines = self._lines, ()
        return lines, self._code

    def stop(self) -> None:
        """It has ended."""

    def collect(self) -> None:
        """Nothing lies elsewhere."""


class Session:
    """What the runner takes for Spark."""

    sparkContext = SimpleNamespace(
        master="local[2]",
        _jsc=SimpleNamespace(sc=lambda: SimpleNamespace(isStopped=lambda: False), getPersistentRDDs=dict),
    )

    def stop(self) -> None:
        """There is nothing to stop."""


class World:
    """What a test decides about runs, by their `preprocess.quality`; and which of them were measured, in order."""

    def __init__(self) -> None:
        self.measured: list[int] = []
        self.errors: dict[int, Exception] = {}
        self.dies: dict[int, int] = {}  # the job of a run dies after so many of its rows
        self.repetitions: list[tuple[int, int]] = []  # each measurement: the run's quality, and which repetition
        self.job: dict[str, Any] = {}
        self.refuses = False  # to begin any job
        self.after: Callable[[Path], object] = lambda folder: None  # called with a job's folder when it has run
        self.fingerprint: Callable[[Config], str | None] = index.current_fingerprint

    def measure(self, spark: Any, config: dict[str, Any]) -> Rows:
        """Rows that follow from the config alone."""
        quality = int(config["preprocess"]["quality"])
        self.measured.append(quality)
        report.fact("data_fingerprint", self.fingerprint(recorded(config)))
        if quality in self.errors:
            raise self.errors[quality]
        if quality not in self.dies and not self.goes_on:
            for repetition in range(1, 4):
                yield {"images": 40, "seconds": (quality + repetition) / 100, "repetition": repetition, "execution": 1}
            return
        yield from self._as_the_engine(quality)

    goes_on = False
    """Whether rows appear as they come, and those of earlier attempts are not measured again, as the engine has it."""

    def _as_the_engine(self, quality: int) -> Rows:
        """What the engine does: rows appear in parts, and those of earlier attempts are not measured again."""
        (own,) = [one for one in self.job["runs"] if int(one["config"]["preprocess"]["quality"]) == quality]
        rows = [json.loads(line) for folder in own["earlier"] for part in sorted(Path(folder).glob("[0-9]*.jsonl"))
                for line in part.read_text().splitlines()]  # fmt: skip
        attempt = 1 + max((row["attempt"] for row in rows), default=0)
        done = {row["repetition"] for row in rows}
        with report.phase("list"):
            pass
        for number in range(1, 7):
            if number in done:
                continue
            if self.dies.get(quality) == number - 1:
                raise Killed
            self.repetitions.append((quality, number))
            seconds = (quality + number) / 100
            row = {"images": 40, "seconds": seconds, "repetition": number, "execution": 1, "attempt": attempt}
            part = Path(own["output"]) / "rows" / f"1{number:04d}.jsonl"
            part.parent.mkdir(exist_ok=True)
            part.write_text(json.dumps(row, separators=(",", ":")) + "\n")
            rows.append(row)
        yield from rows


WORLD = World()


class Made(ExistingCluster):
    """A cluster in this process."""

    on_this_host = False

    def __init__(self, config: Any) -> None:
        self.config = config

    def check(self) -> None:
        """All is well."""

    def submit(self, files: JobFiles) -> Submitted:
        printed, argv, code = io.StringIO(), sys.argv, 0
        WORLD.job = json.loads(files.job.read_bytes())
        if WORLD.refuses:
            return Submitted(files, ["Error: no Java"], 1)
        sys.argv = ["script.py", "--job", str(files.job)]
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
                runner.main(WORLD.measure)
        except Killed:
            code = 137
        finally:
            sys.argv = argv
        WORLD.after(files.folder)
        return Submitted(files, printed.getvalue().splitlines(), code)

    def find(self, folder: Path, handle: dict[str, Any]) -> None:
        """No job outlives its submission."""


def install(patch: pytest.MonkeyPatch) -> World:
    """Let `cluster=local` be `Made`, in a new world; no model is saved, which takes a third of a sweep's time."""
    global WORLD
    WORLD = World()
    patch.setattr(LocalKind, "backend", lambda kind: Made(kind.cluster))
    patch.setattr(runner, "LazySession", Session)
    patch.setattr(executors, "check_imports", lambda context, requires: None)
    patch.setattr(runner, "environment", lambda spark: {"cores": 2})
    patch.setattr(tracking_model, "_save", lambda model, folder: folder.mkdir())
    return WORLD


def planned(folder: Path, home: Path, qualities: Sequence[int], *overrides: str) -> list[PlannedRun]:
    """A run for each quality."""
    runs = []
    for number, quality in enumerate(qualities):
        own = [f"preprocess.quality={quality}"]
        config = composed([f"home={home}", "entrypoint=write_shards", *overrides, *own])
        code = Bundle(find_script(config.entrypoint.script)).code_hash
        extra = {"sweep_id": folder.name, "label": own[0], "name": f"quality {quality}"}
        runs.append(PlannedRun(run_key(config, code), config, folder / str(number), code, extra))
    return runs


def run_sweep(folder: Path, runs: Sequence[PlannedRun]) -> tuple[list[Any], str]:
    """Run a new sweep as the launcher does; returns the results in the order of their delivery, and what was said."""
    folder.mkdir(parents=True)
    journal, stream = Journal(folder), io.StringIO()
    results: list[Any] = []
    with journal.held():
        settings = {"sweep_id": folder.name, "max_clusters": 1, "max_failures": None}
        journal.write_plan(settings, runs, [[run.label] for run in runs])
        Sweep(journal, runs, Screen(stream)).run(results.append, Pending(runs))
    return results, stream.getvalue()


def events(folder: Path, *kinds: str) -> list[dict[str, Any]]:
    """A journal's events of some kinds."""
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] in kinds]


def runs_of(folder: Path) -> list[dict[str, str]]:
    """The table of a sweep's runs, without how long each took: that differs from one time to the next."""
    with (folder / "runs.csv").open(newline="") as file:
        return [{key: cell for key, cell in line.items() if "seconds" not in key} for line in csv.DictReader(file)]
