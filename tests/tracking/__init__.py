"""Fixtures for the tracking tests, which name this module in ``pytest_plugins``: a store, a server, a run's folder.

PYTEST_DONT_REWRITE: a package is imported before it is named a plugin, of which pytest would warn.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowerexp.analysis.summary import summarise
from flowerexp.measurements.written import write as write_measurements
from flowerexp.tracking import Store, default_store
from tests import database
from tests.analysis.rows import table

START_SECONDS = 90.0  # for MLflow to come up on a busy machine

EXPERIMENT: dict[str, Any] = {
    "name": "read_speed",
    "question": "How fast can images be read?",
    "script": "spark_entry/read_speed.py",
    "where": "executor",
    "unit": "images",
    "parameters": {"reader": {"type": "text"}, "batch_size": {"type": "int"}, "batch_number": {"type": "int"}},
    "products": [["batch_size", "batch_number"]],
    "parts": {
        "name": "batch",
        "count": "batches",
        "planned": "batch_number",
        "first_count": "first_batch_images",
        "first_seconds": "first_batch_seconds",
    },
    "uses": ["dataset"],
    "settings": {"page_cache": "warm"},
    "limits": {"page_cache": {"type": "text"}},
}

CONFIG: dict[str, Any] = {
    "cluster": {"kind": "local", "cores": None, "memory": "1g", "spark": {}},
    "dataset": {"kind": "folder", "path": "/photographs", "classes": ["daisy", "rosé"], "on_error": "fail"},
    "grid": {"reader": ["image_files", "tfrecords"], "batch_size": [2, 4], "batch_number": [3]},
    "measure": {"repetitions": 2},
    "entrypoint": EXPERIMENT,
    "storage": {"generated": "/home/me/data/generated", "prepared": "/home/me/data/prepared"},
    "tracking": {"uri": "sqlite:////home/me/mlruns/mlflow.db", "artifacts": None, "experiment": "flowerexp"},
    "caching": False,
    "home": "/home/me",
}


def measurements() -> list[dict[str, Any]]:
    """Two readers, two batch sizes, two repetitions; 100 and 200 images a second."""
    return [
        {
            "reader": reader,
            "batch_size": batch_size,
            "batch_number": 3,
            "repetition": repetition,
            "execution": 1,
            "images": batch_size * 3,
            "seconds": batch_size * 3 / rate,
            "first_batch_seconds": 0.5,
            "first_batch_images": batch_size,
            "host": "worker",
        }
        for reader, rate in (("image_files", 100), ("tfrecords", 200))
        for batch_size in (2, 4)
        for repetition in (1, 2)
    ]


def record(store: Store, **changes: Any) -> dict[str, Any]:
    """What ``run.json`` holds."""
    return {
        "run_key": "a1b2c3",
        "name": "read_speed caching=false · local",
        "entrypoint": "read_speed",
        "config": CONFIG,
        "started_at": 1_700_000_000.25,
        "ended_at": 1_700_000_042.5,
        "state": "finished",
        "error": None,
        "sweep_id": "s-1",
        "tracking": {"uri": store.uri, "artifacts": store.artifacts, "experiment": store.experiment},
        "facts": {
            "code_hash": "c0de",
            "git_commit": "52a38cb",
            "git_dirty": True,
            "spark": "4.3.0",
            "executors": 1,
            "cores": 2,
            "images": 736,
            "bytes": 46_000_000,
            "data_fingerprint": "da7a",
            "skipped": 3,
            "prepared_reused": False,
        },
        "phases": {"list": 0.5, "prepare": 12.5, "measure": 20.0},
        "verdict": {"state": "suspect", "reasons": ["one", "two"]},
        **changes,
    }


def write_run(folder: Path, store: Store, **changes: Any) -> Path:
    """The folder of a finished run, as the rest of flowerexp leaves it."""
    for name in ("results", "job/events", "analysis", ".hydra"):
        (folder / name).mkdir(parents=True)
    rows = measurements()
    (folder / "run.json").write_text(json.dumps(record(store, **changes)))
    (folder / "results/measurements.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "results/status.json").write_text('{"state": "finished"}')
    write_measurements(table(rows), folder / "analysis/measurements.parquet")
    (folder / "analysis/summary.json").write_text(json.dumps(summarise(table(rows)).plain()))
    (folder / "analysis/regression.json").write_text("[]")
    (folder / "analysis/tfrecords_batch_size.png").write_bytes(b"\x89PNG")
    (folder / "analysis/.half.png.partial").write_bytes(b"\x89P")
    (folder / "job/driver.log").write_text("Spark said so\n")
    (folder / "job/events/local-1700000000").write_text("{}\n")
    (folder / "job/job.json").write_text('{"password": "secret"}')
    (folder / "job/flowerexp-c0de.zip").write_bytes(b"PK")
    (folder / ".hydra/config.yaml").write_text("password: secret\n")
    return folder


class Server:
    """A real ``mlflow server``, in a process group of its own so that all of it can be killed by id."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        self.store = Store(f"http://127.0.0.1:{port}")
        database.copy_to(home / "server.db")
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.home}/server.db"]
        command += ["--artifacts-destination", str(self.home / "artifacts")]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.home, env=environment, start_new_session=True
            )
        wait_for(lambda: is_up(self.port), lambda: self.process.poll() is not None)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        wait_for(lambda: not is_up(self.port))


def is_up(port: int) -> bool:
    """Whether an MLflow server answers on loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_for(happened: Callable[[], bool], hopeless: Callable[[], bool] = lambda: False) -> None:
    """Poll until something has happened; fail when it cannot happen any more, or at the deadline."""
    deadline = time.monotonic() + START_SECONDS
    while not happened():
        assert not hopeless(), "it ended before that"
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def unused_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    return unused_port()


@pytest.fixture(scope="session")
def local_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A database that the first test to log makes, and the others use: making one takes seconds."""
    return default_store(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), unused_port())
    try:
        yield server
    finally:
        server.kill()
