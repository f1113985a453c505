"""Runs are read back from MLflow alone: from a database or a server, and after their folders are gone."""

from __future__ import annotations

import shutil

import pytest

from flowerexp.config import recorded
from flowerexp.config.redact import redacted
from flowerexp.errors import DataError, TrackingError
from flowerexp.tracking import Store, log_run
from flowerexp.tracking.client import connect
from flowerexp.tracking.fetch import find
from tests.tracking import CONFIG, measurements, unused_port, write_run

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow


def logged(folder, store, **changes):
    """A run in the store whose folder is gone; its run_id."""
    run_id = log_run(write_run(folder, store, **changes), store)
    shutil.rmtree(folder)
    return run_id


@pytest.fixture(params=["database", "server"])
def store(request, local_store):
    return local_store if request.param == "database" else request.getfixturevalue("mlflow_server").store


def test_everything_comes_from_the_store(tmp_path, store):
    config = CONFIG | {"entrypoint": CONFIG["entrypoint"] | {"settings": {"password": "hunter2"}}}
    run_id = logged(tmp_path / "run", store, config=redacted(config))
    run = find(store, run_id[:12])
    assert (run.run_id, run.name, run.error) == (run_id, "read_speed caching=false · local", None)
    assert run.config == recorded(redacted(config))
    assert run.config.entrypoint.settings["password"] == "***"
    assert run.measurements.rows() == measurements()
    assert run.phases == {"list": 0.5, "prepare": 12.5, "measure": 20.0}
    assert run.params["grid.batch_size"] == "[2,4]"
    assert run.tags["spark"] == "4.3.0"
    assert run.started_at == 1_700_000_000.25
    assert run.experiment_id == connect(store).get_run(run_id).info.experiment_id


def test_a_failed_run_says_why_and_may_lack_measurements(tmp_path, local_store):
    folder = write_run(tmp_path / "run", local_store, state="failed", error="no room", verdict=None)
    shutil.rmtree(folder / "analysis")
    (folder / "results/measurements.jsonl").unlink()
    run = find(local_store, log_run(folder))
    assert (run.error, len(run.measurements)) == ("no room", 0)


def test_runs_are_found_in_every_experiment_of_the_store(tmp_path, local_store):
    other = Store(local_store.uri, local_store.artifacts, "another one")
    run_id = logged(tmp_path / "run", other)
    assert find(local_store, run_id.upper()).run_id == run_id


def test_a_prefix_of_several_runs_is_refused_with_the_candidates(tmp_path, local_store, monkeypatch):
    ids = [logged(tmp_path / str(place), local_store) for place in range(2)]
    client = connect(local_store)
    found = [client.get_run(run_id) for run_id in ids]
    monkeypatch.setattr("mlflow.MlflowClient.search_runs", lambda *_, **__: found)
    with pytest.raises(TrackingError) as caught:
        find(local_store, "abcd")
    name = "read_speed caching=false · local"
    assert str(caught.value) == (
        "command line: several runs begin with abcd; "
        f"give more of its run_id: {ids[0][:8]} ({name}), {ids[1][:8]} ({name})"
    )


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("0123456789", "command line: there is no run 0123456789 in sqlite"),
        ("abc", "command line: 'abc' is not a run_id; give an MLflow run_id, or at least its first 4 characters"),
        ("%%%%%", "'%%%%%' is not a run_id"),
        ("a' OR 'a", "is not a run_id"),
        ("f" * 33, "is not a run_id"),
    ],
)
def test_what_is_not_found_is_said_in_a_line(tmp_path, local_store, wanted, problem):
    logged(tmp_path / "run", local_store)
    with pytest.raises(TrackingError) as caught:
        find(local_store, wanted)
    assert problem in str(caught.value)


def test_a_deleted_run_is_not_found(tmp_path, local_store):
    run_id = logged(tmp_path / "run", local_store)
    connect(local_store).delete_run(run_id)
    with pytest.raises(TrackingError, match="there is no run"):
        find(local_store, run_id)


def test_looking_makes_no_store(tmp_path):
    with pytest.raises(TrackingError, match="there are no runs yet in"):
        find(Store(f"sqlite:///{tmp_path}/mlruns/mlflow.db"), "abcd")
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_away_and_a_file_that_is_no_database_are_a_line_each(tmp_path):
    with pytest.raises(TrackingError, match="no MLflow server answers at"):
        find(Store(f"http://127.0.0.1:{unused_port()}"), "abcd")
    (tmp_path / "mlflow.db").write_text("no database")
    with pytest.raises(TrackingError, match=r"mlflow\.db is damaged: file is not a database; move it away"):
        find(Store(f"sqlite:///{tmp_path}/mlflow.db"), "abcd")


def test_a_run_that_is_not_ours_and_a_damaged_file_are_a_line_each(tmp_path, local_store):
    run_id = logged(tmp_path / "run", local_store)
    client = connect(local_store)
    client.log_text(run_id, "PAR1", "analysis/measurements.parquet")
    with pytest.raises(DataError, match=rf"measurements.parquet of run {run_id[:8]} is damaged"):
        _ = find(local_store, run_id).measurements
    foreign = client.create_run("0").info.run_id
    for content in (None, "a: b\n", "a: ["):
        if content:
            client.log_text(foreign, content, "config.yaml")
        with pytest.raises(TrackingError, match=r"has no config.yaml of flowerexp in MLflow; choose a run that"):
            _ = find(local_store, foreign).config
