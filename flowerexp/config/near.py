"""Which key may have been meant by one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flowerexp.errors import did_you_mean

_FIRST = ("grid", "measure", "entrypoint.settings")
"""Where a name is looked for first: most of what is set is there."""
_NOT_SET = (
    "entrypoint.parameters",
    "entrypoint.limits",
    "entrypoint.phases",
    "entrypoint.requires",
    "entrypoint.requires_for",
    "hydra",
)
"""Nodes that say what may be set, rather than set something."""


def meant(key: str, config: Mapping[str, Any], more: Iterable[str] = ()) -> str | None:
    """What to say of a key that does not exist.

    Args:
        key: with dots, such as ``grid.repetitions``.
        config: the whole config, as plain values.
        more: what else may stand in the place of the key's first part, such as config groups.

    Returns:
        ``did you mean 'measure.repetitions'?``: the key of that name elsewhere, else the one that is nearest on the
        level where the key goes wrong; or what there is on that level; or None.
    """
    *before, last = key.split(".")
    node: Any = config
    done = ""
    for part in (*before, last):
        known = {str(name) for name in node} if isinstance(node, Mapping) else set()
        if not isinstance(node, Mapping) or part not in node:
            return _elsewhere(last, config) or _on_the_level(part, done, known | set(() if done else more))
        node, done = node[part], f"{done}{part}."
    return None


def _elsewhere(name: str, config: Mapping[str, Any]) -> str | None:
    found = [key for key in _keys(config) if key.rpartition(".")[2] == name]
    best = next((key for node in _FIRST for key in found if key == f"{node}.{name}"), None)
    best = best or (found[0] if len(found) == 1 else None)
    return f"did you mean '{best}'?" if best else None


def _keys(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if key in _NOT_SET:
            continue
        if isinstance(value, Mapping):
            yield from _keys(value, f"{key}.")
        else:
            yield key


def _on_the_level(part: str, done: str, known: set[str]) -> str | None:
    hint = did_you_mean(part, known - {"hydra"})
    return hint.replace("'", f"'{done}", 1) if hint and hint.startswith("did you mean") else hint
