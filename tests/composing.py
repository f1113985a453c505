"""Configs as the real command composes them, quickly: Hydra composes each choice of groups once in a process.

For tests of something else than composition. That both ways give the same, `tests/sweep/test_compose.py` shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra

from flowerexp import app
from flowerexp.config import Config, check
from flowerexp.config.omegaconf_private import parsed_once
from flowerexp.config.places import own_folder
from flowerexp.sweep.compose import Composer

_composers: dict[Path | None, Composer] = {}


def composed(overrides: Sequence[str]) -> Config:
    """What `app.composed` gives."""
    folder = own_folder()
    if folder not in _composers:
        _composers[folder] = Composer(app.create(), "config")
    with parsed_once():
        try:
            one = _composers[folder].compose(overrides)
        finally:
            GlobalHydra.instance().clear()
        return check(one.config, one.origin)
