"""Versions of Dataproc's images and serverless runtimes: their Python, and how long Google supports them."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flowerexp.errors import ConfigError

_FILE = Path(__file__).with_name("versions.yaml")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one, where PyYAML has it: it is ten times as fast
NEAR = datetime.timedelta(days=90)
"""How long before its support ends a plan says so."""
_LEAST_PYTHON = (3, 11)  # that the jobs' own code runs on


@dataclass(frozen=True)
class Version:
    """A line of versions, such as 2.3.

    Attributes:
        name: such as `2.3`.
        what: `image` or `runtime`.
        python: the Python that jobs run on, such as `3.11`.
        supported_until: the last day with updates; None where Google does not name it.
        available_until: the last day on which it can be used.
        said: what else a user should know.
    """

    name: str
    what: str
    python: str
    supported_until: datetime.date | None = None
    available_until: datetime.date | None = None
    said: tuple[str, ...] = ()

    def notes(self, today: datetime.date) -> Iterator[str]:
        """What to say of a cluster with this version: that its support has ended or ends soon, and what is special."""
        newest = ", ".join(sorted(_supported(self.what, today)))
        end, gone = self.supported_until, self.available_until
        if gone is not None and gone < today:
            yield f"Google names {gone} as the last day of {self.what} {self.name}; supported now: {newest}"
        elif end is not None and end < today:
            yield f"{self.what} {self.name} has had no support since {end}; supported now: {newest}"
        elif end is not None and end - today <= NEAR:
            yield f"the support of {self.what} {self.name} ends on {end}; supported now: {newest}"
        for each in self.said:
            yield f"{self.what} {self.name}: {each}"


@functools.cache
def _content() -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml.load(_FILE.read_text(encoding="utf-8"), _LOADER)
    return content


def known(what: str) -> dict[str, Version]:
    """The known lines of images (`image`) or runtimes (`runtime`), by name."""
    lines: Mapping[str, Mapping[str, Any]] = _content()[f"{what}s"]
    return {
        name: Version(name, what, said=tuple(line.get("notes", ())), **{k: v for k, v in line.items() if k != "notes"})
        for name, line in lines.items()
    }


def _supported(what: str, today: datetime.date) -> Iterator[str]:
    for version in known(what).values():
        if (version.supported_until or today) >= today and _is_new_enough(version):
            yield version.name


def _is_new_enough(version: Version) -> bool:
    return tuple(int(part) for part in version.python.split(".")) >= _LEAST_PYTHON


def find(what: str, version: str) -> Version | None:
    """The line that a version such as `2.2.75-debian12` belongs to; None if it is not known here."""
    return known(what).get(".".join(version.partition("-")[0].split(".")[:2]))


def check(what: str, version: str, *, staged: bool) -> None:
    """Refuse a version on which no job of ours can run.

    Args:
        what: `image` or `runtime`.
        version: as the config has it.
        staged: are packages to be staged for its Python? Then that must be known.

    Raises:
        ConfigError: its Python is too old, or unknown although packages are staged for it; or Google has withdrawn it.
    """
    key, line = f"cluster.{what}_version", find(what, version)
    usable = ", ".join(name for name, each in known(what).items() if _is_new_enough(each))
    if line is None:
        if staged:
            problem = f"the Python of {what} {version} is not known, so that no packages can be staged for it"
            hint = f"choose from {usable}, or set cluster.packages=image if it has the packages already"
            raise ConfigError(problem, where=key, hint=hint)
        return
    if not _is_new_enough(line):
        least = ".".join(map(str, _LEAST_PYTHON))
        problem = f"{what} {version} has Python {line.python}, and jobs need {least} or later"
        raise ConfigError(problem, where=key, hint=f"choose from {usable}")
    number, _, system = version.partition("-")
    if what == "image" and number in _content()["withdrawn_images"]:
        newest = f"{line.name}-{system}" if system else line.name
        problem = f"Google has withdrawn image {number}, so that no cluster can be created with it"
        raise ConfigError(problem, where=key, hint=f"set {key}={newest}, which is the newest release of {line.name}")


def python_of(what: str, version: str) -> str:
    """The Python of a version that `check` has let pass.

    Raises:
        ConfigError: it is not known.
    """
    check(what, version, staged=True)
    line = find(what, version)
    assert line is not None  # `check` refuses it
    return line.python
