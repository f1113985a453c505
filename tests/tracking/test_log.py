"""What is logged, and that it is logged once and whole, whatever the store does meanwhile."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from flowerexp import records
from flowerexp.analysis.summary import summarise
from flowerexp.errors import DataError, TrackingError
from flowerexp.measurements.written import write as write_measurements
from flowerexp.tracking import Store, ensure, log_run
from flowerexp.tracking.client import connect
from flowerexp.tracking.content import TABLE, metrics, tags
from flowerexp.tracking.fetch import find
from flowerexp.tracking.note import TOKEN_TAG
from flowerexp.tracking.params import CONFIG_TAG, choices, config_hash, params
from flowerexp.tracking.steps import is_line
from tests.analysis.rows import table
from tests.tracking import CONFIG, Server, measurements, record, write_run

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow

ARTIFACTS = {
    "config.yaml",
    TABLE,
    "analysis/measurements.parquet",
    "analysis/regression.json",
    "analysis/summary.json",
    "analysis/tfrecords_batch_size.png",
    "job/driver.log",
    "job/events/local-1700000000",
    "results/status.json",
}


def files(client: Any, run_id: str, path: str | None = None) -> set[str]:
    """All artifacts of a run."""
    found = client.list_artifacts(run_id, path)
    return {info.path for info in found if not info.is_dir}.union(
        *(files(client, run_id, info.path) for info in found if info.is_dir)
    )


def named(store: Store, name: str) -> Store:
    """The same store with an experiment of a test's own."""
    return Store(store.uri, store.artifacts, name)


def runs(store: Store) -> list[Any]:
    """All runs of a store's experiment."""
    return list(connect(store).search_runs([ensure(store)]))


def assert_whole(store: Store, run_id: str) -> None:
    """The experiment holds one run, and everything is in it."""
    client = connect(store)
    assert [run.info.run_id for run in runs(store)] == [run_id]
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (1_700_000_000_250, 1_700_000_042_500)
    assert run.info.run_name == "read_speed caching=false · local"
    assert run.data.params == params(CONFIG)
    results = {name: value for name, value in run.data.metrics.items() if not is_line(name)}
    assert results == metrics(record(store), summarise(table(measurements())).plain())
    assert tags(record(store)).items() <= run.data.tags.items()
    assert files(client, run_id) == ARTIFACTS
    for name in run.data.metrics:
        assert len(client.get_metric_history(run_id, name)) == (2 if is_line(name) else 1), name
    assert [one.dataset.digest for one in run.inputs.dataset_inputs] == ["da7a"]
    with patch.dict(os.environ, MLFLOW_TRACKING_URI=store.uri):  # load_table forgets which store its client is of
        logged = client.load_table(run.info.experiment_id, TABLE, [run_id])
    assert logged.to_dict("records") == measurements()


def test_choices_are_all_that_results_depend_on():
    assert choices(CONFIG) == {
        "cluster.kind": "local",
        "cluster.cores": "null",
        "cluster.memory": "1g",
        "dataset.kind": "folder",
        "dataset.path": "/photographs",
        "dataset.classes": '["daisy","rosé"]',
        "dataset.on_error": "fail",
        "grid.reader": '["image_files","tfrecords"]',
        "grid.batch_size": "[2,4]",
        "grid.batch_number": "[3]",
        "measure.repetitions": "2",
        "entrypoint.name": "read_speed",
        "entrypoint.settings.page_cache": "warm",
        "caching": "false",
    }


def test_a_path_that_is_not_utf8_is_escaped():
    assert choices(CONFIG | {"dataset": {"path": "/p\udcff"}})["dataset.path"] == "/p\\udcff"


def test_what_may_be_spent_and_where_is_no_choice_of_the_experiment():
    machine = {"gcp": {"project": "p"}, "quota": {"vcpus": 8}, "budget": {"usd": 1}, "skip_finished": True}
    assert choices({**CONFIG, **machine}) == choices(CONFIG)


