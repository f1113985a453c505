"""Entrypoints run unchanged on the Spark of Dataproc's images 2.2 and 2.3: PySpark 3.5 with Python 3.11.

That PySpark is installed once, below `build/`, by pip; everything else comes from the environment of the tests.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from flowerexp.cluster import environment, spark_submit
from flowerexp.cluster.local.backend import LocalBackend
from flowerexp.cluster.local.config import Local
from flowerexp.cluster.local_nodes.backend import LocalNodesBackend
from flowerexp.cluster.local_nodes.config import LocalNodes
from flowerexp.config import plain
from tests.jobs import SMALL, check_failing, job_files, most_at_once, run_failing, run_job

pytestmark = [pytest.mark.spark, pytest.mark.long]

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
BUILD = Path(__file__).parents[2] / "build"
PINNED = dict(line.split("==") for line in CONSTRAINTS.read_text().splitlines() if "==" in line)
# What pip says when it cannot reach its index; anything else that it says is a failure.
UNREACHABLE = ("No matching distribution", "Connection", "connection", "timed out", "Temporary failure", "HTTP error")


@pytest.fixture(scope="module")
def installed():
    """The folder that has PySpark 3.5 and what it needs, and nothing else."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()[:12]
    folder = BUILD / f"pyspark-3.5-py{version}-{key}"
    BUILD.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            install(folder)
    return folder


def install(folder):
    """Install aside, then rename: a folder of that name is whole."""
    aside = tempfile.mkdtemp(dir=BUILD)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    answer = subprocess.run(
        [*command, "--target", aside, "--requirement", str(CONSTRAINTS)], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        shutil.rmtree(aside)
        if any(sign in answer.stderr for sign in UNREACHABLE):
            pytest.skip(f"pip cannot download {PINNED}: {answer.stderr.strip().splitlines()[-1]}")
        pytest.fail(answer.stderr)
    Path(aside).rename(folder)


@pytest.fixture
def old_spark(installed, monkeypatch):
    """Jobs are submitted by the `spark-submit` of PySpark 3.5, and its modules come before all others."""
    monkeypatch.setattr(spark_submit, "spark_home", lambda: installed / "pyspark")
    monkeypatch.setattr(environment, "_brings_pyspark", lambda _: False)  # here it is the job's own
    monkeypatch.setenv("PYTHONPATH", str(installed))


@pytest.fixture
def made(config, photos):
    return plain(config("dataset=folder", f"dataset.path={photos}", *SMALL))


def finished(ended):
    """The facts of a job's only run, which has to have finished."""
    assert ended.code == 0, "\n".join(ended.printed)
    assert ended.status()["error"] is None
    assert ended.status()["facts"]["spark"] == PINNED["pyspark"]
    return ended.status()["facts"]


def test_write_tfrecords(old_spark, made, tmp_path):
    cluster = LocalBackend(Local(kind="local", cores=2, memory="512m"))
    ended = run_job(cluster, job_files(tmp_path / "job", "spark_entry/write_tfrecords.py", [made]))
    assert finished(ended)["prepared_images"] == 40
    assert sum(row["images"] for row in ended.rows()) == 40


def test_read_speed(old_spark, made, tmp_path):
    """On executors of their own, with the resource profile that keeps measurements apart."""
    config = LocalNodes(kind="local_nodes", nodes=1, cores=2, executor_memory="512m", memory="512m")
    cluster = LocalNodesBackend(config)
    requires = {"tensorflow": "tensorflow", "google_crc32c": "google-crc32c"}
    ended = run_job(cluster, job_files(tmp_path / "job", "spark_entry/read_speed.py", [made], requires))
    facts = finished(ended)
    assert (facts["executors"], facts["cores"], facts["measurements"]) == (1, 2, 16)
    assert {row["reader"] for row in ended.rows()} == {"image_files", "tfrecords"}
    assert all(row["images"] == row["batch_size"] * row["batch_number"] for row in ended.rows())
    assert most_at_once(ended.rows()) == 1
    assert len(ended.events("ResourceProfileAdded")) == 2  # Spark's own, and ours


def test_aggregate(old_spark, config, tmp_path):
    """In the driver, with caching and Spark's own numbers."""
    small = ("grid.rows=[1000]", "grid.shuffle_partitions=[2]", "measure.repetitions=1", "measure.warm_up_seconds=0")
    made = plain(config("entrypoint=aggregate", "measure.storage_level=DISK_ONLY", *small))
    cluster = LocalBackend(Local(kind="local", cores=2, memory="512m"))
    ended = run_job(cluster, job_files(tmp_path / "job", "spark_entry/aggregate.py", [made]))
    assert finished(ended)["cached_disk_bytes"] > 0
    assert ended.status()["notes"] == []
    assert len(ended.rows()) == 4
    assert all(row["spark_tasks"] >= 2 and row["shuffle_read_bytes"] > 0 for row in ended.rows())


def test_failing_tasks(old_spark, tmp_path):
    """What a task raised comes to the user the same way, and a killed worker is told apart."""
    check_failing(run_failing(LocalBackend(Local(kind="local", cores=1, memory="512m")), tmp_path))
