"""MLflow's own pages on our store: that they come up, and that nothing stays behind."""

from __future__ import annotations

import http.client
import io
import os
import signal
import socket
import subprocess
import sys
import uuid
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from flowerexp.commands import ui as command
from flowerexp.errors import ConfigError, MachineError, TrackingError
from flowerexp.tracking import Store, default_store, ensure, log_run, serve, ui
from flowerexp.tracking.browsing import open_page
from flowerexp.tracking.client import connect
from flowerexp.tracking.landing import landing
from flowerexp.tracking.ui import _signals_raised, _start, _Stopped
from tests.tracking import is_up, wait_for, write_run

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow

SERVE = """
import sys, flowerexp.tracking as t
sys.exit(t.serve(t.Store(sys.argv[1]), port=int(sys.argv[2]), page="/#/experiments/1/runs", browse=True))
"""


@contextmanager
def serving(store: Store, port: int, browser: str = "true") -> Iterator[subprocess.Popen[str]]:
    """``serve`` in a process of its own, killed with all its descendants if the test leaves any."""
    command = [sys.executable, "-c", SERVE, store.uri, str(port)]
    environment = {**os.environ, "BROWSER": browser}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        for number in (process.pid, *descendants(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()
        for stream in filter(None, (process.stdout, process.stderr)):
            stream.close()


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
    _start(Store("postgresql://me:hunter2@db/mlflow"), "127.0.0.1", 5000, io.BytesIO())
    ((command, environment),) = started
    assert "hunter2" not in " ".join(command)
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://me:hunter2@db/mlflow"


def test_real_pages_until_ctrl_c(tmp_path, local_store, free_port):
    run_id = log_run(write_run(tmp_path / "run", local_store))
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o755)
    with serving(local_store, free_port, str(browser)) as process:
        assert process.stdout
        assert process.stderr
        address = f"http://127.0.0.1:{free_port}/#/experiments/1/runs"
        assert process.stdout.readline() == f"MLflow is at {address} (Ctrl-C ends it)\n"
        wait_for(opened.exists)
        assert opened.read_text() == f"{address}\n"
        status, page = get(free_port, "/")
        assert (status, b"<title>MLflow</title>" in page) == (200, True)
        assert run_id.encode() in get(free_port, f"/api/2.0/mlflow/runs/get?run_id={run_id}")[1]
        wanted = urlencode({"run_id": run_id, "path": "job/driver.log"})
        assert get(free_port, f"/get-artifact?{wanted}") == (200, b"Spark said so\n")
        below = descendants(process.pid)
        assert 1 <= len(below) <= 3
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""  # MLflow's server warns of what it thinks of how it is run
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


def test_without_a_port_chosen_a_taken_one_is_none(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(ui, "PORT", taken.getsockname()[1])
        assert ui._free_port("127.0.0.1", None) not in (0, ui.PORT)
    assert ui._free_port("127.0.0.1", None) == ui.PORT


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
    assert serve(Store("http://me:secret@host:5000/"), page="/#/experiments/1/runs") == 0
    shown = capsys.readouterr().out
    assert shown == "an MLflow server keeps these runs: open http://host:5000/#/experiments/1/runs\n"


def test_mlflow_that_does_not_start_is_said(tmp_path, free_port, capsys):
    (tmp_path / "mlflow.db").write_text("this is no database, and MLflow says so at length\n" * 100)
    with pytest.raises(TrackingError, match="MLflow's server ended with exit code 1"):
        serve(Store(f"sqlite:///{tmp_path}/mlflow.db"), port=free_port)
    assert "file is not a database" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "shows"),
    [({}, False), ({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "wayland-0"}, True), ({"BROWSER": "code"}, True)],
)
def test_a_browser_is_opened_where_it_can_show_something(monkeypatch, variables, shows):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    open_page("http://127.0.0.1:5000")
    assert opened == ["http://127.0.0.1:5000"] * shows


class TestLanding:
    @pytest.fixture
    def store(self, local_store):
        store = Store(local_store.uri, local_store.artifacts, f"landing {uuid.uuid4().hex}")
        ensure(store)
        return store

    def add_sweep(self, store, sweep_id, at):
        tags = {"sweep_id": sweep_id, "flowerexp.kind": "sweep"}
        connect(store).create_run(ensure(store), at, tags)

    def test_without_a_sweep_all_runs_are_shown(self, store):
        assert landing(store) == f"/#/experiments/{ensure(store)}/runs?workflowType=machine_learning"

    def test_the_newest_sweep_is_shown_or_the_one_that_is_named(self, store):
        old, new = f"2026-11-25-{ensure(store)}-aa11", f"2026-11-26-{ensure(store)}-bb22"
        self.add_sweep(store, new, 2000)
        self.add_sweep(store, old, 1000)
        assert landing(store).endswith(f"viewStateShareKey={new}")
        assert landing(store, old).endswith(f"viewStateShareKey={old}")
        with pytest.raises(TrackingError, match="sweep nothing is not in"):
            landing(store, "nothing")

    def test_the_command_hands_over_what_was_asked(self, store, monkeypatch):
        asked: list[tuple[Any, ...]] = []

        def serve(*given: Any) -> int:
            asked.append(given)
            return 0

        monkeypatch.setattr(command, "serve", serve)
        self.add_sweep(store, f"s-{ensure(store)}", 1000)
        where = [f"tracking.uri={store.uri}", f"tracking.experiment='{store.experiment}'"]
        assert command.main([f"s-{ensure(store)}", "--no-browser", *where]) == 0
        assert command.main(["--port", "7", *where]) == 0
        page = landing(store)
        assert [given[1:] for given in asked] == [("127.0.0.1", None, page, False), ("127.0.0.1", 7, page, True)]
        with pytest.raises(ConfigError, match="ui shows one sweep, and 2 are named: a, b"):
            command.main(["a", "b"])
