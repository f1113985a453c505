"""Bring a run home: read its results, analyse them, write its record, and tell MLflow."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowerexp import analysis, index, storage, tracking
from flowerexp.cluster import cost, limits
from flowerexp.config.redact import redacted
from flowerexp.errors import DataError, FlowerexpError, JobError, from_os_error
from flowerexp.job.results import Outcome, read_outcome
from flowerexp.measurements import experiment_of
from flowerexp.plan import PlannedRun
from flowerexp.provenance import provenance

if TYPE_CHECKING:
    from flowerexp.analysis import Analysis

RECORD = "run.json"
SECONDS = "cost/cluster_seconds"
"""The fact that holds how long a run kept its cluster busy."""


@dataclass(frozen=True)
class Result:
    """How a run ended: its outcome on the cluster, its analysis, and MLflow's run_id; None for what was not reached."""

    run: PlannedRun
    outcome: Outcome
    analysis: Analysis | None
    run_id: str | None
    error: FlowerexpError | None


def bring_home(run: PlannedRun, submitted_at: float, exit_code: int, tail: Sequence[str]) -> Result:
    """Read, analyse, record and log one run that has ended.

    Args:
        run: the run.
        submitted_at: epoch seconds; when a run has no start time of its own, it counts from here.
        exit_code: its job's, for results that are missing.
        tail: the last lines that the job printed, likewise.

    Returns:
        The result. Whatever goes wrong here is in its `error`; what was measured stays in the run's folder.
    """
    outcome = read_outcome(run.folder / "results", exit_code, tail)
    error: FlowerexpError | None = None
    if outcome.error:
        hint = outcome.hint if outcome.where or outcome.hint else f"see {run.folder / 'job' / 'driver.log'}"
        error = JobError(outcome.error, where=outcome.where, hint=hint)
    found = None
    try:
        found = _analyse(run)
    except FlowerexpError as problem:
        error = error or problem
    if found and found.verdict.state == "invalid" and not error:
        error = DataError("; ".join(found.verdict.reasons))
    facts = {**outcome.facts, **limits.ceilings(run.config["cluster"]), **_own_cost(run, outcome)}
    ended = {
        "state": "failed" if error else "finished",
        "error": str(error) if error else None,
        "ended_at": outcome.ended_at or time.time(),
        "phases": outcome.phases,
        "facts": facts,
        "notes": list(outcome.notes),
        "verdict": vars(found.verdict) if found else None,
    }
    run_id = None
    try:
        record(run, outcome.started_at or submitted_at, ended)
        run_id = tracking.log_run(run.folder, tracking.Store(**run.config["tracking"]))
        if not error:
            _remember(run, outcome, run_id, submitted_at)
    except FlowerexpError as problem:
        error = error or problem
    return Result(run, outcome, found, run_id, error)


def _own_cost(run: PlannedRun, outcome: Outcome) -> dict[str, float]:
    """How long the run kept its cluster busy, and what that cost; nothing where that, or a price, is not known."""
    if outcome.started_at is None or outcome.ended_at is None:
        return {}
    try:
        rate = cost.rate(run.config["cluster"], cost.Prices.load(run.config["budget"]["prices"]))
    except FlowerexpError:
        return {}
    seconds = outcome.ended_at - outcome.started_at
    return {SECONDS: seconds, "cost/usd": rate.total * seconds / 3600} if rate and rate.total else {}


def _analyse(run: PlannedRun) -> Analysis | None:
    """Analyse what was measured, also by a run that failed later; None where there is nothing."""
    from flowerexp.measurements.loading import load

    path = run.folder / "results" / "measurements.jsonl"
    found = load(path, experiment_of(run.entrypoint)) if path.exists() else None
    return analysis.analyse(found, run.folder / "analysis") if found else None


def _remember(run: PlannedRun, outcome: Outcome, run_id: str, submitted_at: float) -> None:
    """Add a finished run to the index, from which a plan and a sweep see what is done already."""
    ended_at = outcome.ended_at or time.time()
    finished = index.Finished(
        run_key=run.run_key,
        data_fingerprint=outcome.facts.get("data_fingerprint"),
        run_id=run_id,
        folder=str(run.folder),
        seconds=ended_at - (outcome.started_at or submitted_at),
        measurements=int(outcome.facts.get("measurements", 0)),
        cluster=index.cluster_hash(run.config["cluster"]),
        entrypoint=run.entrypoint,
        at=ended_at,
    )
    try:
        index.add(run.config, finished)
    except OSError as problem:
        raise from_os_error(problem, "writing the index of finished runs") from problem


def record(run: PlannedRun, started_at: float, ended: Mapping[str, Any]) -> None:
    """Write the run's record: what `flowerexp log` needs to tell MLflow about it.

    Args:
        run: the run.
        started_at: epoch seconds.
        ended: what is known since it ended; nothing yet for a run that is about to start.
    """
    config = redacted(run.config)
    content = {
        "run_key": run.run_key,
        "name": run.name,
        "entrypoint": run.entrypoint,
        "config": config,
        "tracking": config["tracking"],
        "sweep_id": None,
        "started_at": started_at,
        "ended_at": None,
        "state": "running",
        "error": None,
        "verdict": None,
        "phases": {},
        **run.extra,
        **ended,
        "facts": {**provenance(), "code_hash": run.code_hash, **ended.get("facts", {})},
    }
    storage.write_bytes(str(run.folder / RECORD), json.dumps(content, indent=1).encode())
