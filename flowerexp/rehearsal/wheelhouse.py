"""Wheels of what is installed here, so that packages are staged without a package index: names, but no contents.

On the machines of a rehearsed cluster nothing is installed in earnest: a job imports this machine's own packages, as
far as their wheels were staged. So a wheel needs its metadata, by which pip finds out what else is wanted, and the
names of its files, by which the servers know which modules it brings; not the files themselves, which are gigabytes.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

MARK = "REHEARSAL"
"""A file in each such wheel's metadata."""
_DEPTH = 4  # parts of a path: enough to tell google.cloud.storage from google.cloud.dataproc_v1
_INSTEAD = {"tensorflow-cpu": "tensorflow"}
"""Distributions whose modules another one has, too."""


def build(folder: Path, requirements: Iterable[str]) -> None:
    """Write the wheels of requirements, and of all that they require in turn, as far as they are installed here.

    Args:
        folder: where to; made when it is missing.
        requirements: such as `numpy==2.4.6`. One of another version than the installed one gets no wheel of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    installed = {canonicalize_name(one.name): one for one in metadata.distributions()}
    waiting = [canonicalize_name(name) for name in map(_name, requirements) if name]
    done: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in done:
            continue
        done.add(name)
        found = installed.get(name) or installed.get(canonicalize_name(_INSTEAD.get(name, name)))
        if found is not None:
            _write(folder, name, found)
            waiting += [canonicalize_name(inner) for inner in map(_name, _requires(found)) if inner]


def _requires(one: metadata.Distribution) -> list[str]:
    return [line for line in one.requires or [] if "extra ==" not in line]


def _name(requirement: str) -> str:
    try:
        return Requirement(requirement).name
    except InvalidRequirement:  # which the product refuses in its own words
        return ""


def _write(folder: Path, name: str, one: metadata.Distribution) -> None:
    plain = name.replace("-", "_")
    wheel = folder / f"{plain}-{one.version}-py3-none-any.whl"
    if wheel.exists():
        return
    info = f"{plain}-{one.version}.dist-info"
    requires = [f"Requires-Dist: {line}" for line in _requires(one)]
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {one.version}", *requires, ""]
    files = {
        f"{info}/METADATA": "\n".join(lines),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: flowerexp\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/{MARK}": "",
    }
    names = [str(path) for path in one.files or [] if len(path.parts) <= _DEPTH and path.suffix in (".py", ".so")]
    files |= {path: "" for path in names if not path.startswith("..") and ".dist-info/" not in path}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    aside = wheel.with_suffix(".part")
    with zipfile.ZipFile(aside, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    aside.replace(wheel)
