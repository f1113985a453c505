"""Read a run's files through a simulated bucket, if its config asks for one (`storage.latency_ms` and the like)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flowerexp.storage import simulated
from flowerexp.workload import report
from flowerexp.workload.read_speed.readers import Source

FACT = "simulated_bucket"
"""The fact that says how fast the simulated bucket of a run was; a run without one does not have it."""


def moved(sources: Mapping[str, Source], config: Mapping[str, Any]) -> Mapping[str, Source]:
    """The sources of a run with the URIs of their files in a simulated bucket; without one, the sources as they are.

    The server of the bucket runs on the driver's machine, and ends with the driver. An earlier one of this driver ends.
    """
    pace = simulated.pace_of(config["storage"], config["measure"]["seed"])
    if pace is None:
        return sources
    folders = {os.path.dirname(uri) for source in sources.values() for uri in source.files}  # noqa: PTH120
    bucket = simulated.serve(pace, sorted(folders))
    report.fact(FACT, str(pace))
    report.note(f"the bucket is simulated: {pace}")
    return {reader: _in_bucket(source, bucket) for reader, source in sources.items()}


def _in_bucket(source: Source, bucket: simulated.Bucket) -> Source:
    files = [bucket.uri(path) for path in source.files]
    return replace(
        source, files=files, compressions={bucket.uri(path): kind for path, kind in source.compressions.items()}
    )
