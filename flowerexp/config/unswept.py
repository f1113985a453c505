"""Why a single run is refused that asks for a sweep: it would be made once, and say nothing of the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from flowerexp.config.origin import Origin
from flowerexp.config.overrides import Parser, refuse_sweep
from flowerexp.config.schema import Sweep
from flowerexp.errors import ConfigError

_HARMLESS = ("order", "seed")
"""Keys that say how a sweep is run: a config of your own may set them for all its sweeps."""


def refuse_sweeps(overrides: Sequence[str], hint: str) -> None:
    """Refuse overrides that sweep over values.

    Args:
        overrides: those of the command line.
        hint: what to do about it, such as ``add -m to run them all``.

    Raises:
        ConfigError: one of them does.
    """
    for override in Parser.create().parse_overrides(list(overrides)):
        refuse_sweep(override, hint)


def refuse_unswept(config: DictConfig, origin: Origin, hint: str) -> None:
    """Refuse a config for a single run whose node `sweep` describes a sweep.

    Args:
        config: the composed config, not checked yet.
        origin: how it was composed.
        hint: what to do about it.

    Raises:
        ConfigError: it does.
    """
    sweep: Any = OmegaConf.to_container(config, resolve=False).get("sweep")  # type: ignore[union-attr]
    for spec in dataclasses.fields(Sweep) if isinstance(sweep, dict) else ():
        value, key = sweep.get(spec.name), f"sweep.{spec.name}"
        if not value or value == spec.default:
            continue
        where = origin.of(key)
        if spec.name not in _HARMLESS or where == "command line":
            raise ConfigError(f"{key} has no effect on a single run", where=where, hint=hint)
