"""What batches have used, as Google measured it, in their jobs' folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flowerexp import records
from flowerexp.errors import DataError

USAGE = "usage.json"
_HOLDS: Mapping[str, Any] = {"milli_dcu_seconds": int, "shuffle_storage_gb_seconds": int}


def write(folder: Path, milli_dcu_seconds: int, shuffle_storage_gb_seconds: int) -> None:
    """Keep what a batch has used: Dataproc's `UsageMetrics`.

    Args:
        folder: its job's.
        milli_dcu_seconds: thousandths of a DCU, times seconds.
        shuffle_storage_gb_seconds: GB times seconds.

    Raises:
        OSError: it cannot be written.
    """
    content = {"milli_dcu_seconds": milli_dcu_seconds, "shuffle_storage_gb_seconds": shuffle_storage_gb_seconds}
    records.write(folder / USAGE, content)


def of_all(folders: Iterable[Path]) -> tuple[int, int] | None:
    """What the batches of some jobs have used together, in the order of `write`; None where that of one is missing."""
    dcu = shuffle = 0
    for folder in folders:
        try:
            found = records.read(folder / USAGE, _HOLDS)
        except (FileNotFoundError, DataError):
            return None
        dcu += found["milli_dcu_seconds"]
        shuffle += found["shuffle_storage_gb_seconds"]
    return (dcu, shuffle) if dcu else None
