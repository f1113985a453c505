"""Tables as plain text with aligned columns: the one way in which results, runs and clusters are listed on the screen.

Without `rich`, whose import takes longer than `flowerexp plan` may.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


def text_table(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Align the cells of each column.

    Args:
        rows: the head and the rows below it; all have as many cells.
        right: the places of the columns that are aligned on the right, as numbers are.

    Returns:
        A line for each row, with two spaces between columns; no line ends in spaces.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
