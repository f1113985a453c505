"""Compute Engine's machine types: the aggregated list over all zones. A program, see `pages`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowerexp.rehearsal.pages import page, refused, serve

PROJECT = "flowerexp-tests"
_SIZES = {
    "n2-standard-4": (4, 16384),
    "e2-medium": (2, 4096),
    "c3d-standard-4": (4, 16384),
    "n9-standard-3": (3, 12544),
}
_ZONES = ("us-central1-a", "us-central1-b", "mars-north1-a")


def answer(path: str, query: Mapping[str, str]) -> tuple[int, Mapping[str, Any]]:
    """https://cloud.google.com/compute/docs/reference/rest/v1/machineTypes/aggregatedList."""
    found = re.fullmatch(r"/compute/v1/projects/([^/]+)/aggregated/machineTypes", path)
    if not found:
        return refused(404, "NOT_FOUND", f"no such resource: {path}")
    if found[1] != PROJECT:
        message = f"Required 'compute.machineTypes.list' permission for 'projects/{found[1]}'"
        return refused(403, "PERMISSION_DENIED", message)
    each = [(zone, name) for zone in _ZONES for name in _SIZES]
    some, following = page(each, query, "maxResults", 5)
    items: dict[str, Any] = {f"zones/{zone}": {"warning": {"code": "NO_RESULTS_ON_PAGE"}} for zone in _ZONES}
    for zone, name in some:
        items[f"zones/{zone}"] = place = items[f"zones/{zone}"] if "machineTypes" in items[f"zones/{zone}"] else {}
        cpus, memory = _SIZES[name]
        kind = {"name": name, "guestCpus": cpus, "memoryMb": memory, "isSharedCpu": name == "e2-medium", "zone": zone}
        place.setdefault("machineTypes", []).append(kind)
    return 200, {"kind": "compute#machineTypeAggregatedList", "items": items, "nextPageToken": following}


if __name__ == "__main__":
    serve("machine_types", answer)
