"""Shell completion: what Hydra offers, and the values that an experiment declares of its parameters and settings."""

from __future__ import annotations

import re
from typing import Any

from hydra.errors import HydraException
from hydra.plugins.completion_plugin import DefaultCompletionPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from flowerexp.config.hydra_private import get_args

_DECLARED = {"grid": "parameters", "entrypoint.settings": "limits"}
"""The nodes that hold values which an experiment declares, and where in its file it does so."""


def completions(plugin: Any, config_name: str | None, line: str) -> list[str]:
    """What the word may be that is being typed.

    Args:
        plugin: a completion plugin of Hydra's, which knows the config loader.
        config_name: the main config.
        line: what has been typed, without the program's name.
    """
    word = "" if line.endswith(" ") or not line else line.split()[-1]
    named = re.fullmatch(rf"([+~]*(?:sweep\.axes\.)?({'|'.join(map(re.escape, _DECLARED))}))\.(\w*)(=.*)?", word)
    if named is None:
        return list(DefaultCompletionPlugin._query(plugin, config_name, line))
    before, node, name, typed = named.groups()
    parsed = get_args(line.split())
    try:
        config = plugin.config_loader.load_configuration(
            config_name, parsed.overrides[:-1], RunMode.MULTIRUN if parsed.multirun else RunMode.RUN
        )
        declared, values = OmegaConf.select(config, f"entrypoint.{_DECLARED[node]}"), OmegaConf.select(config, node)
    except (HydraException, OmegaConfBaseException):
        return []
    if not isinstance(declared, DictConfig):
        return []
    if typed is None:
        return sorted(f"{before}.{known}=" for known in map(str, declared) if known.startswith(name))
    return [f"{before}.{name}={value}" for value in _values(declared.get(name), values, name, typed[1:])]


def _values(declared: Any, values: Any, name: str, typed: str) -> list[str]:
    """What a value may be: all that has been typed but its last item, and what that may be."""
    if declared is None:
        return []
    first, comma, last = typed.rpartition(",") if "," in typed else typed.rpartition("[")
    choices = declared.get("choices") or ([True, False] if declared.get("type") == "bool" else None)
    if choices is None:  # a number, or any text: what it is now
        now = OmegaConf.select(values, name) if isinstance(values, DictConfig) else None
        text = f"[{','.join(map(str, now))}]" if isinstance(now, ListConfig) else str(now)
        return [text] if now is not None and text.startswith(typed) else []
    texts = [str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in choices]
    taken = {*first.lstrip("[").split(",")}
    return [f"{first}{comma}{text}" for text in texts if text.startswith(last) and text not in taken]
