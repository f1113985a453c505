"""Where a value was set, so that an error can name the file and the key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from flowerexp.config.renamed import today


@dataclass(frozen=True)
class Origin:
    """What is known of how a config was composed.

    Attributes:
        overrides: the command line's overrides, in order.
        choices: the option chosen in each config group, such as ``{"grid": "quick"}``.
        folders: the config folders, the one that wins first.
        config: what was composed, before interpolations were resolved.
    """

    overrides: Sequence[str] = ()
    choices: Mapping[str, str | None] = field(default_factory=dict)
    folders: Sequence[Path] = ()
    config: DictConfig | None = None

    @cached_property
    def links(self) -> Mapping[str, str]:
        """Keys whose value is that of another key, such as ``{"cluster.region": "gcp.region"}``; only messages ask."""
        return {} if self.config is None else dict(_links(OmegaConf.to_container(self.config), ""))

    def source(self, key: str) -> str:
        """The key that a key's value comes from, by the config files: the one to change when the value is wrong."""
        seen = set()
        while key in self.links and key not in seen and not self._typed(key):
            seen.add(key)
            key = self.links[key]
        return key

    def of(self, key: str) -> str:
        """Name the place where a key was set.

        Args:
            key: the key with dots, such as ``grid.batch_size``.

        Returns:
            ``command line``, ``conf/grid/quick.yaml: batch_size``, or ``config: KEY`` where it is
            not known.
        """
        return "command line" if self._typed(key) else self._in_files(key) or f"config: {key}"

    def _typed(self, key: str) -> bool:
        for override in self.overrides:
            name = today(override).partition("=")[0].lstrip("+~").partition("@")[0]
            touches = name == key or key.startswith(f"{name}.") or name.startswith(f"{key}.")
            if touches and "/" not in name and name not in self.choices:
                return True
        return False

    def _in_files(self, key: str) -> str | None:
        experiment = self.choices.get("experiment")
        group, _, rest = key.partition(".")
        candidates = [("experiment/" + experiment, key)] if experiment else []
        candidates += [(f"{name}/{option}", key) for name, option in self.choices.items() if name != group and option]
        if self.choices.get(group):
            candidates.insert(1 if experiment else 0, (f"{group}/{self.choices[group]}", rest))
        candidates.append(("config", key))
        for name, inner in candidates:
            for folder in self.folders:
                found = _file_with(folder, name, inner)
                if found:
                    return f"{found}: {inner or key}"
        return None


def _links(node: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """The keys whose value is another key's, by nothing but `${KEY}`."""
    for name, value in node.items() if isinstance(node, dict) else ():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _links(value, f"{key}.")
        elif isinstance(value, str) and (other := re.fullmatch(r"\$\{([a-z_]+(?:\.[a-z_]+)*)\}", value)):
            yield key, other[1]


def _file_with(folder: Path, name: str, key: str) -> str | None:
    """The file that sets `key`: a config's own, or that of the one it is based on; named with its folder alone."""
    path = folder / f"{name}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError):
        return None
    if not isinstance(content, dict):
        return None
    node = content
    for part in key.split(".") if key else []:
        if not isinstance(node, dict) or part not in node:
            break
        node = node[part]
    else:
        return f"{folder.name}/{name}.yaml"
    for base in content.get("defaults", []):
        if isinstance(base, str) and base != "_self_":
            found = _file_with(folder, str(Path(name).parent / base), key)
            if found:
                return found
    return None
