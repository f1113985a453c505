"""Runs of one config but for one factor: what is compared pairwise, since machines drift."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowerexp.config import Config

# Not part of what a run measures: where it is kept, logged and planned.
_ELSEWHERE = ("home", "storage", "tracking", "sweep", "skip_finished", "hydra")


def apart_from(config: Config, factor: str) -> str:
    """What a config says but for one factor, as text: runs that agree in it differ in nothing else that matters.

    Args:
        config: a run's config.
        factor: a dotted key.
    """
    from flowerexp.config import plain

    return json.dumps(_without(plain(config), (*_ELSEWHERE, factor)), sort_keys=True)


def _without(config: Mapping[str, Any], keys: tuple[str, ...], prefix: str = "") -> dict[str, Any]:
    return {
        key: _without(value, keys, f"{prefix}{key}.") if isinstance(value, Mapping) else value
        for key, value in config.items()
        if f"{prefix}{key}" not in keys
    }
