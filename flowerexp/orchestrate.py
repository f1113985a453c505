"""The one place that walks plan -> cluster -> job -> measurements -> analysis -> tracking."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp import analysis, measurements, storage, tracking
from flowerexp.cluster import JobFiles, backend
from flowerexp.config.redact import redacted
from flowerexp.console import Screen
from flowerexp.errors import DataError, FlowerexpError, JobError, MachineError
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.job.follow import follow
from flowerexp.job.results import Outcome, read_outcome
from flowerexp.plan import PlannedJob, PlannedRun
from flowerexp.plan import plan as make_plan
from flowerexp.provenance import provenance
from flowerexp.workload import slots

if TYPE_CHECKING:
    from flowerexp.analysis import Analysis

RECORD = "run.json"


@dataclass(frozen=True)
class Result:
    """How a run ended: its outcome on the cluster, its analysis, and MLflow's run_id; None for what was not reached."""

    run: PlannedRun
    outcome: Outcome
    analysis: Analysis | None
    run_id: str | None
    error: FlowerexpError | None


def run(config: Mapping[str, Any], folder: Path, screen: Screen) -> Result:
    """Run one checked config from beginning to end.

    Args:
        config: the checked config.
        folder: the run's folder; it exists.
        screen: where progress is shown.

    Returns:
        The result; a run that failed on the cluster is logged to MLflow as failed, and its result holds the error.

    Raises:
        FlowerexpError: something was found to be wrong before the job started.
    """
    script = find_script(config["entrypoint"]["script"])
    bundle = Bundle(script)
    plan = make_plan([config], [folder], bundle.code_hash)
    return _run_job(plan.jobs[0], bundle, screen)[0]


def preflight(config: Mapping[str, Any]) -> None:
    """Find what can be found before the first side effect: the script, the cluster, the data's folder, the store.

    Args:
        config: a run's checked config.

    Raises:
        FlowerexpError: the first thing that is wrong.
    """
    find_script(config["entrypoint"]["script"])
    backend(dict(config["cluster"])).check()
    _check_data(config["dataset"])
    for key, place in config["storage"].items():
        _check_writable(place, f"storage.{key}")
    tracking.check_reachable(_store(config))


def _check_data(dataset: Mapping[str, Any]) -> None:
    """Is the folder there? What is in it is found out on the cluster."""
    for key in ("path", "tfrecords"):
        path = dataset.get(key)
        if path and storage.is_local(path) and not Path(path).is_dir():
            problem = f"{path} is a file, not a folder" if Path(path).exists() else f"{path} does not exist"
            raise DataError(problem, where=f"dataset.{key}", hint="check the path")


def _check_writable(place: str, key: str) -> None:
    """Can a folder be made, and written? Asked of the nearest folder above that exists."""
    if not storage.is_local(place):
        return
    try:
        Path(place).mkdir(parents=True, exist_ok=True)
        with storage.NewFile(place):
            pass
    except OSError as error:
        raise MachineError(
            f"{place} cannot be written: {error.strerror}", where=key, hint="choose another folder"
        ) from error


def _store(config: Mapping[str, Any]) -> tracking.Store:
    return tracking.Store(**config["tracking"])


def _run_job(job: PlannedJob, bundle: Bundle, screen: Screen) -> list[Result]:
    """Ship a job, follow it, and bring home and log each of its runs."""
    started_at = time.time()
    files = _write_job(job, bundle)
    stores = {_store(one.config) for one in job.runs}
    concurrency = max(one.config["grid"]["concurrency"] for one in job.runs)
    waiting = _Preparation(stores, any(one.measurements for one in job.runs), slots.all_slots(concurrency))
    for one in job.runs:
        _record(one, started_at, {})
    submission = backend(dict(job.cluster)).submit(files)
    try:
        with screen.following(len(job.runs)) as listener:
            exit_code, tail = follow(submission, listener)
    except BaseException as error:
        submission.stop()
        for one in job.runs:
            _record(one, started_at, {"state": "failed", "error": _interruption(error), "ended_at": time.time()})
        raise
    finally:
        waiting.finish()
    return [_finish(one, started_at, exit_code, tail, screen) for one in job.runs]


