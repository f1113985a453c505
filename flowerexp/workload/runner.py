"""Run an entrypoint for every run of a job, and leave each run's results as files."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import pwd
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from flowerexp import storage
from flowerexp.errors import FlowerexpError
from flowerexp.workload import executors, failures, report

Run = Callable[[Any, dict[str, Any]], Iterable[dict[str, Any]]]


def main(run: Run) -> None:
    """Run an entrypoint as the job file says: a script in `spark_entry/` calls this with its `run`.

    A run that fails is recorded as failed, and the next one follows. The process fails only when a run's results
    cannot be written.

    Args:
        run: takes the Spark session and one run's config; returns its rows.
    """
    parser = argparse.ArgumentParser(description=run.__doc__)
    parser.add_argument("--job", required=True, help="URI of job.json")
    job = _read_job(parser.parse_args().job)
    started = time.perf_counter_ns()
    spark = LazySession()
    try:
        facts, run = _ready(run, spark, job.get("requires", {}))
        start_seconds = (time.perf_counter_ns() - started) / 1e9
        for number, one in enumerate(job["runs"]):
            _run_one(run, spark, one, facts, start_seconds if number == 0 else 0.0)
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


def _ready(run: Run, spark: Any, requires: Mapping[str, str]) -> tuple[dict[str, report.Scalar], Run]:
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
        return environment(spark), run
    except FlowerexpError as error:
        refused = error

        def refuse(*_: Any) -> Iterable[dict[str, Any]]:
            raise refused

        return environment(spark), refuse


class LazySession:
    """A SparkSession that is made when something of it is used for the first time.

    A session takes 2 s more to start than the SparkContext alone, and that is all that many entrypoints need.
    """

    def __init__(self) -> None:
        from pyspark import SparkContext

        _lighten_converters()
        _name_user(SparkContext)
        self.sparkContext = SparkContext.getOrCreate()
        self._session: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._session is None:
            from pyspark.sql import SparkSession

            self._session = SparkSession.builder.getOrCreate()
        return getattr(self._session, name)

    def stop(self) -> None:
        """End the Spark application, and with it what this process can do with Spark."""
        # PySpark would wait for the thread that reads the updates of accumulators, which looks up once a second. None
        # come any more, and the thread ends with the process.
        server, self.sparkContext._accumulatorServer = self.sparkContext._accumulatorServer, None
        self.sparkContext.stop()
        if isinstance(server.server_address, str):  # a Unix domain socket, which is a file
            Path(server.server_address).unlink(missing_ok=True)


def _name_user(spark: Any) -> None:
    """Log the user in under a made-up name, if the system knows none, as in many containers: Hadoop's login would fail.

    Args:
        spark: the class SparkContext, whose Java is started by this.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        spark._ensure_initialized()
        users = spark._jvm.org.apache.hadoop.security.UserGroupInformation
        users.setLoginUser(users.createRemoteUser(f"user{os.getuid()}"))


def _lighten_converters() -> None:
    """Let py4j tell whether an argument is one of NumPy's without importing what a driver does not need.

    PySpark 4's converters ask `pyspark.testing.utils` whether there is a NumPy, at the first call into Java: that
    imports pandas, pyarrow and unittest, 60 MB. A value can be NumPy's only if somebody has imported NumPy.
    """
    from py4j import protocol

    def is_scalar(value: Any) -> bool:
        return "numpy" in sys.modules and isinstance(value, sys.modules["numpy"].generic)

    def is_array(value: Any) -> bool:
        return "numpy" in sys.modules and isinstance(value, sys.modules["numpy"].ndarray) and value.ndim == 1

    lighter = {"NumpyScalarConverter": is_scalar, "NumpyArrayConverter": is_array}
    for converter in protocol.INPUT_CONVERTER:
        if type(converter).__name__ in lighter:
            converter.can_convert = lighter[type(converter).__name__]


def _run_one(
    run: Run, spark: Any, one: dict[str, Any], facts: Mapping[str, report.Scalar], start_seconds: float
) -> None:
    """Run one run and write its results; `status.json` comes last, so that it says that the others are whole."""
    told = report.begin(one["run_key"])
    report.state(one["output"], "started")
    told.phases["start"] = start_seconds
    told.facts.update(facts)
    # The launcher takes only results that carry the token of the attempt that it started.
    status: dict[str, Any] = {"run_key": one["run_key"], "token": one.get("token"), "state": "finished", "error": None}
    status.update(where=None, hint=None, blame=None, retry=False, started_at=time.time())
    report.attempt(one["output"], one.get("token"), status["started_at"])
    lines: list[str] = []
    try:
        for row in run(spark, one["config"]):
            lines.append(_line(row))
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


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":")) + "\n"


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


def environment(spark: Any) -> dict[str, report.Scalar]:
    """What a run ran on: versions, host, executors and cores."""
    context = spark.sparkContext
    return {
        "spark": context.version,
        "java": context._jvm.java.lang.System.getProperty("java.version"),
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "spark_master": context.master,
        "application_id": context.applicationId,
        "executors": 1 if executors.in_driver(context) else len(executors.cores(context)),
        "cores": context.defaultParallelism,
    }