def test_only_the_outermost_home_is_no_choice():
    found = choices(CONFIG | {"cluster": {"home": "x", "storage": "y"}})
    assert (found["cluster.home"], found["cluster.storage"]) == ("x", "y")


def test_choices_keep_to_mlflows_limits():
    many = {"classes": ["x" * 100] * 100, "spark": {"a(b)": 1, "..": 2, "k" * 300: 3}}
    found = {key: value for key, value in choices(CONFIG | many).items() if key not in choices(CONFIG)}
    assert len(found["classes"]) == 6000
    assert found["classes"].endswith("...")
    assert set(found) - {"classes"} == {"spark.a_b_", "spark...", ("spark." + "k" * 300)[:250]}


def test_params_are_what_was_chosen_and_not_what_the_data_or_a_default_says():
    assert params(CONFIG) == {
        "cluster.kind": "local",
        "grid.reader": '["image_files","tfrecords"]',
        "grid.batch_size": "[2,4]",
        "grid.batch_number": "[3]",
        "measure.repetitions": "2",
        "entrypoint.name": "read_speed",
        "entrypoint.settings.page_cache": "warm",
        "caching": "false",
    }


@pytest.mark.parametrize(
    ("label", "more"),
    [
        ("caching=false repeat=2", set()),
        ("cluster.memory=1g", {"cluster.memory"}),  # though it is the default
        ("caching=false dataset.on_error=fail", {"dataset.on_error"}),
        ("dataset=folder", {"dataset.kind", "dataset.path", "dataset.classes"}),  # the group: what is no default
        ("grid.reader=cluster.memory", set()),
    ],
)
def test_what_a_sweep_varies_is_a_param_whatever_it_is(label, more):
    assert params(CONFIG, label).keys() - params(CONFIG).keys() == more


def test_our_own_experiments_have_about_ten_params(config):
    from flowerexp.config import plain

    assert len(params(plain(config()))) <= 14
    assert len(params(plain(config("entrypoint=aggregate")))) <= 14


def test_configs_that_hold_the_same_have_one_hash_whatever_their_params_and_repeat():
    assert config_hash(CONFIG | {"repeat": 2}) == config_hash(CONFIG | {"home": "/elsewhere"}) == config_hash(CONFIG)
    other = CONFIG | {"measure": {"repetitions": 2, "warm_up_seconds": 3.0}}
    assert config_hash(other) != config_hash(CONFIG)


