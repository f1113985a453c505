"""Configs of runs that an earlier version recorded, in today's shape.

Keys and experiments that were renamed have their new names (see `renamed`). Before experiments declared themselves,
there was read_speed: `reader` was a key of its own, `grid` held how cells were measured as well, and an entrypoint said
no more than its script.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from flowerexp.config.convert import plain, typed
from flowerexp.config.declared import infer_types
from flowerexp.config.origin import Origin
from flowerexp.config.places import config_folder, own_folder
from flowerexp.config.renamed import EXPERIMENTS, config_of
from flowerexp.config.schema import Config

_MEASURE = ("repetitions", "seed", "concurrency")
_TYPES = {bool: "bool", int: "int", float: "float"}


def recorded(config: Mapping[str, Any]) -> Config:
    """The config of a run, of what was recorded of it.

    Args:
        config: as JSON or YAML holds it; secrets may be hidden in it.
    """
    return typed(upgraded(config))


def upgraded(config: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded config as plain values in today's shape, with what today has defaults for; one of today's as it is."""
    config = _with_formats(config_of(config))
    if "measure" in config:
        return config
    entrypoint, grid = dict(config["entrypoint"]), dict(config["grid"])
    declared = _declared(entrypoint["name"])
    kept = {key: entrypoint[key] for key in ("name", "script", "requires") if entrypoint.get(key) is not None}
    if declared.get("parameters"):
        settings = {key: grid.get(key, default) for key, default in (("on_short", "fail"), ("page_cache", "warm"))}
        parameters = {"reader": config["reader"], **{key: grid[key] for key in ("batch_size", "batch_number")}}
    else:
        settings, parameters = dict(entrypoint.get("settings") or {}), {}
        kept["limits"] = {key: {"type": _TYPES.get(type(value), "text")} for key, value in settings.items()}
    rest = {key: value for key, value in config.items() if key not in ("reader", "grid", "entrypoint")}
    whole = {
        **rest,
        "entrypoint": {**declared, **kept, "settings": settings},
        "grid": parameters,
        "measure": {key: grid[key] for key in _MEASURE if key in grid},
    }
    today: dict[str, Any] = plain(typed(whole))
    return today


def _with_formats(config: dict[str, Any]) -> dict[str, Any]:
    """A config whose experiments and settings have the names that they have since there are several formats."""
    entrypoint, preprocess = config["entrypoint"], config.get("preprocess")
    if name := EXPERIMENTS.get(entrypoint["name"]):
        declared = _declared(name)
        today = {key: declared[key] for key in ("name", "question", "script", "phases")}
        config["entrypoint"] = {**entrypoint, **{key: value for key, value in today.items() if key in entrypoint}}
    if preprocess and "format" not in preprocess:
        config["preprocess"] = {**preprocess, "shard_mb": None, "format": "tfrecord", "compression": None}
    return config


def with_optional(config: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded config that declares the optional parameters and settings, too, which its experiment has got since.

    The code that runs it again asks for their values: the check of a config gives them their defaults.
    """
    entrypoint = dict(config["entrypoint"])
    today = _declared(entrypoint["name"])
    for node in ("parameters", "limits"):
        specs = today.get(node, {}).items()
        new = {name: spec for name, spec in specs if spec.get("default") is not None or spec.get("optional")}
        entrypoint[node] = new | dict(entrypoint.get(node) or {})
    return {**config, "entrypoint": entrypoint}


def _declared(name: str) -> dict[str, Any]:
    """What an experiment declares today; of one that is not ours, what all were taken to be."""
    folders = filter(None, (own_folder(), config_folder()))
    path = next((path for folder in folders if (path := folder / "entrypoint" / f"{name}.yaml").exists()), None)
    if path is None:
        question = f"What does {name} measure?"
        return {"name": name, "question": question, "unit": "images", "uses": ["dataset", "sampling", "preprocess"]}
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    content.pop("defaults", None)
    infer_types(content, Origin())
    return content
