"""Compute Engine, as far as a region's quotas."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from flowerexp.rehearsal.pages import Answer, refused

_REGION = re.compile(r"/compute/v1/projects/[^/]+/regions/([^/]+)")


def answering(quotas: Callable[[str], Mapping[str, tuple[float, float]]]) -> Answer:
    """What it answers: https://cloud.google.com/compute/docs/reference/rest/v1/regions/get.

    Args:
        quotas: gives the limit and the usage of each metric of a region.
    """

    def answer(path: str, query: Mapping[str, str]) -> tuple[int, Mapping[str, Any]]:
        asked = _REGION.fullmatch(path)
        if asked is None:
            return refused(404, "NOT_FOUND", f"no such resource: {path}")
        found = [{"metric": metric, "limit": both[0], "usage": both[1]} for metric, both in quotas(asked[1]).items()]
        return 200, {"kind": "compute#region", "name": asked[1], "quotas": found}

    return answer
