"""The store: where it is, whether it can be reached, and that it is made once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flowerexp.errors import TrackingError
from flowerexp.tracking import Store, check_reachable, client, default_store, ensure
from flowerexp.tracking.client import connect
from tests import database

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _databases_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_make", database.make)


@contextmanager
def answering(status: int, asked: list[str]) -> Iterator[str]:
    """A server that answers every request with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_importing_tracking_imports_nothing_heavy():
    code = (
        "import sys, flowerexp.tracking\n"
        "heavy = {'mlflow', 'pandas', 'numpy', 'pyarrow', 'sqlalchemy', 'requests'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_default_store_is_a_database_and_artifacts_below_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = default_store(Path("home"))
    assert store.uri == f"sqlite:///{tmp_path}/home/mlruns/mlflow.db"
    assert store.artifacts == f"{tmp_path}/home/mlruns/artifacts"
    assert not (tmp_path / "home").exists()


def test_a_store_means_the_same_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store("sqlite:///./here/x.db")
    assert store.uri == f"sqlite:///{tmp_path}/here/x.db"
    assert store.artifacts == f"{tmp_path}/here/artifacts"
    assert Store("sqlite:////x/y.db", "gs://bucket/a").artifacts == "gs://bucket/a"


def test_a_server_keeps_artifacts_where_it_likes():
    assert Store("http://host:5000", "/local/artifacts").artifacts is None
    assert Store("http://host:5000", "s3://bucket/a").artifact_uri == "s3://bucket/a"


def test_an_address_holds_no_password():
    assert Store("https://me:secret@host:5000/base").address == "https://host:5000/base"
    assert Store("https://me:se@cret@host/?token=secret&a=b").address == "https://host/?token=***&a=b"
    assert Store("sqlite:////x/a@b/y.db").address == "sqlite:////x/a@b/y.db"


@pytest.mark.parametrize("status", [200, 401, 404])
def test_any_answer_below_500_counts(status):
    asked: list[str] = []
    with answering(status, asked) as uri:
        check_reachable(Store(f"{uri}/base/"))
    assert asked == ["/base/health"]


def test_a_server_that_answers_503_cannot_be_logged_to():
    with answering(503, []) as uri, pytest.raises(TrackingError, match="answers 503") as found:
        check_reachable(Store(uri))
    assert found.value.hint
    assert "tracking.uri" in str(found.value)


@pytest.mark.timeout(60)  # MLflow's own client tries for minutes
def test_an_unreachable_server_is_not_tried_again_and_again(free_port):
    with pytest.raises(TrackingError, match="Connection refused") as found:
        check_reachable(Store(f"http://me:secret@127.0.0.1:{free_port}"))
    assert f"no MLflow server answers at http://127.0.0.1:{free_port}" in str(found.value)
    assert "secret" not in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.timeout(60)
def test_a_server_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TrackingError, match="timed out"):
        check_reachable(Store(f"http://127.0.0.1:{silent.getsockname()[1]}"))


@pytest.mark.parametrize("uri", ["mlruns", "file:///x/mlruns", "/x/mlruns"])
def test_a_folder_is_no_store(uri):
    with pytest.raises(TrackingError, match="no longer keeps runs in a folder"):
        check_reachable(Store(uri))


def test_checking_a_database_makes_its_folders_but_no_database(tmp_path):
    check_reachable(default_store(tmp_path / "new"))
    assert [path.name for path in (tmp_path / "new/mlruns").iterdir()] == ["artifacts"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrackingError, match=r"writing the MLflow store in .*/file/mlruns failed") as found:
        check_reachable(default_store(tmp_path / "file"))
    assert found.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(TrackingError, match="Permission denied"):
        check_reachable(default_store(tmp_path))


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("these are my notes, not yours")
    with pytest.raises(TrackingError, match="not an SQLite database"):
        check_reachable(Store(f"sqlite:///{tmp_path}/notes.txt"))
    assert (tmp_path / "notes.txt").read_text() == "these are my notes, not yours"


@pytest.mark.parametrize("name", ["what?", "100%"])
def test_paths_that_sqlalchemy_would_read_otherwise_are_refused(tmp_path, name):
    with pytest.raises(TrackingError, match="without"):
        check_reachable(default_store(tmp_path / name))


ENSURE = "import sys, pathlib, flowerexp.tracking as t; print(t.ensure(t.default_store(pathlib.Path(sys.argv[1]))))"


def test_two_processes_make_one_database(tmp_path):
    home = str(tmp_path / "a home #1")
    command = [sys.executable, "-c", ENSURE, home]
    pair = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate() for process in pair]
    assert [process.returncode for process in pair] == [0, 0], outputs
    assert outputs[0] == outputs[1]
    assert outputs[0][1] == ""  # not a line of chatter
    store = default_store(Path(home))
    assert ensure(store) == outputs[0][0].strip()
    experiment = connect(store).get_experiment_by_name("flowerexp")
    assert experiment.artifact_location == (Path(home) / "mlruns/artifacts").as_uri()


KILLED_WHILE_MAKING_IT = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from flowerexp.tracking import default_store, ensure

made = []

@event.listens_for(Engine, "before_cursor_execute")
def count(connection, cursor, statement, *_):
    made.append("CREATE TABLE" in statement)
    if sum(made) == 30:
        os.kill(os.getpid(), signal.SIGKILL)

ensure(default_store(Path(sys.argv[1])))
"""


def test_a_database_whose_making_was_killed_is_made_anew(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_MAKING_IT, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    store = default_store(tmp_path)
    experiment = ensure(store)
    assert connect(store).get_experiment(experiment).name == store.experiment
    assert sorted(path.name for path in (tmp_path / "mlruns").iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_threads_make_one_experiment_and_leave_mlflows_own_store_alone(local_store):
    import mlflow

    before, found = mlflow.get_tracking_uri(), []
    store = Store(local_store.uri, local_store.artifacts, "threads")
    threads = [threading.Thread(target=lambda: found.append(ensure(store))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert mlflow.get_tracking_uri() == before


def test_a_deleted_experiment_is_not_brought_back_silently(local_store):
    store = Store(local_store.uri, local_store.artifacts, "gone")
    connect(store).delete_experiment(ensure(store))
    with pytest.raises(TrackingError, match="'gone' was deleted") as found:
        ensure(store)
    assert found.value.where == "tracking.experiment"


@pytest.mark.timeout(120)
def test_ensure_at_a_server_that_is_gone_is_not_tried_again_and_again(free_port):
    with pytest.raises(TrackingError, match=r"logging to http://127\.0\.0\.1:\d+ failed: .*Connection refused"):
        ensure(Store(f"http://127.0.0.1:{free_port}"))


def test_an_experiment_that_another_program_made_is_told_to_be_no_genai(local_store):
    store = Store(local_store.uri, local_store.artifacts, "of another program")
    ensure(local_store)
    client = connect(local_store)
    made = client.create_experiment(store.experiment, tags={"own": "kept"})
    assert ensure(store) == made
    assert client.get_experiment(made).tags == {"own": "kept", "mlflow.experimentKind": "custom_model_development"}
    client.set_experiment_tag(made, "mlflow.experimentKind", "genai_development")
    ensure(store)
    assert client.get_experiment(made).tags["mlflow.experimentKind"] == "genai_development"  # somebody's choice
