"""While a job measures on this machine, the launcher works only when it holds the measuring slots."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from flowerexp.orchestrate import batch, logger
from flowerexp.orchestrate.events import RunningJob
from flowerexp.plan import plan
from flowerexp.workload import slots
from tests.orchestrate.pretended import PLACE, Cluster


@pytest.fixture
def held(monkeypatch):
    """Who held how many slots: the class of the thread."""
    held: list[tuple[str, int]] = []

    @contextmanager
    def all_slots(concurrency, patience, notify):
        assert patience > 0
        held.append((type(threading.current_thread()).__name__, concurrency))
        yield

    monkeypatch.setattr(Cluster, "on_this_host", True)
    monkeypatch.setattr(slots, "all_slots", all_slots)
    return held


@pytest.fixture
def prepared(monkeypatch):
    """What was held while the libraries were loaded."""
    prepared: list[Any] = []

    class Preparation:
        def __init__(self, runs, slots_held):
            prepared.append((len(runs), isinstance(slots_held, nullcontext)))

        def finish(self):
            prepared.append("finished")

    monkeypatch.setattr(batch, "Preparation", Preparation)
    return prepared


def test_while_results_are_collected_beside_other_runs(sweep, held, prepared):
    sweep(["cluster=single_node", "measure.concurrency=2"], ["cluster=single_node", "measure.concurrency=3"])
    assert {most for _, most in held} == {3}
    assert "_MainThread" in {who for who, _ in held}
    assert prepared[:2] == [(2, False), "finished"]


def test_while_it_is_found_out_what_a_run_left_that_was_lost(sweep, world, held):
    world.dead = True
    sweep(["cluster=single_node"])
    assert "_MainThread" in {who for who, _ in held}


def test_not_on_a_cluster(sweep, held, monkeypatch):
    monkeypatch.setattr(Cluster, "on_this_host", False)
    sweep(["cluster=single_node"])
    assert held == []


def test_not_while_a_job_of_an_earlier_launcher_measures(sweep, config, tmp_path, held, prepared):
    planned = plan([config(*PLACE, "cluster=single_node", "grid=notebook")], [tmp_path / "old"], "code")
    sweep(["cluster=four_nodes"], jobs=[RunningJob(None, planned.runs, "jobs/1-0")])
    assert prepared[0] == (2, True)


@pytest.mark.parametrize(("uri", "is_work"), [("sqlite:///{}/mlflow.db", True), ("http://127.0.0.1:1", False)])
def test_logging_to_a_database_is_work_and_to_a_server_is_not(sweep, world, held, monkeypatch, tmp_path, uri, is_work):
    def log(run):
        world.gone.set()
        return "id"

    monkeypatch.setattr(logger, "log", log)
    world.hung.add("1")  # so that the cluster is at work while the first is logged
    store = f"tracking.uri={uri.format(tmp_path)}"
    sweep(["cluster=single_node", "caching=true", store], ["cluster=single_node", "caching=false", store])
    assert ("Logger" in {who for who, _ in held}) == is_work
