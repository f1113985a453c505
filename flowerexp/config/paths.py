"""The local folders and files of a config, meant from the folder in which the command was typed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowerexp.config import names
from flowerexp.config.kinds import DATASETS
from flowerexp.config.origin import Origin
from flowerexp.config.places import config_folder
from flowerexp.config.schema import LIVE, Config
from flowerexp.errors import ConfigError


def resolved(plain: dict[str, Any], origin: Origin) -> dict[str, Any]:
    """Make the local folders of a checked config absolute, in place.

    A job may run in another working directory than the one that the user typed in.

    Raises:
        ConfigError: a folder is in the home folder (`~NAME`) of a user who has none.
    """
    plain["home"] = _absolute(plain["home"], "home", origin)
    data = [("dataset", key) for key in _paths(DATASETS.config(plain["dataset"]["kind"]))] if "dataset" in plain else []
    for node, key in (("storage", "generated"), ("storage", "prepared"), *data,
                      ("tracking", "artifacts"), ("budget", "prices")):  # fmt: skip
        value = plain.get(node, {}).get(key)
        if value is not None and (node, value) != ("budget", LIVE):
            plain[node][key] = _absolute(value, f"{node}.{key}", origin)
    plain["entrypoint"]["script"] = _script(plain["entrypoint"]["script"], origin)
    uri = plain["tracking"]["uri"]
    if uri.startswith("sqlite:///"):
        plain["tracking"]["uri"] = "sqlite:///" + _absolute(uri.removeprefix("sqlite:///"), "tracking.uri", origin)
    return plain


def data_folders(config: Config) -> dict[str, str]:
    """The folders and URIs that a config's data set names, by the last part of their keys."""
    keys = _paths(type(config.dataset)) if config.dataset is not None else ()
    return {key: place for key in keys if (place := getattr(config.dataset, key))}


def _paths(schema: type) -> Iterator[str]:
    """The keys of a config class that hold paths or URIs."""
    for spec in dataclasses.fields(schema):
        if names.PATH.items() <= spec.metadata.items():
            yield spec.name


def _script(script: str, origin: Origin) -> str:
    """Where a script is: beside its YAML file, or in a folder above that, up to the one that the config folder is in.

    Only in folders of the user's own; else it stays as it is, since it may be a shipped one.
    """
    if script.startswith("~"):
        return _absolute(script, "entrypoint.script", origin)
    own = (folder for folder in origin.folders if folder != config_folder())
    places = (place / script for folder in own for place in (folder / "entrypoint", folder, folder.parent))
    return next((str(path.absolute()) for path in places if path.is_file()), script)


def _absolute(path: str, key: str, origin: Origin) -> str:
    if "://" in path:
        return path
    expanded = os.path.expanduser(path)  # noqa: PTH111 - a Path would take ./~x for ~x
    if expanded.startswith("~"):
        user = path.partition("/")[0]
        hint = f"write the whole path, or ./{path} for a folder of that name here"
        raise ConfigError(f"{key}={path}: there is no home folder for {user}", where=origin.of(key), hint=hint)
    return str(Path(expanded).absolute())
