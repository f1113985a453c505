"""Submit real jobs to a backend, as the launcher does, and read what they leave behind."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowerexp.cluster import JobFiles
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.job.follow import follow

SMALL = (
    *("preprocess.target_size=[16,24]", "preprocess.shards=3", "entrypoint.settings.page_cache=as_found"),
    *("grid.batch_size=[2,3]", "grid.batch_number=[1,2]", "measure.repetitions=2"),
)

HEADER = "from flowerexp.workload import main\n"


@dataclass(frozen=True)
class Ended:
    """A job that has ended: its exit code, its folder, and the runs' results."""

    code: int
    folder: Path
    printed: Sequence[str]

    def status(self, number: int = 0) -> dict[str, Any]:
        status: dict[str, Any] = json.loads((self.folder / "results" / str(number) / "status.json").read_bytes())
        return status

    def rows(self, number: int = 0) -> list[dict[str, Any]]:
        lines = (self.folder / "results" / str(number) / "measurements.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind in Spark's event log."""
        (log,) = (self.folder / "events").iterdir()
        events = map(json.loads, log.read_text().splitlines())
        return [event for event in events if event["Event"] == f"SparkListener{kind}"]


def job_files(
    folder: Path, script: str | Path, configs: Sequence[Mapping[str, Any]], requires: Mapping[str, str] | None = None
) -> JobFiles:
    """Write what is submitted: a run for each config."""
    folder.mkdir(parents=True)
    bundle = Bundle(find_script(str(script)))
    runs = [
        {"run_key": f"key{number}", "config": config, "output": str(folder / "results" / str(number))}
        for number, config in enumerate(configs)
    ]
    (folder / "job.json").write_text(json.dumps({"requires": dict(requires or {}), "runs": runs}))
    return JobFiles(folder, bundle.script, bundle.write(folder), folder / "job.json")


def run_job(backend: Any, files: JobFiles) -> Ended:
    """Submit a job, and follow it to its end; nothing of it is left running."""
    submission = backend.submit(files)
    printed: list[str] = []
    try:
        code, _ = follow(submission, lambda message: None, printed.append)
    finally:
        submission.stop()
    return Ended(code, files.folder, printed)


def most_at_once(rows: Sequence[Mapping[str, Any]]) -> int:
    """How many measurements of one host were under way at once, those that waited for a slot included."""
    marks = []
    for row in rows:
        marks += [(row["started_ns"] - row["waited_seconds"] * 1e9, 1), (row["ended_ns"], -1)]
    return max(itertools.accumulate(change for _, change in sorted(marks)))


FAILING = '''
"""Tasks that fail, one way a run."""
import os
import signal

from flowerexp.errors import DataError
from flowerexp.workload import report
from flowerexp.workload import main


def work(how):
    if how == "refuse":
        raise DataError("not one", where="dataset.path", hint="mend it")
    if how == "divide":
        return 1 // 0
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return how


def run(spark, config):
    """Measures nothing."""
    with report.phase("measure"):
        yield {"how": spark.sparkContext.parallelize([config["how"]], 1).map(work).collect()[0]}


main(run)
'''
"""The script of an entrypoint whose tasks fail as `how` says."""

FAILURES = {
    "refuse": ("DataError", "not one", "dataset.path", "mend it", "run", False),
    "divide": (
        "JobError",
        "ZeroDivisionError: integer division or modulo by zero (failing.py, line 15, in work)",
        None,
        None,
        "run",
        False,
    ),
    "kill": (
        "MachineError",
        "a Python worker was killed while measuring (out of memory?)",
        None,
        "give it more memory, or run less beside it; flowerexp resume repeats a sweep's run",
        "machine",
        True,
    ),
}
"""What the status of each says: class, error, where, hint, blame and retry."""


def run_failing(backend: Any, folder: Path) -> Ended:
    """Run a job of `FAILING`, a run for each way to fail, and one that is fine."""
    script = folder / "failing.py"
    script.write_text(FAILING)
    return run_job(backend, job_files(folder / "job", script, [{"how": how} for how in (*FAILURES, "fine")]))


def check_failing(ended: Ended) -> None:
    """Each run of such a job failed as it should have, and the last one finished."""
    for number, expected in enumerate(FAILURES.values()):
        status = ended.status(number)
        keys = ("class", "error", "where", "hint", "blame", "retry")
        assert tuple(status[key] for key in keys) == expected
    assert ended.status(len(FAILURES))["state"] == "finished"
