"""Names that users chose (folders, classes, values), made harmless for what they are shown in."""

from __future__ import annotations

import html
import re
from typing import TypeVar

T = TypeVar("T")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_MARKUP = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])")
_BLOCK = re.compile(r"^(\d*)([#+=.)-])")  # a list, a title


def printable(text: str) -> str:
    """Text for a terminal: control characters, which could move its cursor or rewrite lines, become their codes."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def csv_cell(value: T) -> T | str:
    """A cell of a CSV file: a spreadsheet would take text that begins with =, +, - or @ for a formula, and run it.

    Args:
        value: of a cell or a column's name. Numbers, also those written as text, stay as they are.
    """
    if not isinstance(value, str) or not value.startswith(_FORMULA) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is not None


def markdown(text: object) -> str:
    """Text for Markdown, in which nothing of it is markup: neither HTML, nor links, emphasis and code."""
    plain = html.escape(printable(" ".join(str(text).split("\n"))), quote=False)
    return _MARKUP.sub(lambda found: f"\\{found[0]}", plain)


def markdown_cell(text: object) -> str:
    """The same for a cell of a table."""
    return markdown(text).replace("|", "\\|")


def markdown_prose(text: str) -> str:
    """The same for a paragraph in which what stands between backticks is code."""
    parts = re.split(r"`([^`\n]+)`", text)
    # A code span shows all as it is, but only a span that nothing in it can end.
    kept = [
        f"`{part}`" if place % 2 and not re.search(r"[<>&\\]", part) else markdown(part)
        for place, part in enumerate(parts)
    ]
    return _BLOCK.sub(r"\1\\\2", "".join(kept).strip())
