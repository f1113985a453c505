"""Find what can be found to be wrong before the first side effect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowerexp import storage, tracking
from flowerexp.cluster import backend
from flowerexp.errors import DataError, MachineError
from flowerexp.job.bundle import find_script


def preflight(config: Mapping[str, Any]) -> None:
    """Look at the script, the cluster, the data's folder, the folders to write to, and the MLflow store.

    Args:
        config: a run's checked config.

    Raises:
        FlowerexpError: the first thing that is wrong.
    """
    find_script(config["entrypoint"]["script"])
    backend(dict(config["cluster"])).check()
    _check_data(config["dataset"])
    for key, place in config["storage"].items():
        _check_writable(place, f"storage.{key}")
    tracking.check_reachable(tracking.Store(**config["tracking"]))


def _check_data(dataset: Mapping[str, Any]) -> None:
    """Is the folder there? What is in it is found out on the cluster."""
    for key in ("path", "tfrecords"):
        path = dataset.get(key)
        if path and storage.is_local(path) and not Path(path).is_dir():
            problem = f"{path} is a file, not a folder" if Path(path).exists() else f"{path} does not exist"
            raise DataError(problem, where=f"dataset.{key}", hint="check the path")


def _check_writable(place: str, key: str) -> None:
    """Can the folder be made, and written?"""
    if not storage.is_local(place):
        return
    try:
        Path(place).mkdir(parents=True, exist_ok=True)
        with storage.NewFile(place):
            pass
    except OSError as error:
        problem = f"{place} cannot be written: {error.strerror}"
        raise MachineError(problem, where=key, hint="choose another folder") from error
