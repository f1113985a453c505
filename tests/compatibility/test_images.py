"""Entrypoints run unchanged on the Spark and Python of Dataproc's images: 3.5 and 3.11 (2.2, 2.3), 4.1 and 3.12 (3.0).

Each is installed once, below `build/`, by pip, as a cluster would have it: that PySpark, and the packages that the
entrypoints declare. A machine without Python 3.12 skips the tests of image 3.0, and says so.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from flowerexp.app import composed
from flowerexp.cluster import environment, spark_submit
from flowerexp.cluster.local.backend import LocalBackend
from flowerexp.cluster.local.config import Local
from flowerexp.cluster.local_nodes.backend import LocalNodesBackend
from flowerexp.cluster.local_nodes.config import LocalNodes
from flowerexp.config import plain
from flowerexp.plan import PlannedRun
from flowerexp.rehearsal.cloud import Cloud
from tests.command import SMALL_GRID, Home
from tests.jobs import SMALL, check_failing, job_files, most_at_once, run_failing, run_job
from tests.workload.engine.losing import run_losing

pytestmark = [pytest.mark.spark, pytest.mark.long]

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
# What pip says when it cannot reach its index; anything else that it says is a failure.
UNREACHABLE = ("No matching distribution", "Connection", "connection", "timed out", "Temporary failure", "HTTP error")


@dataclass(frozen=True)
class Image:
    """What an image has: its PySpark, and its Python; None for the one that runs the tests."""

    pyspark: str
    py4j: str
    python: str | None = None


IMAGES = {"2.3": Image("3.5.9", "0.10.9.7"), "3.0": Image("4.1.2", "0.10.9.9", "3.12")}


def interpreter(version):
    """A Python of a version, on PATH or where pyenv keeps those that are not on it."""
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}*/bin/python{version}"))
    for found in (shutil.which(f"python{version}"), *map(str, pyenv)):
        # A shim of pyenv is there for each version, and fails for those that are not chosen.
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip(f"there is no Python {version} on this machine")


def requirements(image):
    """PySpark; where the Python is another one, also what the entrypoints declare that a cluster has to have."""
    wanted = {f"pyspark=={image.pyspark}", f"py4j=={image.py4j}"}
    for name in ("write_shards", "read_speed") if image.python else ():
        run = PlannedRun("", composed([f"entrypoint={name}"]), Path(), "")
        wanted |= set(run.requires.values())
    return sorted(wanted)


def pip(arguments, wanted):
    """Install; skipped where pip cannot reach its index."""
    command = [*arguments, "install", "--quiet", "--disable-pip-version-check"]
    answer = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
    if answer.returncode:
        if any(sign in answer.stderr for sign in UNREACHABLE):
            pytest.skip(f"pip cannot download {wanted}: {answer.stderr.strip().splitlines()[-1]}")
        pytest.fail(answer.stderr)


def install(image, folder):
    """Install aside, then rename: a folder of that name is whole."""
    aside = Path(tempfile.mkdtemp(dir=BUILD))
    try:
        if image.python is None:
            pip([sys.executable, "-m", "pip"], ["--no-deps", "--target", str(aside), *requirements(image)])
        else:
            subprocess.run([interpreter(image.python), "-m", "venv", aside], check=True)
            pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("py")]
            (aside / "constraints.txt").write_text("\n".join(pins))
            limits = ["--constraint", str(aside / "constraints.txt")]
            pip([aside / "bin" / "python", "-m", "pip"], [*limits, *requirements(image)])
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@pytest.fixture(scope="module", params=IMAGES)
def image(request):
    """The image, the folder of its PySpark, its Python, and what its PYTHONPATH is."""
    made = IMAGES[request.param]
    version = made.python or f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256("\n".join(requirements(made)).encode()).hexdigest()[:12]
    folder = BUILD / f"pyspark-{made.pyspark}-py{version}-{key}"
    BUILD.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            install(made, folder)
    if made.python is None:
        return SimpleNamespace(image=made, spark=folder / "pyspark", python=sys.executable, path=str(folder))
    packages = folder / "lib" / f"python{made.python}" / "site-packages"
    return SimpleNamespace(image=made, spark=packages / "pyspark", python=str(folder / "bin" / "python"), path=None)


@pytest.fixture
def pinned(image, monkeypatch):
    """Jobs are submitted by the image's own `spark-submit`, and run by its Python; gives its PySpark's version."""
    monkeypatch.setattr(spark_submit, "spark_home", lambda: image.spark)
    monkeypatch.setattr(spark_submit, "sys", SimpleNamespace(executable=image.python))
    monkeypatch.setattr(environment, "_brings_pyspark", lambda _: False)  # here it is the job's own
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if image.path:
        monkeypatch.setenv("PYTHONPATH", image.path)
    return image


@pytest.fixture
def made(config, photos):
    return plain(config("dataset=folder", f"dataset.path={photos}", *SMALL))


def finished(ended, image):
    """The facts of a job's only run, which has to have finished."""
    assert ended.code == 0, "\n".join(ended.printed)
    assert ended.status()["error"] is None
    assert ended.status()["facts"]["spark"] == image.image.pyspark
    assert ended.status()["facts"]["python"].startswith(image.image.python or "3.")
    return ended.status()["facts"]


