"""The page about an experiment of your own, as something to follow: the files that it shows, and what is typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "your-own-experiment.md"


def steps() -> Iterator[tuple[str, str]]:
    """What to do, in the order of the page: `$` with a command line, or the name of a file with its content.

    A block in backticks is the file that the text before it named last; an indented line is typed.
    """
    named = ""
    for fenced, indented, text in re.findall(
        r"^```\w+\n(.*?)^```$|^ {4}(\S[^\n]*)$|^([^\n]*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        if fenced:
            yield named, fenced
        elif indented:
            yield "$", indented
        else:
            named = ([named, *re.findall(r"`([\w./]+\.(?:yaml|py))`", text)])[-1]


def files() -> dict[str, str]:
    """The files that the page shows, with their content."""
    return {name: content for name, content in steps() if name != "$"}
