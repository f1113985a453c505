"""A database of MLflow's that was damaged: one line that names it, and no traceback."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from flowerexp.errors import FlowerexpError, TrackingError
from flowerexp.tracking import Store, check_reachable, log_run
from flowerexp.tracking.fetch import find
from tests.tracking import write_run

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(local_store, tmp_path_factory) -> tuple[bytes, str]:
    """A database with a run in it, and the run's id."""
    run_id = log_run(write_run(tmp_path_factory.mktemp("logged") / "run", local_store))
    assert local_store.database
    copy = tmp_path_factory.mktemp("copy") / "mlflow.db"
    shutil.copy(local_store.database, copy)
    return copy.read_bytes(), run_id


def damaged(folder: Path, content: bytes) -> Store:
    (folder / "mlruns").mkdir()
    (folder / "mlruns" / "mlflow.db").write_bytes(content)
    return Store(f"sqlite:///{folder}/mlruns/mlflow.db")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
def test_one_that_was_cut_is_found_before_anything_is_measured(tmp_path, database, share):
    store = damaged(tmp_path, database[0][: int(share * len(database[0]))])
    with pytest.raises(TrackingError, match=rf"{store.database} is damaged: it was cut short; move it away"):
        check_reachable(store)
    for call in (lambda: find(store, database[1]), lambda: log_run(write_run(tmp_path / "run", store), store)):
        with pytest.raises(TrackingError, match=r"mlflow\.db is damaged: .*; move it away, and log the folders"):
            call()


def test_a_whole_one_is_taken(tmp_path, database):
    check_reachable(damaged(tmp_path, database[0]))


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_are_one_line_or_harmless(tmp_path, database, seed):
    choose, content = random.Random(seed), bytearray(database[0])
    for _ in range(10 ** (1 + seed % 4)):
        content[choose.randrange(100, len(content))] ^= choose.randrange(1, 256)
    store = damaged(tmp_path, bytes(content))
    for call in (lambda: find(store, database[1]), lambda: log_run(write_run(tmp_path / "run", store), store)):
        try:
            call()
        except FlowerexpError as error:
            assert "mlflow.db" in str(error) or "there is no run" in str(error)  # noqa: PT017
