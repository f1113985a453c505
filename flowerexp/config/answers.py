"""What configs ask of Hydra's own node, as `${hydra:runtime.cwd}` does; answered before the run starts."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from flowerexp.errors import ConfigError

_ASKS_HYDRA = re.compile(r"\$\{[^}]*\bhydra\s*[:.}]")


def asks_hydra(text: str) -> bool:
    """Does a text hold an interpolation of Hydra's node?"""
    return bool(_ASKS_HYDRA.search(text))


@contextlib.contextmanager
def answering(config: DictConfig) -> Iterator[None]:
    """Let the Hydra node of a composed config answer; as things were afterwards.

    Args:
        config: the whole config, with Hydra's node.
    """
    before = HydraConfig.instance().cfg
    # `set_config` copies the node, which takes longer than most of what is asked.
    HydraConfig.instance().cfg = config  # type: ignore[assignment]
    OmegaConf.set_readonly(config.hydra, True)
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before
        OmegaConf.set_readonly(config.hydra, False)


def answer(config: DictConfig, below: DictConfig | None = None) -> None:
    """Replace every interpolation of Hydra's node by its value, but within that node; in place.

    Args:
        config: the whole config, with Hydra's node.
        below: the part of it in which to replace them; all of it by default.

    Raises:
        ConfigError: there is no such key, or it has no value before the run starts.
    """
    with answering(config):
        _fill_in(config if below is None else below)


def _fill_in(node: DictConfig | ListConfig) -> None:
    keys: Any = range(len(node)) if isinstance(node, ListConfig) else [key for key in node if key != "hydra"]
    for key in keys:
        child: Any = node._get_node(key)
        raw = child._value() if child is not None else None
        if isinstance(raw, str) and asks_hydra(raw):
            value = _value(node, key, raw)
            node[key] = copy.deepcopy(value) if isinstance(value, DictConfig | ListConfig) else value
        elif isinstance(child, DictConfig | ListConfig) and not child._is_none() and not child._is_missing():
            _fill_in(child)


def _value(node: DictConfig | ListConfig, key: Any, raw: str) -> Any:
    where = str(node._get_full_key(key))
    try:
        value = node[key]
    except OmegaConfBaseException as error:
        reason = " ".join(str(error.msg or error).split())
        raise ConfigError(f"{raw} cannot be resolved: {reason}", where=where) from error
    if value is None:
        raise ConfigError(f"{raw} has no value before the run starts", where=where)
    return value
