"""Which keys hold text. There, what looks like a number stays as it was typed: `2024_10` is the name of a folder."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any

from flowerexp.config.hints import hints_of
from flowerexp.config.kinds import CLUSTERS, DATASETS, Kinds
from flowerexp.config.places import group_options
from flowerexp.config.schema import Cluster, Config, Dataset

_IN_SWEEPS = ("sweep.axes.", "sweep.zip.", "sweep.exclude.")
_KINDS: dict[Any, Kinds] = {Cluster: CLUSTERS, Dataset: DATASETS}


def as_typed(key: str, value: float, text: str) -> str | float:
    """What was read for a key as a number or truth value; its text, where the key holds text and would get another.

    A whole number such as 2024 stays one, of which the check makes the same text.

    Args:
        key: the key with dots, such as ``dataset.path``.
        value: what a parser made of the text.
        text: the text.
    """
    if not holds_text(key):
        return value
    return text if isinstance(value, bool) or str(value) != text or chooses_option(key) else value


def written(value: float) -> str:
    """A number or truth value as text: `true` and `false` as YAML has them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def chooses_option(key: str) -> bool:
    """Does a key choose an option of a config group?"""
    key = _swept(key)
    return "/" in key or key == "experiment" or key in _groups()


@functools.cache
def holds_text(key: str) -> bool:
    """Is text wanted for a key, or for the items of its list?

    Args:
        key: with dots, such as ``dataset.path``; a config group; or one of Hydra's own keys, or an axis of a sweep.
    """
    if chooses_option(key):
        return True
    kinds: list[Any] = [Config]
    first, *rest = _swept(key).split(".")
    if first == "hydra":
        from hydra.conf import HydraConf

        kinds, first, rest = [HydraConf], rest[0] if rest else "", rest[1:]
    for part in (first, *rest):
        kinds = [below for kind in kinds for below in _below(kind, part)]
    return str in kinds


def _swept(key: str) -> str:
    """The key that an axis or an exclusion of a sweep is about; any other key as it is."""
    for prefix in _IN_SWEEPS:
        key = key.removeprefix(prefix)
    return key.lstrip("+~")


@functools.cache
def _groups() -> frozenset[str]:
    return frozenset(group_options())


def _below(kind: Any, key: str) -> list[Any]:
    """The types that a key may have within a value of some type."""
    if kind is str:  # within an open mapping of texts, names with dots come as nested mappings
        return [str]
    if typing.get_origin(kind) in (dict, Mapping):
        return _stripped(typing.get_args(kind)[1])
    if kind in _KINDS:
        # Those of other packages are asked only for keys that ours do not have: finding them takes a while.
        ours = [hint for schema in _KINDS[kind].our_configs() for hint in _below(schema, key)]
        return ours or [hint for schema in _KINDS[kind].other_configs() for hint in _below(schema, key)]
    if not dataclasses.is_dataclass(kind):
        return []
    spec = {spec.name: spec for spec in dataclasses.fields(kind)}.get(key)
    if spec is None:
        return []
    if spec.metadata.get("texts"):
        return [dict[str, str]]
    hint = hints_of(typing.cast("type", kind))[key]
    return _stripped(hint)


def _stripped(hint: Any) -> list[Any]:
    """The types that a hint allows, without None, and of a list those of its items."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [inner for part in typing.get_args(hint) for inner in _stripped(part)]
    if typing.get_origin(hint) in (list, tuple):
        return _stripped(typing.get_args(hint)[0])
    return [] if hint in (type(None), Ellipsis) else [hint]