def test_metrics_stand_in_sections(local_store):
    found = metrics(record(local_store), summarise(table(measurements())).plain())
    expected = {
        "tfrecords/images_per_second": 200,
        "tfrecords/images_per_second_median": 200,
        "tfrecords/spread": 0,
        "tfrecords/first_batch_seconds": 0.5,
        "tfrecords/images": 36,
        "tfrecords/seconds": 0.18,
        "tfrecords/measurements": 4,
        "tfrecords/executions": 4,
        "image_files/images_per_second": 100,
        "time/list_seconds": 0.5,
        "time/prepare_seconds": 12.5,
        "time/measure_seconds": 20,
        "data/images": 736,
        "data/bytes": 46_000_000,
        "facts/skipped": 3,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert {name.partition("/")[0] for name in found} == {"tfrecords", "image_files", "time", "data", "facts"}


def test_what_is_no_number_is_no_metric(local_store):
    group = {"name": "all", "rate": None, "spread": math.nan, "seconds": math.inf, "count": True}
    facts = {"images": "many", "prepared_reused": True}
    assert metrics(record(local_store, facts=facts, phases={}), {"groups": [group]}) == {}


def test_the_columns_of_any_entrypoint_become_metrics(local_store):
    summary = summarise(table([{"shuffled_bytes": 10}, {"shuffled_bytes": 30}], "sort")).plain()
    found = metrics(record(local_store, facts={}, phases={}), summary)
    assert found["sort/shuffled_bytes"] == 20


def test_tags_say_what_ran_and_on_what(local_store):
    found = tags(record(local_store))
    found.pop("mlflow.user", None)
    assert found == {
        "mlflow.source.name": "flowerexp",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": "52a38cb",
        "git_dirty": "true",
        "run_key": "a1b2c3",
        CONFIG_TAG: config_hash(CONFIG),
        "sweep_id": "s-1",
        "flowerexp.verdict": "suspect",
        "flowerexp.reasons": "one; two",
        "code_hash": "c0de",
        "data_fingerprint": "da7a",
        "spark": "4.3.0",
        "executors": "1",
        "cores": "2",
        "prepared_reused": "false",
    }


def test_a_run_is_logged_whole_and_once(tmp_path, local_store):
    store = named(local_store, "whole")
    folder = write_run(tmp_path / "run", store)
    run_id = log_run(folder)
    assert log_run(folder) == run_id
    assert_whole(store, run_id)


def test_the_config_is_the_resolved_one_and_nothing_secret_is_sent(tmp_path, local_store):
    import yaml

    store = named(local_store, "config")
    run_id = log_run(write_run(tmp_path / "run", store))
    (tmp_path / "sent").mkdir()
    where = Path(connect(store).download_artifacts(run_id, ".", str(tmp_path / "sent")))
    assert yaml.safe_load((where / "config.yaml").read_text()) == CONFIG
    assert not [path for path in where.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


def test_a_run_can_be_logged_to_two_stores(tmp_path, local_store):
    first, second = named(local_store, "first"), named(local_store, "second")
    folder = write_run(tmp_path / "run", first)
    pair = log_run(folder), log_run(folder, second)
    assert (log_run(folder), log_run(folder, second)) == pair
    assert [run.info.run_id for store in (first, second) for run in runs(store)] == list(pair)


def test_a_run_that_was_deleted_in_mlflow_is_logged_anew(tmp_path, local_store):
    store = named(local_store, "deleted")
    folder = write_run(tmp_path / "run", store)
    connect(store).delete_run(log_run(folder))
    assert_whole(store, log_run(folder))


def test_a_failed_run_is_logged_with_its_error_and_log(tmp_path, local_store):
    store = named(local_store, "failed")
    folder = tmp_path / "run"
    (folder / "job").mkdir(parents=True)
    (folder / "job/driver.log").write_text("OutOfMemoryError\n")
    failed = record(store, state="failed", error="Spark ran out of memory", phases={}, verdict=None, facts={})
    (folder / "run.json").write_text(json.dumps(failed))
    run_id = log_run(folder)
    run = connect(store).get_run(run_id)
    assert (run.info.status, run.info.end_time) == ("FAILED", 1_700_000_042_500)
    assert run.data.tags["flowerexp.error"] == "Spark ran out of memory"
    assert run.data.metrics == {}
    assert files(connect(store), run_id) == {"config.yaml", "job/driver.log"}
    assert "mlflow.loggedArtifacts" not in run.data.tags


def test_damaged_measurements_stop_a_finished_run_but_not_a_failed_one(tmp_path, local_store):
    store = named(local_store, "damaged")
    for state in ("finished", "failed"):
        folder = write_run(tmp_path / state, store, state=state)
        (folder / "results/measurements.jsonl").write_text('{"reader": ')
        (folder / "analysis/measurements.parquet").unlink()
    with pytest.raises(DataError, match=r"measurements\.jsonl, line 1"):
        log_run(tmp_path / "finished")
    run_id = log_run(tmp_path / "failed")
    assert files(connect(store), run_id) == ARTIFACTS - {TABLE, "analysis/measurements.parquet"}


def test_a_measurement_that_is_no_number_stays_readable(tmp_path, local_store):
    store = named(local_store, "nan")
    folder = write_run(tmp_path / "run", store)
    measured = table([{"seconds": math.nan, "a": [1]}, {"seconds": 1.5}])
    write_measurements(measured, folder / "analysis/measurements.parquet")
    where = connect(store).download_artifacts(log_run(folder), TABLE, str(tmp_path))
    logged = json.loads(Path(where).read_text(), parse_constant=lambda text: pytest.fail(text))
    assert logged == {"columns": ["seconds", "a"], "data": [[None, [1]], [1.5, None]]}


def test_of_many_measurements_the_first_are_a_table_that_says_so_and_all_are_there(tmp_path, local_store):
    store = named(local_store, "many")
    folder, rows = write_run(tmp_path / "run", store), measurements()[:1] * 1001
    write_measurements(table(rows), folder / "analysis/measurements.parquet")
    run_id, client = log_run(folder), connect(store)
    assert files(client, run_id) == ARTIFACTS - {TABLE} | {"measurements_first_1000.json"}
    where = client.download_artifacts(run_id, "measurements_first_1000.json", str(tmp_path))
    assert len(json.loads(Path(where).read_text())["data"]) == 1000
    assert "measurements_first_1000.json" in client.get_run(run_id).data.tags["mlflow.loggedArtifacts"]
    assert find(store, run_id).measurements.rows() == rows


@pytest.mark.parametrize(("content", "message"), [(None, "holds no run"), ('{"run_', "is damaged")])
def test_a_folder_without_a_readable_run_is_refused(tmp_path, content, message):
    if content:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataError, match=message):
        log_run(tmp_path)


@pytest.mark.parametrize("name", ["results/measurements.jsonl", "analysis/summary.json", "results/status.json"])
def test_a_run_of_which_a_file_was_changed_is_not_logged(tmp_path, local_store, name):
    store = named(local_store, "changed")
    folder = write_run(tmp_path / "run", store)
    hashes = {name: records.digest(folder / name)}
    records.write(folder / "run.json", record(store, files=hashes))
    (folder / name).write_bytes((folder / name).read_bytes().replace(b"2", b"3").replace(b"f", b"g"))
    with pytest.raises(DataError, match=rf"{name} is damaged: it was changed after it was written"):
        log_run(folder)
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name} is damaged: it is missing"):
        log_run(folder)
    assert runs(store) == []


