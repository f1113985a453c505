"""Run an entrypoint for every run of a job, and write each run's results to files."""

from __future__ import annotations

import argparse
import hashlib
import json
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flowerexp import storage
from flowerexp.errors import FlowerexpError, MissingError
from flowerexp.workload import executors, failures, report
from flowerexp.workload.engine import caching
from flowerexp.workload.engine.declared import Workload
from flowerexp.workload.engine.run import Lines, of_generator, of_workload
from flowerexp.workload.engine.session import LazySession, environment
from flowerexp.workload.engine.stream import Stream


def main(measure: Callable[..., Any], prepare: Callable[..., Any] | None = None, **hooks: Any) -> None:
    """Run an entrypoint as the job file says; see `flowerexp.workload.main`.

    A run that fails is recorded as failed, and the next one follows. The process fails only if a run's results cannot
    be written.
    """
    if prepare is None and any(hooks.values()):
        raise TypeError("main(run) takes no hooks: pass prepare as well, main(measure, prepare, ...)")
    lines = of_workload(Workload(measure=measure, prepare=prepare, **hooks)) if prepare else of_generator(measure)
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("--job", required=True, help="URI of job.json")
    job = _read_job(parser.parse_args().job)
    started = time.perf_counter_ns()
    spark = LazySession()
    try:
        facts, lines, fewer = _ready(lines, spark, job.get("requires", {}))
        start_seconds = (time.perf_counter_ns() - started) / 1e9
        for number, entry in enumerate(job["runs"]):
            _run_one(_noting(fewer, lines), spark, entry, facts, start_seconds if number == 0 else 0.0)
    finally:
        spark.stop()


def _read_job(uri: str) -> dict[str, Any]:
    """Read the job file. If that fails, no results can be written, so the driver's log has to say why."""
    try:
        job: dict[str, Any] = json.loads(storage.read_bytes(uri))
    except (ImportError, MissingError) as error:
        what = error.problem if isinstance(error, MissingError) else error
        raise SystemExit(
            f"flowerexp: error: {what}: the driver's Python on {socket.gethostname()} lacks a module, so it cannot "
            f"read {uri}"
        ) from error
    return job


def _noting(note: str, lines: Lines) -> Lines:
    """The same lines, and a note in each run."""

    def noted(*arguments: Any) -> Iterable[str]:
        report.note(note)
        return lines(*arguments)

    return noted if note else lines


def _ready(lines: Lines, spark: Any, requires: Mapping[str, str]) -> tuple[dict[str, report.Scalar], Lines, str]:
    """Wait for all executors and check their imports before anything is timed, once for all runs of the job.

    Returns:
        The facts about the environment, the entrypoint, or a function that raises the reason why it cannot run, and
        what each run has to say of the executors.
    """
    context, fewer = spark.sparkContext, ""
    try:
        if not executors.in_driver(context):
            fewer = executors.wait(context)
        if requires:
            executors.check_imports(context, requires)
        return environment(spark), lines, fewer
    except FlowerexpError as error:
        refused = error

        def refuse(*_: Any) -> Iterable[str]:
            raise refused

        return environment(spark), refuse, fewer


def _run_one(
    make: Lines, spark: Any, entry: dict[str, Any], facts: Mapping[str, report.Scalar], start_seconds: float
) -> None:
    """Make one run and write its results; `status.json` is written last: if it exists, the other files are complete."""
    run_key, output, token = entry["run_key"], entry["output"], entry.get("token")
    run_report = report.begin(run_key)
    report.state(output, "started")
    run_report.phases["start"] = start_seconds
    run_report.facts.update(facts)
    # The launcher takes only results with the token of the attempt that it started.
    status: dict[str, Any] = {"run_key": run_key, "token": token, "state": "finished", "error": None}
    status.update(where=None, hint=None, blame=None, retry=False, started_at=time.time())
    report.attempt(output, token, status["started_at"])
    lines: list[str] = []
    try:
        caching.clear(spark)
        with Stream(output, keep=bool(entry.get("earlier"))) as stream:
            for line in make(spark, entry, stream):
                lines.append(line)
        if not lines:
            raise FlowerexpError("the entrypoint returned no rows", hint="nothing was measured")
    except (Exception, SystemExit) as error:
        status.update(state="failed", **_explained(error, run_report, spark.sparkContext))
        status["traceback"] = traceback.format_exc()
        sys.stderr.write(status["traceback"])
    attached = run_report.attached
    status.update(ended_at=time.time(), facts=run_report.facts, notes=run_report.notes, attached=[*attached])
    phases = json.dumps(run_report.phases, indent=1).encode()
    files = {"measurements.jsonl": "".join(lines).encode(), "phases.json": phases}
    files |= {f"attached/{name}": content for name, content in attached.items()}
    status["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for name, content in files.items():
        storage.write_bytes(storage.join(output, name), content)
    storage.write_bytes(storage.join(output, "status.json"), json.dumps(status, indent=1, default=str).encode())
    report.state(output, status["state"])


def _explained(error: BaseException, run_report: report.Report, context: Any) -> dict[str, Any]:
    """The problem and, if they are known, the config key that caused it and what to do.

    `blame` is `machine` if the machine caused the failure, so that the run can be repeated as it is (`retry`), else
    `run`.
    """
    known = failures.explained(error, run_report.failed_phase)
    if not failures.is_machines(known) and executors.is_gone(context):
        known = failures.gone(known)
    lost = failures.is_machines(known)
    return {
        "error": known.problem,
        "where": known.where,
        "hint": known.hint,
        "class": type(known).__name__,
        "blame": "machine" if lost else "run",
        "retry": lost,
    }
