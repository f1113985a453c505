"""Run an entrypoint for every run of a job, and leave each run's results as files."""

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
from flowerexp.errors import FlowerexpError
from flowerexp.workload import executors, failures, report
from flowerexp.workload.engine.declared import Workload
from flowerexp.workload.engine.run import Lines, of_generator, of_workload
from flowerexp.workload.engine.session import LazySession, environment
from flowerexp.workload.engine.stream import Stream


def main(measure: Callable[..., Any], prepare: Callable[..., Any] | None = None, **hooks: Any) -> None:
    """Run an entrypoint as the job file says; see `flowerexp.workload.main`.

    A run that fails is recorded as failed, and the next one follows. The process fails only when a run's results
    cannot be written.
    """
    if prepare is None and any(hooks.values()):
        raise TypeError("main(run) takes no hooks: give prepare as well, main(measure, prepare, ...)")
    lines = of_workload(Workload(measure=measure, prepare=prepare, **hooks)) if prepare else of_generator(measure)
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("--job", required=True, help="URI of job.json")
    job = _read_job(parser.parse_args().job)
    started = time.perf_counter_ns()
    spark = LazySession()
    try:
        facts, lines = _ready(lines, spark, job.get("requires", {}))
        start_seconds = (time.perf_counter_ns() - started) / 1e9
        for number, one in enumerate(job["runs"]):
            _run_one(lines, spark, one, facts, start_seconds if number == 0 else 0.0)
    finally:
        spark.stop()


def _read_job(uri: str) -> dict[str, Any]:
    """The job file. Nothing can be written where it cannot even be read, so the driver's log has to say why."""
    try:
        job: dict[str, Any] = json.loads(storage.read_bytes(uri))
    except ImportError as error:
        raise SystemExit(
            f"flowerexp: error: {error}: the driver's Python on {socket.gethostname()} lacks a module, and cannot read "
            f"{uri}"
        ) from error
    return job


def _ready(lines: Lines, spark: Any, requires: Mapping[str, str]) -> tuple[dict[str, report.Scalar], Lines]:
    """Have all executors, with what they need, before anything is timed: once for all runs of the job.

    Returns:
        What all runs run on, and the entrypoint, or what raises the reason why it cannot run.
    """
    context = spark.sparkContext
    try:
        if not executors.in_driver(context):
            executors.wait(context)
        if requires:
            executors.check_imports(context, requires)
        return environment(spark), lines
    except FlowerexpError as error:
        refused = error

        def refuse(*_: Any) -> Iterable[str]:
            raise refused

        return environment(spark), refuse


def _run_one(
    make: Lines, spark: Any, one: dict[str, Any], facts: Mapping[str, report.Scalar], start_seconds: float
) -> None:
    """Run one run and write its results; `status.json` comes last, so that it says that the others are whole."""
    told = report.begin(one["run_key"])
    report.state(one["output"], "started")
    told.phases["start"] = start_seconds
    told.facts.update(facts)
    # The launcher takes only results that carry the token of the attempt that it started.
    status: dict[str, Any] = {"run_key": one["run_key"], "token": one.get("token"), "state": "finished", "error": None}
    status.update(where=None, hint=None, blame=None, retry=False, started_at=time.time())
    lines: list[str] = []
    try:
        with Stream(one["output"], keep=bool(one.get("earlier"))) as stream:
            for line in make(spark, one, stream):
                lines.append(line)
        if not lines:
            raise FlowerexpError("the entrypoint returned no rows", hint="nothing was measured")
    except (Exception, SystemExit) as error:
        status.update(state="failed", **_explained(error, told, spark.sparkContext), traceback=traceback.format_exc())
        sys.stderr.write(status["traceback"])
    status.update(ended_at=time.time(), facts=told.facts, notes=told.notes, attached=[*told.attached])
    output = one["output"]
    files = {"measurements.jsonl": "".join(lines).encode(), "phases.json": json.dumps(told.phases, indent=1).encode()}
    files |= {f"attached/{name}": content for name, content in told.attached.items()}
    status["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for name, content in files.items():
        storage.write_bytes(storage.join(output, name), content)
    storage.write_bytes(storage.join(output, "status.json"), json.dumps(status, indent=1, default=str).encode())
    report.state(output, status["state"])


def _explained(error: BaseException, told: report.Report, context: Any) -> dict[str, Any]:
    """What went wrong, the config key that is to blame, and what to do; the latter two where they are known.

    `blame` is `machine` if the run was lost to the machine, and may be made again as it is (`retry`), else `run`.
    """
    known = failures.explained(error, told.failed_phase)
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
