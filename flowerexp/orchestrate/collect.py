"""Collect a run: read its results, analyse them and write its record; and log a collected run to MLflow."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp import analysis, index, records, tracking
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
from flowerexp.config import plain
from flowerexp.config.redact import redacted
from flowerexp.errors import ConfigError, DataError, FlowerexpError, JobError, MachineError, from_os_error
from flowerexp.job import rows
from flowerexp.job.bundle import find_script
from flowerexp.job.results import JobEnd, Outcome, read_outcome
from flowerexp.journal import RECORD
from flowerexp.plan import PlannedRun
from flowerexp.provenance import provenance

if TYPE_CHECKING:
    from flowerexp.analysis import Analysis
    from flowerexp.measurements.table import Measurements

SECONDS = "cost/cluster_seconds"
"""The fact that holds how long a run kept its cluster busy."""


@dataclass(frozen=True)
class Result:
    """How a run ended: its outcome on the cluster, its analysis, and MLflow's run_id; None for what was not reached.

    Attributes:
        retry: whether something else is to blame for the error than the experiment, so that the run is made again.
        unlogged: why the run could not be logged to MLflow; then it failed, if not for another reason.
    """

    run: PlannedRun
    outcome: Outcome
    analysis: Analysis | None
    run_id: str | None
    error: FlowerexpError | None
    retry: bool = False
    unlogged: FlowerexpError | None = None

    @property
    def started(self) -> bool:
        """Did it begin on its cluster?"""
        return self.outcome.started_at is not None


def collect_run(
    run: PlannedRun,
    submitted_at: float,
    end: JobEnd,
    refusal: FlowerexpError | None = None,
) -> Result:
    """Read, analyse and record one run that has ended; it is logged to MLflow later, see `log`.

    Args:
        run: the run.
        submitted_at: epoch seconds; when a run has no start time of its own, it counts from here.
        end: how its job ended.
        refusal: why there was no job, or why it was stopped.

    Returns:
        The result. Whatever goes wrong here is in its `error`; what was measured stays in the run's folder.
    """
    outcome = read_outcome(run.folder / "results", end)
    if refusal:
        why, where, hint = refusal.problem, refusal.where, refusal.hint
        outcome = replace(outcome, state="failed", error=why, where=where, hint=hint, retry=False)
    error = refusal or _error(run, outcome)
    retry, found, counted = outcome.retry, None, Counted()
    try:
        found, counted = _analyse(run, outcome.facts, error) if outcome.started_at is not None else (None, counted)
    except FlowerexpError as problem:
        error, retry = error or problem, retry or isinstance(problem, MachineError)
    if found and found.verdict.state == "invalid" and not error:
        error = DataError("; ".join(found.verdict.reasons))
    ended = _ended(run, outcome, error, found, counted)
    try:
        if not retry and outcome.ended_at is not None:
            rows.forget(run)
        record(run, outcome.started_at or submitted_at, {**ended, "files": _digests(run, outcome.files, found)})
    except OSError as problem:
        error, retry = error or from_os_error(problem, "writing the run's record"), True
    return Result(run, outcome, found, None, error, retry)


def _ended(
    run: PlannedRun, outcome: Outcome, error: FlowerexpError | None, found: Analysis | None, counted: Counted
) -> dict[str, Any]:
    """What is known of a run since it ended, as its record holds it."""
    return {
        "state": "failed" if error else "finished",
        "error": str(error) if error else None,
        "ended_at": outcome.ended_at or time.time(),
        "phases": outcome.phases,
        "facts": {**counted.facts(run), **outcome.facts, **_ceilings(run), **_own_cost(run, outcome)},
        "notes": [*outcome.notes, *counted.notes(run, outcome)],
        "verdict": vars(found.verdict) if found else None,
        "answer": found.answer if found else None,
    }


def _error(run: PlannedRun, outcome: Outcome) -> JobError | None:
    if not outcome.error:
        return None
    driver_log = run.folder / "job" / "driver.log"
    hint = f"see {driver_log}" if driver_log.exists() and not (outcome.where or outcome.hint) else outcome.hint
    return JobError(outcome.error, where=outcome.where, hint=hint)


def _digests(run: PlannedRun, known: Mapping[str, str], found: Analysis | None) -> dict[str, str]:
    """The hashes of what the run has left and of what was found in it, by which damage is noticed later.

    Args:
        run: the run.
        known: those of results that were compared just now; of many measurements, each hash takes a second.
        found: the run's analysis.

    Raises:
        OSError: a file cannot be read.
    """
    results = [path for path in sorted((run.folder / "results").rglob("*")) if path.is_file()]
    paths = [*(path for path in results if not path.name.startswith(".")), *(found.paths if found else ())]
    known = {f"results/{name}": each for name, each in known.items()}
    names = {path.relative_to(run.folder).as_posix(): path for path in paths}
    return {name: known.get(name) or records.digest(path) for name, path in names.items()}


def log(run: PlannedRun) -> str:
    """Log a collected run to MLflow, and add it to the index of finished runs if it has finished.

    Returns:
        MLflow's run_id.

    Raises:
        TrackingError: it could not be logged.
        DataError: what is in the run's folder is damaged.
        MachineError: the index cannot be written.
    """
    run_id = tracking.log_run(run.folder, tracking.Store.of(run.config.tracking))
    found = records.of_run(run.folder)
    if found["state"] == "finished":
        _remember(run, found, run_id)
    return run_id


def _ceilings(run: PlannedRun) -> dict[str, float]:
    """What the run's cluster can reach at most; nothing where the user's own file of prices cannot be read any more."""
    try:
        return kind_of(run.config.cluster).ceilings(Prices.of(run.config.budget, run.config.cluster))
    except FlowerexpError:
        return {}


def _own_cost(run: PlannedRun, outcome: Outcome) -> dict[str, float]:
    """How long the run kept its cluster busy, and what that cost; nothing where that, or a price, is not known."""
    if outcome.started_at is None or outcome.ended_at is None:
        return {}
    try:
        rate = kind_of(run.config.cluster).rate(Prices.of(run.config.budget, run.config.cluster))
    except FlowerexpError:
        return {}
    seconds = outcome.ended_at - outcome.started_at
    if not rate or not rate.total:
        return {}
    secondary = {"cost/secondary_usd": rate.secondary * seconds / 3600} if rate.secondary else {}
    return {SECONDS: seconds, "cost/usd": rate.total * seconds / 3600, **secondary}


@dataclass(frozen=True)
class Counted:
    """How many measurements each attempt to make a run has made, in the order of the attempts."""

    by_attempt: Sequence[int] = ()

    def facts(self, run: PlannedRun) -> dict[str, int]:
        """The same as facts of the run."""
        several = {"attempts": len(self.by_attempt), "measurements_before": sum(self.by_attempt[:-1])}
        all_ = {"measurements": sum(self.by_attempt)} if run.measurements and self.by_attempt else {}
        return {**all_, **(several if len(self.by_attempt) > 1 else {})}

    def notes(self, run: PlannedRun, outcome: Outcome) -> list[str]:
        """What to say of a run that was made in several attempts, or whose measurements are not all there."""
        notes = []
        if len(self.by_attempt) > 1:
            each = ", ".join(map(str, self.by_attempt))
            notes.append(f"its measurements are those of {len(self.by_attempt)} attempts: {each}")
        if outcome.ended_at is None and self.by_attempt:
            of = f" of {'at least ' if run.is_open else ''}{run.measurements}" if run.measurements else ""
            notes.append(f"unfinished: {sum(self.by_attempt)}{of} measurements were made before it ended")
        return notes


def _analyse(
    run: PlannedRun, facts: Mapping[str, Any], error: FlowerexpError | None
) -> tuple[Analysis | None, Counted]:
    """Analyse what was measured, also by a run that failed later, or did not end; None where there is nothing."""
    from flowerexp.measurements.loading import load

    path = run.folder / "results" / rows.MEASUREMENTS
    found = load(path, run.config.experiment) if path.exists() else None
    if not found:
        return None, Counted()
    counted = Counted(_by_attempt(found.firsts))
    failed = error.problem if error else None
    return analysis.analyse(found, run.folder / "analysis", run.config.margin, facts, failed), counted


def _by_attempt(found: Measurements) -> list[int]:
    import numpy as np

    attempts = np.nan_to_num(found.numbers("attempt"), nan=1.0)
    return [int(count) for count in np.unique(attempts, return_counts=True)[1]]


def _remember(run: PlannedRun, found: Mapping[str, Any], run_id: str) -> None:
    """Add a finished run to the index, from which a plan and a sweep see what is done already."""
    finished = index.Finished(
        run_key=run.run_key,
        data_fingerprint=found["facts"].get("data_fingerprint"),
        run_id=run_id,
        folder=str(run.folder),
        seconds=found["ended_at"] - found["started_at"],
        measurements=_measured(run, found["facts"]),
        cluster=index.cluster_hash(run.config.cluster),
        entrypoint=run.entrypoint,
        at=found["ended_at"],
    )
    try:
        index.add(run.config, finished)
    except OSError as problem:
        raise from_os_error(problem, "writing the index of finished runs") from problem


def _measured(run: PlannedRun, facts: Mapping[str, Any]) -> int:
    """How many measurements a run made in the time that its record holds; 0 for one that has no grid."""
    return int(facts.get("measurements", 0)) - int(facts.get("measurements_before", 0)) if run.measurements else 0


def record(run: PlannedRun, started_at: float, ended: Mapping[str, Any]) -> None:
    """Write the run's record: what `flowerexp log` needs to log it to MLflow.

    Args:
        run: the run.
        started_at: epoch seconds.
        ended: what is known since it ended; nothing yet for a run that is about to start.

    Raises:
        OSError: no room, no permission.
    """
    config = redacted(plain(run.config))
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
        "facts": {**provenance(_script(run)), "code_hash": run.code_hash, **ended.get("facts", {})},
    }
    records.write(run.folder / RECORD, content)


def _script(run: PlannedRun) -> Path | None:
    """The run's script; None where it was moved away since the job took it along."""
    try:
        return find_script(run.config.entrypoint.script)
    except ConfigError:
        return None
