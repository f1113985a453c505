"""How a notebook shows an object of ours: a headline, a short table, and a sentence."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 20
"""Rows of a table that a notebook shows; all are in the data frame."""


def as_html(head: str, table: pd.DataFrame, answer: str) -> str:
    """A fragment of HTML.

    Args:
        head: the first line.
        table: what is shown, its first `MOST_ROWS` rows.
        answer: the sentence below it.
    """
    shown = table.head(MOST_ROWS).to_html(index=False, na_rep="", float_format=_number, border=0)
    more = f"<p>{len(table) - MOST_ROWS:,} more rows</p>" if len(table) > MOST_ROWS else ""
    return f"<p><b>{html.escape(head)}</b></p>{shown}{more}<p>{html.escape(answer)}</p>"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
