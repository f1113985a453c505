"""Tables as plain text with aligned columns: the one way in which results, runs and clusters are listed on the screen.

Without `rich`, whose import takes longer than `flowerexp plan` may.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Collection, Sequence
from typing import IO

_GAP = 2  # spaces between columns


def text_table(rows: Sequence[Sequence[str] | str], right: Collection[int] = (), width: int | None = None) -> str:
    """Align the cells of each column.

    A table that is wider than the screen is shown in parts, one below the other, each with the first column; a cell
    that is wider by itself takes several lines.

    Args:
        rows: the head and the rows below it; all have as many cells. A text is a line across all columns.
        right: the places of the columns that are aligned on the right, as numbers are.
        width: how many columns the screen has, 0 for as many as it takes; that of standard output by default.

    Returns:
        A line for each row, with two spaces between columns; no line ends in spaces.
    """
    width = width_of(sys.stdout) if width is None else width
    widths = [max(map(len, column)) for column in zip(*(row for row in rows if not isinstance(row, str)), strict=True)]
    parts: list[list[int]] = [list(range(len(widths)))]
    if width and sum(widths) + _GAP * (len(widths) - 1) > width:
        first = min(widths[0], width // 2)
        widths = [first, *(min(one, max(1, width - first - _GAP)) for one in widths[1:])]
        parts = _parts(widths, width)
    return "\n\n".join("\n".join(_lines(rows, places, widths, right)) for places in parts)


def _parts(widths: Sequence[int], width: int) -> list[list[int]]:
    """The places of the columns of each part: the first, and as many others as fit beside it."""
    parts = [[0]]
    for place in range(1, len(widths)):
        taken = sum(widths[other] + _GAP for other in parts[-1])
        if len(parts[-1]) > 1 and taken + widths[place] > width:
            parts.append([0])
        parts[-1].append(place)
    return parts


def _lines(
    rows: Sequence[Sequence[str] | str], places: Sequence[int], widths: Sequence[int], right: Collection[int]
) -> list[str]:
    lines = []
    for row in rows:
        if isinstance(row, str):
            lines.append(row)
            continue
        cells = {place: _folded(row[place], widths[place]) for place in places}
        for line in range(max(map(len, cells.values()))):
            texts = [
                (cells[place][line] if line < len(cells[place]) else "", widths[place], place in right)
                for place in places
            ]
            aligned = (text.rjust(width) if rights else text.ljust(width) for text, width, rights in texts)
            lines.append((" " * _GAP).join(aligned).rstrip())
    return lines


def _folded(cell: str, width: int) -> list[str]:
    return [cell] if len(cell) <= width else textwrap.wrap(cell, width)


def width_of(stream: IO[str]) -> int:
    """How many columns a stream has, by its terminal or the variable COLUMNS; 0 for as many as it takes."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit():
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):  # a stream that is no file
        return 0