def test_a_record_that_was_changed_is_not_logged(tmp_path, local_store):
    store = named(local_store, "changed record")
    folder = write_run(tmp_path / "run", store)
    records.write(folder / "run.json", record(store))
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(text.replace('"images": 736', '"images": 786'))
    with pytest.raises(DataError, match=r"run\.json is damaged: it was changed after it was written"):
        log_run(folder)
    (folder / "run.json").write_text(text)
    assert log_run(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stores": [{"uri": 7}]}'])
def test_a_damaged_note_is_named_with_what_to_do(tmp_path, local_store, text):
    folder = write_run(tmp_path / "run", named(local_store, "note"))
    (folder / "mlflow.json").write_text(text)
    with pytest.raises(DataError, match=r"mlflow\.json is damaged: .*; remove that file to log the run again"):
        log_run(folder)


def test_an_answer_that_got_lost_makes_no_second_run(tmp_path, mlflow_server: Server, monkeypatch):
    from mlflow import MlflowClient

    store, create = named(mlflow_server.store, "lost"), MlflowClient.create_run
    folder = write_run(tmp_path / "run", store)

    def create_and_lose(*args: Any) -> None:
        create(*args)
        raise ConnectionResetError(104, "Connection reset by peer")

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "create_run", create_and_lose)
        with pytest.raises(TrackingError, match="Connection reset by peer"):
            log_run(folder)
    assert [run.info.status for run in runs(store)] == ["RUNNING"]
    assert_whole(store, log_run(folder))


