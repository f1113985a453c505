"""Was the page cache as it was meant to be?"""

from __future__ import annotations

import numpy as np

from flowerexp.measurements.table import Measurements


def doubts(first: Measurements) -> list[str]:
    """Why the state of the page cache makes measurements suspect, a sentence a reason.

    Args:
        first: the first executions.
    """
    told = first.where(first.has("page_cache"))
    places, names = told.texts("page_cache")
    state = np.array([*names, "None"])[places]
    unknown = np.count_nonzero(~np.isin(state, ("cold", "warm", "remote")))
    cells = len(told.cell_keys)
    cold, warm = (np.bincount(told.cells[state == name], minlength=cells) for name in ("cold", "warm"))
    mixed = np.count_nonzero((cold > 0) & (warm > 0))
    reasons = []
    if unknown:
        reasons.append(f"whether the page cache was warm is unknown for {unknown} of {len(told)} measurements")
    if mixed:
        where = f"in {mixed} of {cells} cells"
        reasons.append(f"the page cache was cold in some repetitions and warm in others, {where}")
    return reasons
