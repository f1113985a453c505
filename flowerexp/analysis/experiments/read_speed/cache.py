"""Doubts about `read_speed` runs: was the page cache in a known state, the same in all repetitions?"""

from __future__ import annotations

import numpy as np

from flowerexp.measurements.table import Measurements


def doubts(first: Measurements) -> list[str]:
    """Why the state of the page cache makes measurements suspect, a sentence for each reason.

    Args:
        first: the first executions.
    """
    rows = first.where(first.has("page_cache"))
    places, names = rows.texts("page_cache")
    state = np.array([*names, "None"])[places]
    unknown = np.count_nonzero(~np.isin(state, ("cold", "warm", "remote", "simulated")))
    cells = len(rows.cell_keys)
    cold, warm = (np.bincount(rows.cells[state == name], minlength=cells) for name in ("cold", "warm"))
    mixed = np.count_nonzero((cold > 0) & (warm > 0))
    reasons = []
    if unknown:
        reasons.append(f"whether the page cache was warm is unknown for {unknown} of {len(rows)} measurements")
    if mixed:
        where = f"in {mixed} of {cells} cells"
        reasons.append(f"the page cache was cold in some repetitions and warm in others, {where}")
    return reasons