def test_write_shards(pinned, made, tmp_path):
    cluster = LocalBackend(Local(kind="local", cores=2, memory="512m"))
    ended = run_job(cluster, job_files(tmp_path / "job", "spark_entry/write_shards.py", [made]))
    assert finished(ended, pinned)["prepared_images"] == 40
    assert sum(row["images"] for row in ended.rows()) == 40


def test_read_speed(pinned, made, tmp_path):
    """On executors of their own, with the resource profile that keeps measurements apart."""
    config = LocalNodes(kind="local_nodes", nodes=1, cores=2, executor_memory="512m", memory="512m")
    cluster = LocalNodesBackend(config)
    requires = {"tensorflow": "tensorflow", "google_crc32c": "google-crc32c"}
    ended = run_job(cluster, job_files(tmp_path / "job", "spark_entry/read_speed.py", [made], requires))
    facts = finished(ended, pinned)
    assert (facts["executors"], facts["cores"], facts["measurements"]) == (1, 2, 16)
    assert {row["reader"] for row in ended.rows()} == {"image_files", "tfrecords"}
    assert all(row["images"] == row["batch_size"] * row["batch_number"] for row in ended.rows())
    assert most_at_once(ended.rows()) == 1
    assert len(ended.events("ResourceProfileAdded")) == 2  # Spark's own, and ours


def test_aggregate(pinned, config, tmp_path):
    """In the driver, with caching and Spark's own numbers."""
    small = ("grid.rows=[1000]", "grid.shuffle_partitions=[2]", "measure.repetitions=1", "measure.warm_up_seconds=0")
    made = plain(config("entrypoint=aggregate", "measure.storage_level=DISK_ONLY", *small))
    cluster = LocalBackend(Local(kind="local", cores=2, memory="512m"))
    ended = run_job(cluster, job_files(tmp_path / "job", "spark_entry/aggregate.py", [made]))
    assert finished(ended, pinned)["cached_disk_bytes"] > 0
    assert ended.status()["notes"] == []
    assert len(ended.rows()) == 4
    assert all(row["spark_tasks"] >= 2 and row["shuffle_read_bytes"] > 0 for row in ended.rows())


def test_failing_tasks(pinned, tmp_path):
    """What a task raised comes to the user the same way, and a killed worker is told apart."""
    check_failing(run_failing(LocalBackend(Local(kind="local", cores=1, memory="512m")), tmp_path))


def test_an_executor_that_is_killed_is_noticed(pinned, tmp_path):
    """What was measured meanwhile is measured again."""
    ended = run_losing(tmp_path, "driver", caching=True)
    assert finished(ended, pinned)["measurements_discarded"] >= 1
    assert len({(row["size"], row["repetition"]) for row in ended.rows()}) == 6
    assert any(row.get("discarded") for row in ended.rows())


@pytest.mark.parametrize("image", ["3.0"], indirect=True)
def test_a_sweep_in_the_cloud(image, tmp_path, monkeypatch):
    """From the launcher to MLflow, with nodes that have the image's Spark and Python."""
    monkeypatch.setenv("FAKE_NODE_PYTHON", image.python)
    with Cloud(tmp_path / "servers") as cloud:
        home = Home(tmp_path, {**cloud.environment, "GOOGLE_CLOUD_PROJECT": cloud.project})
        place = ("cluster=single_node", "cluster.image_version=3.0-debian13", "cluster.packages=image")
        answer = home("-m", *place, "caching=true,false", "dataset.images=60", "preprocess.shards=2", *SMALL_GRID)
        assert answer.code == 0, answer.err
        records = [json.loads((folder / "run.json").read_bytes()) for folder in tmp_path.glob("outputs/*/*/[0-9]")]
        assert [record["facts"]["spark"] for record in records] == [image.image.pyspark] * 2
        assert {record["facts"]["python"].rpartition(".")[0] for record in records} == {image.image.python}
        assert (cloud.counts().created, cloud.counts().leaked) == (1, 0)
