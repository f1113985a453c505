"""Find runs that differ in one factor only: those are compared in pairs, because machines drift."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowerexp.config import Config


def apart_from(config: Config, factor: str) -> str:
    """A config without one factor, as text: runs with the same text differ in nothing else that results depend on.

    Args:
        config: a run's config.
        factor: a dotted key.
    """
    from flowerexp.config import measured_part

    return json.dumps(measured_part(config, factor), sort_keys=True)
