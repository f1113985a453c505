"""Old names of keys: whoever writes one, or has recorded one, means the new one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

KEYS = {"preprocess.partitions": "preprocess.shards"}
"""Old keys, with dots, and today's."""

EXPERIMENTS = {"write_tfrecords": "write_shards"}
"""Old names of experiments, and today's."""

_OLD = re.compile(rf"^([+~]*)({'|'.join(map(re.escape, KEYS))})(?=$|=)")


def today(text: str) -> str:
    """A key, or an override that begins with one, by today's name."""
    return _OLD.sub(lambda found: found[1] + KEYS[found[2]], text)


def path_of(config_path: str) -> str:
    """The path of a config, such as `entrypoint/write_shards`, by today's name of an experiment."""
    group, slash, name = config_path.rpartition("/")
    return f"{group}{slash}{EXPERIMENTS.get(name, name)}" if group == "entrypoint" else config_path


def keys_of(value: Any) -> Any:
    """The same value, with keys of its mappings by today's names where they are old ones with dots."""
    if isinstance(value, dict):
        return {today(key) if isinstance(key, str) else key: keys_of(inner) for key, inner in value.items()}
    return [keys_of(inner) for inner in value] if isinstance(value, list) else value


def config_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config, or a part of one, with what is below its keys by today's names."""
    found = dict(config)
    for old, new in KEYS.items():
        (group, was), (_, name) = old.split("."), new.split(".")
        node = found.get(group)
        if isinstance(node, Mapping) and was in node:
            found[group] = {name if key == was else key: value for key, value in node.items()}
    return found
