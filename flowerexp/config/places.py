"""Where things are: the files that ship with the package, and the folder that holds data and runs."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def _beside_or_inside(name: str) -> Path:
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def config_folder() -> Path:
    """The folder of the config groups that flowerexp ships."""
    return _beside_or_inside("conf")


def entry_folder() -> Path:
    """The folder of the entrypoint scripts that flowerexp ships."""
    return _beside_or_inside("spark_entry")


def default_home() -> Path:
    """The folder that data/, outputs/ and mlruns/ are in where no config says so; `conf/config.yaml` has the same."""
    return Path(os.environ.get("FLOWEREXP_HOME", ".")).absolute()


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
