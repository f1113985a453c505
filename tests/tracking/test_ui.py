"""MLflow's own pages on our store: that they come up, and that nothing stays behind."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest

from flowerexp.errors import MachineError, TrackingError
from flowerexp.tracking import Store, default_store, log_run, serve
from flowerexp.tracking.ui import _signals_raised, _start, _Stopped
from tests.tracking import is_up, wait_for, write_run

pytest_plugins = ["tests.tracking"]

SERVE = "import sys, pathlib, flowerexp.tracking as t; sys.exit(t.serve(t.Store(sys.argv[1]), port=int(sys.argv[2])))"


@contextmanager
def serving(store: Store, port: int) -> Iterator[subprocess.Popen[str]]:
    """``serve`` in a process of its own, killed with all its descendants if the test leaves any."""
    command = [sys.executable, "-c", SERVE, store.uri, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        for number in (process.pid, *descendants(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()
        assert process.stdout
        process.stdout.close()


def descendants(number: int) -> list[int]:
    """The processes below a process, by their ids."""
    listed = Path(f"/proc/{number}/task/{number}/children")
    below = [int(child) for child in listed.read_text().split()] if listed.exists() else []
    return below + [each for child in below for each in descendants(child)]


def is_running(number: int) -> bool:
    """Whether a process exists and is no zombie."""
    status = Path(f"/proc/{number}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_database_s_password_is_in_no_list_of_processes(monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, env, **_: started.append((command, env)))
    _start(Store("postgresql://me:hunter2@db/mlflow"), "127.0.0.1", 5000)
    ((command, environment),) = started
    assert "hunter2" not in " ".join(command)
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://me:hunter2@db/mlflow"


def test_real_pages_until_ctrl_c(tmp_path, local_store, free_port):
    run_id = log_run(write_run(tmp_path / "run", local_store))
    with serving(local_store, free_port) as process:
        assert process.stdout
        assert process.stdout.readline() == f"MLflow is at http://127.0.0.1:{free_port} (Ctrl-C ends it)\n"
        status, page = get(free_port, "/")
        assert (status, b"<title>MLflow</title>" in page) == (200, True)
        assert run_id.encode() in get(free_port, f"/api/2.0/mlflow/runs/get?run_id={run_id}")[1]
        wanted = urlencode({"run_id": run_id, "path": "job/driver.log"})
        assert get(free_port, f"/get-artifact?{wanted}") == (200, b"Spark said so\n")
        below = descendants(process.pid)
        assert 1 <= len(below) <= 3
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert not is_up(free_port)
        assert [number for number in below if is_running(number)] == []


def test_nothing_stays_when_it_is_ended_as_soon_as_it_has_a_child(tmp_path, local_store, free_port):
    log_run(write_run(tmp_path / "run", local_store))
    with serving(local_store, free_port) as process:
        wait_for(lambda: bool(descendants(process.pid)))
        below = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(30) == 128 + signal.SIGTERM
            assert [number for number in below if is_running(number)] == []
        finally:
            for number in filter(is_running, below):  # orphans are below nobody that we could ask
                os.killpg(number, signal.SIGKILL)


def test_a_signal_while_the_child_is_being_started_is_not_lost():
    with _signals_raised() as raise_now:
        os.kill(os.getpid(), signal.SIGTERM)  # would end these tests at once
        with pytest.raises(_Stopped):
            raise_now()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_taken_port_is_one_line_before_anything_starts(local_store, monkeypatch, tmp_path):
    log_run(write_run(tmp_path / "run", local_store))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MachineError) as found:
            serve(local_store, port=port)
    assert str(found.value) == f"--port: port {port} is taken; choose another one: --port N"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 5000)])
def test_a_port_that_cannot_be_used_is_one_line(local_store, tmp_path, host, port):
    log_run(write_run(tmp_path / "run", local_store))
    with pytest.raises(MachineError, match=f"port {port} cannot be used on {host}"):
        serve(local_store, host, port)


def test_without_a_store_there_is_nothing_to_show(tmp_path):
    with pytest.raises(TrackingError, match="no runs yet") as found:
        serve(default_store(tmp_path))
    assert found.value.hint == "run an experiment first: flowerexp"
    assert not (tmp_path / "mlruns").exists()


def test_a_server_shows_its_own_pages(capsys):
    assert serve(Store("http://me:secret@host:5000")) == 0
    assert capsys.readouterr().out == "an MLflow server keeps these runs: open http://host:5000\n"


def test_mlflow_that_does_not_start_is_said(tmp_path, free_port):
    (tmp_path / "mlflow.db").write_text("this is no database, and MLflow says so at length\n" * 100)
    with pytest.raises(TrackingError, match="MLflow's server ended with exit code 1"):
        serve(Store(f"sqlite:///{tmp_path}/mlflow.db"), port=free_port)
