"""Did the runs of a sweep read the same data? By the fingerprints that they reported, and the data as it is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flowerexp import index, records
from flowerexp.config.paths import data_folders
from flowerexp.errors import DataError, FlowerexpError
from flowerexp.journal import RECORD
from flowerexp.plan import PlannedRun


def other_data(runs: Sequence[PlannedRun]) -> str | None:
    """What to say of runs that were to read the same data, and did not; None where all is well."""
    return index.other_data((run.folder.name, run.config, _fingerprint(run.folder)) for run in runs)


def refuse_changed(done: Sequence[PlannedRun], missing: Sequence[PlannedRun], begun: Mapping[str, str | None]) -> None:
    """Refuse to run what is missing on data that is not that of what has been measured.

    Args:
        done: the runs that are done.
        missing: the others.
        begun: the fingerprint of the data that those of them read which were begun, by their folders' names.

    Raises:
        DataError: the data changed, as far as that can be seen from here.
    """
    fingerprints = [(run, begun.get(run.folder.name)) for run in missing]
    fingerprints += [(run, _fingerprint(run.folder)) for run in done]
    known = {index.data_asked(run.config): found for run, found in fingerprints if found is not None}
    seen: dict[str, str | None] = {}
    for run in missing:
        before = known.get(index.data_asked(run.config))
        now = index.current_fingerprint(run.config, seen) if before is not None else None
        if now is not None and now != before:
            place = next(iter(data_folders(run.config).values()), "the data set")
            raise DataError(
                f"{place} has changed since this sweep began, so new results would not be comparable",
                where="dataset",
                hint="bring the data back, start a new sweep, or mix them knowingly: flowerexp resume --changed-data",
            )


def _fingerprint(folder: Path) -> str | None:
    """That of the data that a run read, by its record; None where it reported none, or is damaged."""
    try:
        found = records.find(folder / RECORD, {"state": str, "facts": dict})
    except FlowerexpError:
        return None
    value = found["facts"].get("data_fingerprint") if found and found["state"] == "finished" else None
    return value if isinstance(value, str) else None
