"""Follow a submitted job: read what its driver prints, pick out progress, and wait for its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from flowerexp.cluster import Submission

_POLL_SECONDS = 0.1
Listener = Callable[[dict[str, Any]], None]
Lines = Callable[[str], None]


def progress_of(line: str) -> dict[str, Any] | None:
    """The progress message in a line of a driver's output: `{"flowerexp": {...}}`; None for any other line."""
    if not line.startswith('{"flowerexp"'):
        return None
    try:
        message = json.loads(line)["flowerexp"]
    except (ValueError, KeyError):
        return None
    return message if isinstance(message, dict) else None


def follow(submission: Submission, listener: Listener, lines: Lines = lambda _: None) -> tuple[int, list[str]]:
    """Follow a job to its end.

    Args:
        submission: the running job.
        listener: called with each progress message.
        lines: called with each other line.

    Returns:
        The exit code, and the last lines that were no progress: what explains an end without results.
    """
    tail: list[str] = []
    while True:
        printed, code = submission.poll()
        for line in printed:
            message = progress_of(line)
            if message is not None:
                listener(message)
            elif line.strip():
                lines(line)
                tail = [*tail[-49:], line]
        if code is not None:
            return code, tail
        time.sleep(_POLL_SECONDS)
