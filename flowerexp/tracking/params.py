"""The params of a logged run: what a person has chosen of all that its results depend on.

The whole config is an artifact of the run, so params need not be everything: they are columns of MLflow's table.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowerexp.config import Config, key_of, measured_part, recorded, upgraded
from flowerexp.tracking.names import name_of, shortened

CONFIG_TAG = "flowerexp.config_hash"
"""The tag that is equal for runs whose configs hold the same, but for the repeat: params do not hold everything."""

_LENGTH = 6000
_OF_THE_DATA = ("dataset.", "sampling.seed", "sampling.on_short")
"""What the run's dataset input says, or in `on_short` a setting of the experiment."""


def choices(config: Mapping[str, Any]) -> dict[str, str]:
    """Every value of a config that results depend on, flattened with dots; lists, numbers and null as compact JSON.

    Places and budgets differ between machines, and are left out. Of the experiment, only its name and settings are
    choices: the rest is its declaration.

    Args:
        config: as it was recorded, by this version or an earlier one.
    """
    values = measured_part(upgraded(config))
    values["entrypoint"] = {key: values["entrypoint"][key] for key in ("name", "settings")}
    return _flat(values)


def params(config: Mapping[str, Any], label: str = "") -> dict[str, str]:
    """The choices that are params: what a config has to choose, what differs from the default, and what a sweep varies.

    What says which data is read is left out, unless it is varied: it is in the run's dataset input.

    Args:
        config: as it was recorded.
        label: how the run differs from others of its sweep: `KEY=VALUE KEY=VALUE`.
    """
    values = choices(config)
    whole = recorded(config)
    defaults = {name_of(key) for key in (*_defaults(whole), *_idle(whole))}
    if values.get("cluster.kind") == values.get("cluster.name"):
        defaults.add("cluster.kind")
    return {
        key: value
        for key, value in values.items()
        if _is_named(key, label)
        or (key not in defaults and (not key.startswith(_OF_THE_DATA) or _is_named(key.partition(".")[0], label)))
    }


def config_hash(config: Mapping[str, Any]) -> str:
    """A hash of all choices but the repeat."""
    left_out = {"repeat", *map(name_of, _idle(recorded(config)))}
    of_it = {key: value for key, value in choices(config).items() if key not in left_out}
    return hashlib.sha256(key_of(of_it).encode()).hexdigest()[:16]


def _idle(config: Config) -> list[str]:
    """The dotted keys of the parameters that have their default alone, and of the settings that have theirs."""
    experiment = config.entrypoint
    settings = [
        name
        for name, limits in experiment.limits.items()
        if (limits.default is not None or limits.optional) and experiment.settings.get(name) == limits.default
    ]
    return [
        *(f"grid.{name}" for name in experiment.idle(config.grid)),
        *(f"entrypoint.settings.{name}" for name in settings),
    ]


def _is_named(key: str, label: str) -> bool:
    return re.search(rf"(?:^| ){re.escape(key)}=", label) is not None


def _defaults(node: Any, prefix: str = "") -> Iterator[str]:
    """The dotted keys of a config's objects that are null, or have the default of the schema and not of a YAML file."""
    for spec in dataclasses.fields(node):
        value, key = getattr(node, spec.name), f"{prefix}{spec.name}"
        if dataclasses.is_dataclass(value):
            yield from _defaults(value, f"{key}.")
        elif value is None or value == spec.default:
            yield key


def _flat(node: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    values: dict[str, str] = {}
    for key, value in node.items():
        name = name_of(f"{prefix}{key}")
        if isinstance(value, Mapping):
            values |= _flat(value, f"{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
            values[name] = shortened(text, _LENGTH)
    return values
