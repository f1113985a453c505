"""What shell completion offers beside Hydra's overrides: flags, and the sweeps that commands take."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from flowerexp.config.places import default_home

_OF_SWEEPS = ("resume", "attach", "report")
"""The commands that take the folder of a sweep."""


def offered(command: str | None, typed: str, before: str = "") -> list[str]:
    """What a word may be that is neither a command nor an override.

    Args:
        command: the command before it; None where a run is described.
        typed: the word, as far as it goes.
        before: the word in front of it.
    """
    if (command, before) == ("rehearse", "--fault"):
        from flowerexp.rehearsal.plays import PLAYS

        return [fault for fault in PLAYS if fault.startswith(typed)]
    if typed.startswith("-"):
        return [flag for flag in (_flags(command) if command else _own_flags()) if flag.startswith(typed)]
    return [sweep for sweep in _sweeps() if sweep.startswith(typed)] if command in _OF_SWEEPS else []


def _own_flags() -> list[str]:
    from flowerexp.hydra_main import parser

    flags = [flag for action in parser()._actions for flag in action.option_strings]
    absent = ("--config-path", "--experimental-rerun")  # which flowerexp refuses
    return sorted(flag for flag in {*flags, "--version"} if flag.startswith("--") and flag not in absent)


def _flags(command: str) -> list[str]:
    """The flags of a command, as its help lists them."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        import_module(f"flowerexp.commands.{command}").main(["--help"])
    return sorted(set(re.findall(r"--[a-z][a-z-]*", text.getvalue())))


def _sweeps() -> Sequence[str]:
    """The folders of the sweeps that are here, the newest first, as they can be typed in the current folder."""
    home = default_home()
    folders = sorted((path.parent for path in home.glob("outputs/*/*/plan.json")), reverse=True)
    return [os.path.relpath(folder) if folder.is_relative_to(Path.cwd()) else str(folder) for folder in folders]
