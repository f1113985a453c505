"""What many tests share: a small data set, a real Spark session, and configs as the real command composes them."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import absl.logging
import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from flowerexp.cluster import java, spark_submit
from flowerexp.cluster.local import archive
from flowerexp.tracking import client as tracking_client
from flowerexp.workload.images import synthetic
from tests import database
from tests.buckets import StorageServer
from tests.composing import composed

if "PYTEST_XDIST_WORKER" in os.environ:
    # Measurements of one host wait for each other's slots, which lie in the temporary folder: workers have one each.
    os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix=f"flowerexp-{os.environ['PYTEST_XDIST_WORKER']}-")
    atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)

os.environ.pop("COLUMNS", None)  # pytest's workers have it, and tables would be folded to fit

# The workers share the cores: more threads for numpy's small matrices would only wait for each other, and use them up.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A shell's background process ignores Ctrl-C, and so would the processes that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# TensorFlow logs through a handler that closes its stream when logging is configured anew: pytest's own, of some test.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__

# A submission is not judged by luck: where CI runs, examples are the same each time; elsewhere they are new ones.
hypothesis.settings.register_profile("busy machine", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("busy machine")

PHOTOGRAPHS_EACH = 8
CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")

Compose = Callable[..., Any]
"""Makes a config; what kind of cluster and data it has, each test knows."""


TOGETHER = (
    ("tests/workload/", "tests/spark_entry/", "tests/test_index.py", "tests/cluster/local/test_archive.py"),
    ("tests/tracking/", "tests/test_secrets.py", "tests/orchestrate/test_logger.py"),
)
"""What one worker runs; each other one would start a Spark, whose Python workers import TensorFlow, or an MLflow."""


class Together(LoadFileScheduling):  # type: ignore[misc]
    """Give a file's tests to one worker, and files that share what takes long to start to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return next((places[0] for places in TOGETHER if file.startswith(places)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    """What `--dist loadfile` does here."""
    return Together(config, log) if config.getvalue("dist") == "loadfile" else None


SLOW_FIXTURES = {"cloud_servers", "local_store", "mlflow_server", "spark_session", "storage_server"}
"""What takes seconds to start, and every test that uses it is marked `slow`."""


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and let it begin: none is to start when other workers have nothing left to do."""
    slowest: Counter[Path] = Counter()
    for item in items:
        if item.get_closest_marker("spark") or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
        if not item.get_closest_marker("long"):
            marks = (("spark", 2), ("slow", 1))
            slowest[item.path] = max(slowest[item.path], *(n for name, n in marks if item.get_closest_marker(name)), 0)
    items.sort(key=lambda item: (not item.nodeid.startswith(TOGETHER[0]), -slowest[item.path]))


def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end, and Python's collector need not look at it again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Hydra lets the root logger write to the captured stream, which pytest closes after the test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def _databases_are_copied() -> Iterator[None]:
    """MLflow's databases are copied where this process would make one: that takes a second or more for each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking_client, "_make", lambda store, path: database.copy_to(path))
        yield


@pytest.fixture
def config(tmp_path: Path) -> Compose:
    """`config("grid=wide", ...)` is a run's checked config; its home is the test's own folder."""
    return lambda *overrides: composed([f"home={tmp_path}", *overrides])


@pytest.fixture
def blank_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have nothing on them: drawing takes longer than all else that is done with a run's results."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    monkeypatch.setattr(Figure, "draw", lambda drawn, renderer: None)
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda engine, drawn: None)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of five classes with eight photographs each; to be read only."""
    folder = tmp_path_factory.mktemp("photos")
    index, missing = 0, dict.fromkeys(CLASSES, PHOTOGRAPHS_EACH)
    while any(missing.values()):
        relative, content = synthetic.photograph(index, seed=0)
        name = relative.partition("/")[0]
        if missing[name]:
            (folder / name).mkdir(exist_ok=True)
            (folder / relative).write_bytes(content)
            missing[name] -= 1
        index += 1
    return folder


@pytest.fixture(scope="session")
def storage_server() -> Iterator[StorageServer]:
    """Cloud Storage, for all tests that want it."""
    server = StorageServer()
    yield server
    server.stop()


@pytest.fixture
def bucket(storage_server: StorageServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of the test's own, by its URI; everything here that reads and writes gs:// finds it."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_server.host)
    storage_server.faults.clear()
    storage_server.seen.clear()
    return storage_server.make_bucket(f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def spark_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real Spark session on two cores; stopped when the tests end."""
    from pyspark.sql import SparkSession

    patch = pytest.MonkeyPatch()
    patch.setenv("JAVA_HOME", str(java.find().home))
    for variable in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        patch.setenv(variable, sys.executable)
    for variable in ("SPARK_HOME", "SPARK_CONF_DIR"):
        patch.delenv(variable, raising=False)
    patch.setenv("CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    patch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    settings = {
        **spark_submit.MEASURING,
        **spark_submit.LOOPBACK,
        "spark.driver.extraJavaOptions": f"{spark_submit.LEAN_JVM} {archive.options()}".rstrip(),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
    }
    session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    yield session
    session.stop()
    patch.undo()


@pytest.fixture
def spark(spark_session: Any) -> Iterator[Any]:
    """The Spark session of all tests; what a test leaves cached is uncached, so that the next one does not count it."""
    from flowerexp.workload.engine import caching

    yield spark_session
    caching.clear(spark_session)
