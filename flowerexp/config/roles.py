"""Which keys of a config no result depends on: those that have a role by the schema's metadata."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping
from typing import Any, Literal

from flowerexp.config.convert import plain
from flowerexp.config.kinds import CLUSTERS
from flowerexp.config.schema import Cluster, Config, Storage
from flowerexp.errors import ConfigError

Role = Literal["place", "account", "sweep", "conclusion"]

_HYDRA = "hydra"
"""Hydra's own node, which a config that was recorded by an earlier version may hold."""


@functools.cache
def keys_with(*roles: Role) -> frozenset[str]:
    """The dotted keys of a config that have one of these roles. Without a role named, of all roles."""
    whole = {spec.name for spec in dataclasses.fields(Config) if _has(spec, roles)}
    return frozenset(whole | {f"storage.{spec.name}" for spec in dataclasses.fields(Storage) if _has(spec, roles)})


def is_of(key: str, *roles: Role) -> bool:
    """Has a dotted key one of these roles, or is it a group with keys that have?"""
    return any(f"{key}.".startswith(f"{known}.") or known.startswith(f"{key}.") for known in keys_with(*roles))


@functools.cache
def _cluster_keys(kind: str | None) -> frozenset[str]:
    """The dotted keys of a kind of cluster that have a role; nothing for a kind that is not installed."""
    try:
        known = CLUSTERS.config(kind) if kind else Cluster
    except ConfigError:
        known = Cluster
    return frozenset(f"cluster.{spec.name}" for spec in dataclasses.fields(known) if _has(spec, ()))


def _has(spec: dataclasses.Field[Any], roles: Collection[str]) -> bool:
    role = spec.metadata.get("role")
    return role in roles if roles else role is not None


def measured_part(config: Config | Mapping[str, Any], *further: str) -> dict[str, Any]:
    """The part of a config that results depend on, as plain values.

    Args:
        config: a checked config, or one that was recorded.
        further: dotted keys that are left out as well.

    Of a recorded cluster whose kind is not installed any more, all keys count.
    """
    values = plain(config) if isinstance(config, Config) else config
    kind = values.get("cluster", {}).get("kind")
    part = without(values, {*keys_with(), *_cluster_keys(kind), _HYDRA, *further})
    storage = part.get("storage")
    if isinstance(storage, Mapping) and not any(value is not None for value in storage.values()):
        del part["storage"]  # no bucket is simulated
    return part


def without(values: Mapping[str, Any], keys: Collection[str], prefix: str = "") -> dict[str, Any]:
    """Nested values without some dotted keys."""
    return {
        key: without(value, keys, f"{prefix}{key}.") if isinstance(value, Mapping) else value
        for key, value in values.items()
        if f"{prefix}{key}" not in keys
    }
