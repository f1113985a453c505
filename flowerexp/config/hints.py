"""The types of a config class's fields: evaluated once for all who ask, since that takes longer than a check."""

from __future__ import annotations

import functools
import typing
from typing import Any


@functools.cache
def hints_of(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields by their names."""
    return typing.get_type_hints(kind)
