"""What has changed since a run was logged: code, versions, machine and data."""

from __future__ import annotations

import platform
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from flowerexp import index
from flowerexp.cluster import java
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
from flowerexp.config.schema import Config
from flowerexp.errors import FlowerexpError
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.provenance import provenance

DATA = "data"
_COMMIT = "git commit"
_COMMIT_LENGTH = 12
_NAMES = {
    "code_hash": "code (hash)",
    "mlflow.source.git.commit": _COMMIT,
    "git_dirty": "git changes",
    "spark": "Spark",
    "java": "Java",
    "python": "Python",
    "host": "host",
    "platform": "platform",
    "cores": "cores",
    "data_fingerprint": DATA,
}
"""The tags that say what a run was made with, with their names on screen."""
_PACKAGE = "version."
_UNKNOWN = "not recorded"
_ABSENT = "not installed"


@dataclass(frozen=True)
class Change:
    """A value that has changed since a run was made."""

    what: str
    then: str
    now: str


def made_with(tags: Mapping[str, str]) -> dict[str, str]:
    """What a run was made with, by its name on screen."""
    named = {name: tags[tag] for tag, name in _NAMES.items() if tag in tags}
    if _COMMIT in named:
        named[_COMMIT] = named[_COMMIT][:_COMMIT_LENGTH]
    return named | {tag.removeprefix(_PACKAGE): value for tag, value in tags.items() if tag.startswith(_PACKAGE)}


def here(config: Config) -> dict[str, str]:
    """What a run with this config would be made with now; nothing is started, and unknown values are left out.

    Args:
        config: the checked config.

    Raises:
        FlowerexpError: the entrypoint's script does not exist.
    """
    script = find_script(config.entrypoint.script)
    facts = provenance(script)
    tags = {key: value if isinstance(value, str) else str(value).lower() for key, value in facts.items()}
    tags["code_hash"] = Bundle(script).code_hash
    if "git_commit" in tags:
        tags["mlflow.source.git.commit"] = tags.pop("git_commit")
    kind = kind_of(config.cluster)
    if kind.on_this_machine:  # what another machine runs on is known only when it runs
        tags |= {"spark": version("pyspark"), "python": platform.python_version()}
        tags |= {"host": socket.gethostname(), "platform": platform.platform()}
        size = kind.size(Prices.of(config.budget, config.cluster))
        tags |= {"cores": f"{size.vcpus_per_node * size.nodes:g}"} if size else {}
        tags |= {"java": java_version} if (java_version := _java()) else {}
    data = index.current_fingerprint(config)
    return made_with(tags | ({"data_fingerprint": data} if data else {}))


def _java() -> str | None:
    """The version of the Java that Spark would use, from its `release` file; None if that has none."""
    try:
        text = (java.find().home / "release").read_text(encoding="utf-8")
    except (OSError, FlowerexpError):
        return None
    match = re.search(r'^JAVA_VERSION="([^"]+)"', text, re.MULTILINE)
    return match[1] if match else None


def drift(then: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    """The changes; a package that was added or removed counts, a fact that only one side has does not.

    Args:
        then: what a run was made with, see `made_with`.
        now: what it would be made with, see `here`.
    """
    packages = {name for name in (*then, *now) if name not in _NAMES.values()}
    changes = []
    for name in dict.fromkeys((*_NAMES.values(), *sorted(packages))):
        old = then.get(name, _ABSENT if name in packages else None)
        new = now.get(name, _ABSENT if name in packages else None)
        if new is not None and old != new and (old is not None or name != DATA):  # not every run lists its data
            changes.append(Change(name, old or _UNKNOWN, new))
    return changes