def _interruption(error: BaseException) -> str:
    return "stopped by Ctrl-C" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


def _write_job(job: PlannedJob, bundle: Bundle) -> JobFiles:
    """Write what is shipped into the folder of the job, beside its first run's results."""
    folder = job.runs[0].folder / "job"
    folder.mkdir(parents=True, exist_ok=True)
    runs = [
        {"run_key": one.run_key, "config": redacted(one.config), "output": str(one.folder / "results")}
        for one in job.runs
    ]
    storage.write_bytes(str(folder / "job.json"), json.dumps({"runs": runs}, indent=1).encode())
    script = Path(shutil.copy(bundle.script, folder))
    return JobFiles(folder, script, bundle.write(folder), folder / "job.json")


class _Preparation:
    """Get MLflow and the analysis libraries ready while Spark starts: importing them takes seconds.

    That is work on this machine, so the slots are held meanwhile: nothing is measured beside it.
    """

    def __init__(self, stores: set[tracking.Store], grid: bool, slots_held: AbstractContextManager[None]) -> None:
        self._stores = stores
        self._grid = grid
        self._held = ExitStack()
        self._held.enter_context(slots_held)
        self._thread = threading.Thread(target=self._prepare, daemon=True)
        self._thread.start()

    def _prepare(self) -> None:
        try:
            for store in self._stores:
                tracking.ensure(store)
            analysis.load_libraries(self._grid)
        except FlowerexpError:
            pass  # logging will meet it again, when there are results to keep
        finally:
            self._held.close()

    def finish(self) -> None:
        """Wait until it is done."""
        self._thread.join()


def _finish(one: PlannedRun, started_at: float, exit_code: int, tail: Sequence[str], screen: Screen) -> Result:
    """Bring one run home: read, analyse, record, log."""
    outcome = read_outcome(one.folder / "results", exit_code, tail)
    error: FlowerexpError | None = None
    if outcome.error:
        hint = outcome.hint if outcome.where or outcome.hint else f"see {one.folder / 'job' / 'driver.log'}"
        error = JobError(outcome.error, where=outcome.where, hint=hint)
    analysis = None
    try:
        analysis = _analyse(one)
    except FlowerexpError as problem:
        error = error or problem
    if analysis and analysis.verdict.state == "invalid" and not error:
        error = DataError("; ".join(analysis.verdict.reasons))
    ended = {
        "state": "failed" if error else "finished",
        "error": str(error) if error else None,
        "started_at": started_at,
        "ended_at": outcome.ended_at or time.time(),
        "phases": outcome.phases,
        "facts": outcome.facts,
        "notes": list(outcome.notes),
        "verdict": vars(analysis.verdict) if analysis else None,
    }
    _record(one, started_at, ended)
    run_id = None
    try:
        run_id = tracking.log_run(one.folder, _store(one.config))
    except FlowerexpError as problem:
        screen.warn(str(problem))
        error = error or problem
    return Result(one, outcome, analysis, run_id, error)


def _analyse(one: PlannedRun) -> Analysis | None:
    """Analyse what was measured, also by a run that failed later; None where there is nothing."""
    path = one.folder / "results" / "measurements.jsonl"
    rows = measurements.load(path) if path.exists() else []
    return analysis.analyse(rows, one.folder / "analysis", one.entrypoint) if rows else None


def _record(one: PlannedRun, started_at: float, ended: Mapping[str, Any]) -> None:
    """Write the run's record: what `flowerexp log` needs to tell MLflow about it."""
    config = redacted(one.config)
    record = {
        "run_key": one.run_key,
        "name": one.name,
        "entrypoint": one.entrypoint,
        "config": config,
        "tracking": config["tracking"],
        "sweep_id": None,
        "started_at": started_at,
        "ended_at": None,
        "state": "running",
        "error": None,
        "verdict": None,
        "phases": {},
        **ended,
        "facts": {**provenance(), **ended.get("facts", {})},
    }
    storage.write_bytes(str(one.folder / RECORD), json.dumps(record, indent=1).encode())
