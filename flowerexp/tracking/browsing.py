"""Open a page in a browser, where there is one with a window."""

from __future__ import annotations

import os
import sys
import webbrowser
from contextlib import suppress


def can_show() -> bool:
    """Whether this process has a display that a browser could use, or a browser of the user's choice (`BROWSER`)."""
    if os.environ.get("BROWSER") or sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_page(address: str) -> None:
    """Open a page; without a display nothing happens: a browser could only be one that takes over the terminal."""
    if can_show():
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(address)
