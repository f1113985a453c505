"""Where runs and sweeps are looked for: below a home, and in an MLflow store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from flowerexp.config.places import default_home
from flowerexp.lookup.saved import OUTPUTS

if TYPE_CHECKING:
    from flowerexp.config import Config
    from flowerexp.tracking import Store

KEYS = ("home", "tracking")
"""The config keys that name a place."""

_TIME = len("HH-MM-SS")


@dataclass(frozen=True)
class Place:
    """A home and a store; both are found out when they are needed, since to compose a config takes a moment.

    Attributes:
        overrides: those that name them, such as `home=...` or `tracking.uri=...`.
    """

    overrides: Sequence[str] = ()

    @classmethod
    def at(cls, home: str | Path | None) -> Place:
        """The place of a home; without one, the default."""
        return cls() if home is None else cls([f"home={quoted(Path(home).absolute())}"])

    @cached_property
    def config(self) -> Config:
        """A config of this place.

        Raises:
            ConfigError: an override is wrong.
        """
        from flowerexp.app import composed

        return composed(self.overrides)

    @cached_property
    def home(self) -> Path:
        """The folder that `outputs` is in."""
        return Path(self.config.home).absolute() if self.overrides else default_home()

    @cached_property
    def store(self) -> Store:
        """The MLflow store."""
        from flowerexp.tracking import Store

        return Store.of(self.config.tracking)

    @property
    def folders(self) -> list[Path]:
        """The folders of all sweeps and single runs, the oldest first.

        Their names tell the second they began in. Of two in the same second, the one whose file was written first is
        the older: the end of a name is random.
        """
        found = [path for name in ("plan", "run") for path in self.home.glob(f"{OUTPUTS}/*/*/{name}.json")]
        began = {path.parent: (path.parts[-3], path.parent.name[:_TIME], path.stat().st_mtime_ns) for path in found}
        return sorted(began, key=lambda folder: (*began[folder], folder.name))


def quoted(path: Path) -> str:
    """A path as a value in Hydra's grammar, whatever characters it has."""
    text = str(path).replace("'", "\\'")
    return f"'{text}'"


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names and overrides among the words of a command line.

    A name may have a `=`: of a run in MLflow behind a space, of a folder behind a slash.
    """
    overrides = [word for word in words if re.match(r"[^ /=]+=", word)]
    return [word for word in words if word not in overrides], overrides
