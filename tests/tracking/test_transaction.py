"""A run is logged to a database in one transaction: the same rows as without one, and all of them or none."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from flowerexp.tracking import Store, ensure, log, log_run
from flowerexp.tracking.client import connect
from flowerexp.tracking.note import TOKEN_TAG
from flowerexp.tracking.transaction import one_transaction
from tests.tracking import write_run

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow


def rows(store: Store, run_id: str) -> dict[str, list[Any]]:
    """What each table of a store's database says of a run, without the ids that MLflow draws."""
    found = {}
    with closing(sqlite3.connect(str(store.database))) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [column for _, column, *_ in database.execute(f"PRAGMA table_info({name})")]
            lines = [dict(zip(columns, line, strict=True)) for line in database.execute(f"SELECT * FROM {name}")]
            own = [line for line in lines if run_id in line.values() and line.get("key") != TOKEN_TAG]
            plain = [{key: str(value).replace(run_id, "ID") for key, value in line.items()} for line in own]
            found[name] = sorted(map(repr, ({**line, "input_uuid": "", "source_id": ""} for line in plain)))
    return {name: lines for name, lines in found.items() if lines}


def test_the_database_holds_what_it_holds_without_a_transaction(tmp_path, local_store, monkeypatch):
    whole = log_run(write_run(tmp_path / "whole", local_store))
    monkeypatch.setattr(log, "one_transaction", lambda _: nullcontext())
    apart = log_run(write_run(tmp_path / "apart", local_store))
    known = {"runs", "tags", "params", "metrics", "latest_metrics", "inputs"}
    assert rows(local_store, whole).keys() == known
    assert rows(local_store, whole) == rows(local_store, apart)


def test_a_run_that_stops_within_leaves_nothing_and_the_next_is_whole(local_store):
    from mlflow.exceptions import MlflowException

    client, experiment = connect(local_store), ensure(local_store)
    begun: list[str] = []

    def stop() -> None:
        with one_transaction(client):
            begun.append(client.create_run(experiment).info.run_id)
            client.set_tag(begun[0], "a", "b")
            raise OSError("full")

    with pytest.raises(MlflowException, match="full"):
        stop()
    assert rows(local_store, begun[0]) == {}
    assert rows(local_store, client.create_run(experiment).info.run_id)


def test_what_mlflow_would_take_back_alone_takes_back_everything(local_store):
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException

    client, experiment = connect(local_store), ensure(local_store)
    begun: list[str] = []

    def log_twice() -> None:
        with one_transaction(client):
            begun.append(client.create_run(experiment).info.run_id)
            for _ in range(2):
                client.log_batch(begun[0], metrics=[Metric("m", 1.0, 0, 0)])  # the second time, there is such a row

    with pytest.raises(MlflowException, match="only a part of a transaction"):
        log_twice()
    assert rows(local_store, begun[0]) == {}


def test_other_threads_have_their_own_sessions(local_store):
    client, experiment = connect(local_store), ensure(local_store)
    seen: list[Any] = []

    def look() -> None:
        seen.extend(run.info.run_id for run in connect(local_store).search_runs([experiment]))

    with one_transaction(client):
        run_id = client.create_run(experiment).info.run_id
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert run_id not in seen
    look()
    assert run_id in seen


def test_a_store_that_is_no_database_does_without(tmp_path: Path):
    class Server:
        _tracking_client = type("", (), {"store": object()})

    with one_transaction(Server()):
        pass