# Where it stops: the last call that still succeeds is the one before.
@pytest.mark.parametrize("call", ["create_run", "log_batch", "log_artifact", "set_terminated"])
def test_wherever_it_stops_it_can_be_completed(tmp_path, local_store, monkeypatch, call):
    from mlflow import MlflowClient
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    maker: Any = LocalArtifactRepository if call == "log_artifact" else MlflowClient
    store, real = named(local_store, f"stops at {call}"), getattr(maker, call)
    folder = write_run(tmp_path / "run", store)

    def do_and_fail(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(maker, call, do_and_fail)
        with pytest.raises(TrackingError, match="No space left on device"):
            log_run(folder)
    left = [] if call in ("create_run", "log_batch") else ["RUNNING"] if call == "log_artifact" else ["FINISHED"]
    assert [run.info.status for run in runs(store)] == left
    assert_whole(store, log_run(folder))


def test_two_calls_at_once_log_one_run(tmp_path, local_store, monkeypatch):
    store, token = named(local_store, "at once"), uuid.uuid4
    folder = write_run(tmp_path / "run", store)
    ensure(store)
    found: list[str] = []

    def slow_token() -> uuid.UUID:
        time.sleep(0.5)  # long enough for the other call to arrive: it must wait for the lock, and find this token
        return token()

    monkeypatch.setattr(uuid, "uuid4", slow_token)
    threads = [threading.Thread(target=lambda: found.append(log_run(folder))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(set(found)) == 1
    assert_whole(store, found[0])


def test_the_command_that_is_hinted_at_needs_no_state_of_this_process(tmp_path, local_store):
    store = named(local_store, "another process")
    folder = write_run(tmp_path / "run", store)
    code = "import sys, pathlib, flowerexp.tracking as t; print(t.log_run(pathlib.Path(sys.argv[1])))"
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert log_run(folder) == done.stdout.strip()
    assert_whole(store, done.stdout.strip())


def test_a_run_is_logged_to_a_real_server(tmp_path, mlflow_server, capfd):
    store = named(mlflow_server.store, "server")
    folder = write_run(tmp_path / "run", store)
    run_id = log_run(folder)
    assert log_run(folder) == run_id
    assert capfd.readouterr().out == ""  # MLflow would print the run's address
    assert_whole(store, run_id)
    assert connect(store).get_run(run_id).info.artifact_uri.startswith("mlflow-artifacts:")


def test_a_password_stays_out_of_the_folder_and_the_message(tmp_path, mlflow_server, free_port):
    store = Store(mlflow_server.store.uri.replace("://", "://me:secret@"), None, "password")
    folder = write_run(tmp_path / "run", named(mlflow_server.store, "password"))
    log_run(folder, store)
    assert mlflow_server.store.uri in (folder / "mlflow.json").read_text()
    assert "secret" not in (folder / "mlflow.json").read_text()
    with pytest.raises(TrackingError) as found:
        log_run(folder, Store(f"http://me:secret@127.0.0.1:{free_port}"))
    assert "secret" not in str(found.value)


def test_a_redacted_password_is_not_sent_as_one(tmp_path, mlflow_server):
    store = named(mlflow_server.store, "redacted")
    redacted = Store(store.uri.replace("://", "://***@"), None, "redacted")
    assert_whole(store, log_run(write_run(tmp_path / "run", redacted)))


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_server_that_dies_half_way_costs_nothing(tmp_path, mlflow_server: Server, monkeypatch):
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    store, send = named(mlflow_server.store, "dies"), MlflowArtifactsRepository.log_artifact
    folder = write_run(tmp_path / "a run", store)
    died: list[bool] = []

    def die_first(*args: Any) -> None:
        if not died:
            mlflow_server.kill()
            died.append(True)
        send(*args)

    with monkeypatch.context() as patched:
        patched.setattr(MlflowArtifactsRepository, "log_artifact", die_first)
        with pytest.raises(TrackingError, match=r"failed: .*Connection refused") as found:
            log_run(folder)
    assert found.value.hint == f"the results are safe; log them again: flowerexp log '{folder}'"
    with pytest.raises(TrackingError, match="log them again: flowerexp log"):
        log_run(folder)  # still dead
    mlflow_server.start()
    assert [run.info.status for run in runs(store)] == ["RUNNING"]
    run_id = log_run(folder)
    assert_whole(store, run_id)
    assert TOKEN_TAG in connect(store).get_run(run_id).data.tags
