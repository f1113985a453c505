"""A run that loses an executor while it measures."""

from __future__ import annotations

from pathlib import Path

from flowerexp.cluster.local_nodes.backend import LocalNodesBackend
from flowerexp.cluster.local_nodes.config import LocalNodes
from tests.jobs import Ended, job_files, run_job
from tests.workload.engine.tiny import config

SCRIPT = '''
import os
import signal
import time
from pathlib import Path

import psutil

from flowerexp.workload import main


def prepare(spark, config):
    if config["entrypoint"]["where"] == "executor":
        return {"mark": config["mark"]}
    numbers = spark.sparkContext.parallelize(range(40), 2).map(lambda number: (time.sleep(0.01), number)[1])
    return {"mark": config["mark"], "numbers": numbers}


def kill_once(mark):
    """Kill the executor that this is a worker of, if none was killed so far."""
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return 1
    executor = next(one for one in psutil.Process().parents() if one.name() == "java")
    os.kill(executor.pid, signal.SIGKILL)
    time.sleep(60)


def measure(prepared, cell):
    mark, doomed = prepared["mark"], cell["size"] == 2 and cell.repetition == 2
    if "numbers" not in prepared:
        time.sleep(0.3)
        return kill_once(mark) if doomed else 1
    if doomed:
        prepared["numbers"].map(lambda _: kill_once(mark)).count()
    return prepared["numbers"].count()


main(measure, prepare)
'''
"""Sums numbers with a task on each executor; one measurement kills an executor, once."""


def run_losing(folder: Path, where: str, *, caching: bool) -> Ended:
    """Run the script on two executors of their own: sizes 1 to 3, twice each; one of them is killed."""
    (folder / "script.py").write_text(SCRIPT)
    made = {**config({"size": [1, 2, 3]}, where, repetitions=2, caching=caching), "mark": str(folder / "killed")}
    cluster = LocalNodes(kind="local_nodes", nodes=2, cores=1, executor_memory="512m", memory="512m")
    ended = run_job(LocalNodesBackend(cluster), job_files(folder / "job", folder / "script.py", [made]))
    assert (folder / "killed").exists(), ended.printed
    return ended
