"""What is got ready while Spark starts."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowerexp import analysis, tracking
from flowerexp.errors import TrackingError
from flowerexp.orchestrate.preparation import Preparation
from flowerexp.plan import PlannedRun


@pytest.fixture
def world(monkeypatch):
    """What was loaded, in order; nothing is, in truth."""
    loaded: list[str] = []
    monkeypatch.setattr(tracking, "ensure", lambda store: loaded.append(f"store {store.uri.partition(':')[0]}"))
    monkeypatch.setattr(tracking, "load", lambda: loaded.append("mlflow"))
    monkeypatch.setattr(tracking, "load_model_libraries", lambda: loaded.append("models"))
    monkeypatch.setattr(analysis, "load_libraries", lambda grid: loaded.append(f"analysis grid={grid}"))
    monkeypatch.setattr("gc.freeze", lambda: loaded.append("freeze"))
    return loaded


@contextmanager
def held(log, word="slots"):
    log.append(f"hold {word}")
    yield
    log.append(f"let {word} go")


def run(config, *overrides):
    return PlannedRun("k", config(*overrides), Path("x"), "code")


def test_a_local_store_is_made_and_the_slots_are_held_until_all_is_there(config, world):
    preparation = Preparation([run(config), run(config)], held(world))
    preparation.finish()
    assert world == ["hold slots", "store sqlite", "analysis grid=True", "models", "freeze", "let slots go"]


def test_a_server_is_not_asked_and_runs_without_a_grid_need_no_models(config, world):
    made = run(config, "entrypoint=write_shards", "tracking.uri=http://127.0.0.1:1")
    Preparation([made], held(world)).finish()
    assert world == ["hold slots", "mlflow", "analysis grid=False", "freeze", "let slots go"]


def test_a_store_that_cannot_be_made_is_met_again_when_there_is_something_to_log(config, world, monkeypatch):
    def refuse(store):
        raise TrackingError("refused")

    monkeypatch.setattr(tracking, "ensure", refuse)
    Preparation([run(config)], held(world)).finish()
    assert world == ["hold slots", "freeze", "let slots go"]


def test_it_goes_on_beside_what_else_is_done(config, world, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(tracking, "ensure", lambda store: go.wait(60) and world.append("ensured"))
    preparation = Preparation([run(config)], held(world))
    assert "ensured" not in world
    go.set()
    preparation.finish()
    assert "ensured" in world
