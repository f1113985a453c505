"""A batch of pretended clusters and jobs."""

from __future__ import annotations

from typing import Any

import pytest

from flowerexp.cluster.dataproc.kind import DataprocKind
from flowerexp.cluster.local.kind import LocalKind
from flowerexp.console import Screen
from flowerexp.errors import JobError
from flowerexp.job.results import read_outcome
from flowerexp.orchestrate import Batch, BatchLimits, Ledger, batch, logger
from flowerexp.orchestrate.collect import Result
from flowerexp.orchestrate.events import Inherited
from flowerexp.plan import plan
from tests.orchestrate.pretended import PLACE, Cluster, Notes, World


@pytest.fixture
def world(monkeypatch):
    made = World()
    for kind in (LocalKind, DataprocKind):
        monkeypatch.setattr(kind, "backend", lambda self: Cluster(made, self.cluster))
    monkeypatch.setattr(batch, "Preparation", lambda *_: type("Nothing", (), {"finish": lambda self: None})())

    def read_only(run, submitted_at, end, refusal=None):
        outcome = read_outcome(run.folder / "results", end)
        error = refusal or (JobError(outcome.error) if outcome.error else None)
        return Result(run, outcome, None, None, error)

    monkeypatch.setattr(batch, "collect_run", read_only)
    monkeypatch.setattr(logger, "log", lambda run: f"id of {run.folder.name}")
    return made


@pytest.fixture
def sweep(config, tmp_path, world, capsys):
    """`sweep([overrides], ...)`: run a batch of one run for each list of overrides."""

    def run(*runs, ledger=None, jobs=(), clusters=(), **limits):
        configs = [config(*PLACE, *overrides) for overrides in runs]
        planned = plan(configs, [tmp_path / str(n) for n in range(len(configs))], "code")
        notes: Any = Notes()
        results: list[Result] = []
        ledger = ledger or Ledger(configs[0])
        made = Batch(planned, tmp_path, Screen(), ledger, notes, BatchLimits(**limits))
        try:
            made.run(results.append, Inherited(jobs, clusters))
        finally:
            notes.results, notes.printed = results, capsys.readouterr().err
            notes.left = [run.folder.name for run in made.left]
            world.notes = notes
        return notes

    return run
