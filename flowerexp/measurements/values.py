"""Values of a table of measurements, as people read them."""

from __future__ import annotations

import json
import math


def as_text(value: object) -> str:
    """A value as text; true and false as in JSON."""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def as_number(value: float) -> float | None:
    """A number of Python, whole ones as int; None for NaN."""
    return None if math.isnan(value) else int(value) if value.is_integer() else float(value)
