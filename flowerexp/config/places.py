"""Where things are: the files that ship with the package, a user's own configs, and the folder for data and runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowerexp.errors import ConfigError

PACKAGE = Path(__file__).resolve().parents[1]
OWN = "conf"
"""The name of the folder below the current one that holds the user's own configs."""
PROVIDER = "own"
"""What Hydra calls the source of the user's own configs, in the files that it leaves."""

CONFIG = "FLOWEREXP_CONFIG"
"""The environment variable that names the folder with the user's own configs."""
_named: str | None = None  # by `--config-dir`


def _beside_or_inside(name: str) -> Path:
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def config_folder() -> Path:
    """The folder of the config groups that flowerexp ships."""
    return _beside_or_inside("conf")


def entry_folder() -> Path:
    """The folder of the entrypoint scripts that flowerexp ships."""
    return _beside_or_inside("spark_entry")


@contextmanager
def using(named: str | None) -> Iterator[None]:
    """Take the folder that the command line names with `--config-dir` for the user's own, as long as this is entered.

    Args:
        named: the folder; None where the command line names none.
    """
    global _named
    before, _named = _named, named
    try:
        yield
    finally:
        _named = before


def own_folder(named: str | Path | None = None) -> Path | None:
    """The folder of the user's own configs, which come before the shipped ones; None if there is none.

    It is the first of these: the one that is named with `--config-dir`; the one in FLOWEREXP_CONFIG, where an empty
    value means none; `conf/` below the current folder, unless that `belongs_to_another`.

    Args:
        named: the folder that a caller names, in the place of `--config-dir`.

    Raises:
        ConfigError: what is named is not a folder.
    """
    named, variable = _named if named is None else named, os.environ.get(CONFIG)
    if named is not None:
        return _existing(named, "command line: --config-dir")
    if variable is not None:
        return _existing(variable, CONFIG) if variable else None
    folder = Path(OWN).absolute()
    return folder if folder.is_dir() and not belongs_to_another(folder) else None


def _existing(name: str | Path, where: str) -> Path:
    folder = Path(name).expanduser().absolute()
    if not name or not folder.is_dir():
        raise ConfigError(f"{name or 'nothing'} is not a folder", where=where, hint="name the one with your configs")
    return folder


def belongs_to_another(folder: Path) -> bool:
    """Does a config folder have a main config, as flowerexp's and other Hydra applications' have?

    Such a folder is taken only where it is named: its main config would take the place of ours.
    """
    return (folder / "config.yaml").exists()


def passed_over() -> str | None:
    """Why `conf/` below the current folder is not taken; None where it is, or is not there, or is flowerexp's own."""
    folder = Path(OWN).absolute()
    if own_folder() or not belongs_to_another(folder) or folder.samefile(config_folder()):
        return None
    return f"{OWN}/ here has a config.yaml, as other Hydra applications do, so it is read only with --config-dir {OWN}"


def flags_for(folder: Path, current: Path) -> list[str]:
    """The flags of a command that takes the configs of a folder, as it is typed in the current one."""
    return ["--config-dir", os.path.relpath(folder, current)]


def default_home() -> Path:
    """The folder that data/, outputs/ and mlruns/ are in where no config says so; `conf/config.yaml` has the same."""
    return Path(os.environ.get("FLOWEREXP_HOME", ".")).absolute()


REHEARSED = "REHEARSED"
"""A file in the home folder of rehearsals: the runs below it were never in a cloud."""


def is_rehearsed(folder: Path) -> bool:
    """Is the folder of a sweep or run in the home folder of rehearsals?"""
    return any((above / REHEARSED).exists() for above in folder.absolute().parents)


def group_options(folder: Path | None = None) -> dict[str, list[str]]:
    """The config groups and the options of each, read from the file names alone.

    Args:
        folder: a config folder; by default the shipped one.
    """
    folder = folder or config_folder()
    return {
        group.name: sorted(option.stem for option in group.glob("*.yaml"))
        for group in sorted(folder.iterdir())
        if group.is_dir() and group.name != "hydra"
    }
