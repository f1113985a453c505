"""A run's data as a dataset input of MLflow: what it is called, its fingerprint, and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowerexp.config import plain, recorded
from flowerexp.config.schema import Dataset, Sampling

_CONTEXT = "mlflow.data.context"
"""MLflow's tag of an input that says what the data was used for."""
_PLACES = ("tfrecords", "path")
"""The keys of a data set that say where it is."""
_NAME_LENGTH, _SOURCE_LENGTH = 500, 60_000  # of MLflow's store


def input_of(record: Mapping[str, Any]) -> Any:
    """The data of a run as MLflow's `DatasetInput`; None where the run uses none, or ended before it was listed.

    Args:
        record: the content of ``run.json``, without secrets.
    """
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import DatasetInput, InputTag

    config, facts = recorded(record["config"]), record["facts"]
    digest = facts.get("data_fingerprint")
    if config.dataset is None or not digest:
        return None
    kind, source = _source(config.dataset)
    profile = {key: facts[key] for key in ("images", "bytes") if key in facts}
    if config.sampling:
        profile |= {f"sampling_{key}": value for key, value in plain(config.sampling).items()}
    name = _name(config.dataset, config.sampling)
    entity = Entity(name, str(digest), kind, json.dumps(source)[:_SOURCE_LENGTH], profile=json.dumps(profile))
    return DatasetInput(entity, [InputTag(_CONTEXT, "measuring")])


def _name(dataset: Dataset, sampling: Sampling | None) -> str:
    """The data set's last folder, or its kind; and how much of it is used."""
    folder = _place(dataset).rstrip("/").rpartition("/")[2]
    name = (folder or dataset.kind)[: _NAME_LENGTH - 20]
    return name if sampling is None or sampling.fraction == 1 else f"{name}, {sampling.fraction:.3g} of it"


def _source(dataset: Dataset) -> tuple[str, dict[str, Any]]:
    """The type and the content of MLflow's source: a place, or what generates the data."""
    place = _place(dataset)
    if not place:
        known = {key: value for key, value in plain(dataset).items() if isinstance(value, str | int | float)}
        return "code", {"tags": {f"dataset.{key}": str(value) for key, value in known.items()}}
    scheme, there, _ = place.partition("://")
    return scheme if there else "local", {"uri": _anonymous(place)}


def _place(dataset: Dataset) -> str:
    return next((str(value) for key in _PLACES if (value := getattr(dataset, key, None))), "")


def _anonymous(place: str) -> str:
    """A path without the name of the user whose folder it is in."""
    try:
        home = str(Path.home())
    except RuntimeError:  # a user without a name has none
        return place
    return f"~{place[len(home) :]}" if place == home or place.startswith(f"{home}/") else place
