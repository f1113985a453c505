"""Shell completion: what Hydra offers, and every value that a key may have, where these are few."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from hydra.errors import HydraException
from hydra.plugins.completion_plugin import DefaultCompletionPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from flowerexp.config.hints import hints_of
from flowerexp.config.hydra_private import get_args
from flowerexp.config.kinds import CLUSTERS, DATASETS, Kinds
from flowerexp.config.schema import Config
from flowerexp.errors import ConfigError

_DECLARED = {"grid": "parameters", "entrypoint.settings": "limits"}
"""The nodes that hold values which an experiment declares, and where in its file it does so."""
_KINDS: Mapping[str, Kinds] = {"cluster": CLUSTERS, "dataset": DATASETS}
_AXES = "sweep.axes."


def completions(plugin: Any, config_name: str | None, line: str) -> list[str]:
    """What the word may be that is being typed.

    Args:
        plugin: a completion plugin of Hydra's, which knows the config loader.
        config_name: the main config.
        line: what has been typed, without the program's name.
    """
    word = "" if line.endswith(" ") or not line else line.split()[-1]
    element, equals, typed = word.partition("=")
    node, _, name = element.lstrip("+~").removeprefix(_AXES).rpartition(".")
    declares = node in _DECLARED
    if not (equals or declares):
        return list(DefaultCompletionPlugin._query(plugin, config_name, line))
    parsed = get_args(line.split())
    try:
        config = plugin.config_loader.load_configuration(
            config_name, parsed.overrides[:-1], RunMode.MULTIRUN if parsed.multirun else RunMode.RUN
        )
        if not equals:
            known = map(str, OmegaConf.select(config, f"entrypoint.{_DECLARED[node]}") or ())
            before = element.removesuffix(name)
            return sorted(f"{before}{one}=" for one in known if one.startswith(name))
        choices, now = _declared(config, node, name) if declares else _of_schema(config, f"{node}.{name}".lstrip("."))
    except (HydraException, OmegaConfBaseException, ConfigError):
        return []
    if choices is None and now is None:  # no key of the schema, such as a config group
        return list(DefaultCompletionPlugin._query(plugin, config_name, line)) if not declares else []
    return [f"{element}={value}" for value in _values(choices, now, typed)]


def _declared(config: DictConfig, node: str, name: str) -> tuple[list[Any] | None, Any]:
    """The choices of a parameter or setting of the experiment, None where they are not few; and its value now."""
    spec = (OmegaConf.select(config, f"entrypoint.{_DECLARED[node]}") or {}).get(name)
    if not isinstance(spec, DictConfig):
        return None, None
    choices = spec.get("choices") or ([True, False] if spec.get("type") == "bool" else None)
    return choices and list(choices), OmegaConf.select(config, f"{node}.{name}")


def _of_schema(config: DictConfig, key: str) -> tuple[list[Any] | None, Any]:
    """The same of a key that every config has; None and None of one that holds further keys, or does not exist."""
    schema: Any = Config
    *before, last = key.split(".")
    for part in before:
        kinds = _KINDS.get(part) if schema is Config else None
        below = hints_of(schema).get(part)
        schema = kinds.config(str(OmegaConf.select(config, f"{part}.kind"))) if kinds else _without_none(below)[0]
        if not dataclasses.is_dataclass(schema):
            return None, None
    spec = {spec.name: spec for spec in dataclasses.fields(schema)}.get(last)
    now = OmegaConf.select(config, key)
    if spec is None or isinstance(now, DictConfig):
        return None, None
    hint, optional = _without_none(hints_of(schema)[last])
    choices = list(spec.metadata.get("choices") or spec.metadata.get("choices_of_numbers") or ())
    choices = [True, False] if hint is bool else choices
    return ([*choices, *([None] if optional else [])] if choices else [None] if optional and now is None else None), now


def _without_none(hint: Any) -> tuple[Any, bool]:
    """A type without None, and whether that was one of it."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    return next(one for one in typing.get_args(hint) if one is not type(None)), True


def _values(choices: list[Any] | None, now: Any, typed: str) -> list[str]:
    """What a value may be: all that has been typed but its last item, and what that may be."""
    if choices is None:  # a number, or any text: what it is now
        text = f"[{','.join(map(_text, now))}]" if isinstance(now, ListConfig) else _text(now)
        return [text] if text.startswith(typed) else []
    first, comma, last = typed.rpartition(",") if "," in typed else typed.rpartition("[")
    taken = {*first.lstrip("[").split(",")}
    texts = map(_text, choices)
    return [f"{first}{comma}{text}" for text in texts if text.startswith(last) and text not in taken]


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
