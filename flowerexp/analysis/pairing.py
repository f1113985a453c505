"""Runs of one config but for one factor: what is compared pairwise, since machines drift."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowerexp.config import Config


def apart_from(config: Config, factor: str) -> str:
    """What a config says but for one factor, as text: runs that agree in it differ in nothing else that matters.

    Args:
        config: a run's config.
        factor: a dotted key.
    """
    from flowerexp.config import measured_part

    return json.dumps(measured_part(config, factor), sort_keys=True)
