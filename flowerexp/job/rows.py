"""Rows of a run whose job ended without its results: they are kept, and the next attempt goes on from there.

While a run is measured, its rows appear below its output as parts, `rows/NNNNN.jsonl`, and beside them `attempt.json`,
which says whose they are. What all attempts so far have measured lies in the run's own folder, as `earlier/`, while
another attempt is made, and is named by the job file of that one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowerexp import records, storage
from flowerexp.errors import DataError
from flowerexp.plan import PlannedRun
from flowerexp.workload.report import ATTEMPT

ROWS = "rows"
EARLIER = "earlier"
MEASUREMENTS = "measurements.jsonl"
_PART = "00001.jsonl"
_WHOSE = "whose.json"
_WANTED = {
    "token": str,
    "started_at": records.NUMBER,
    "facts": dict,
    "phases": {"*": records.NUMBER},
    "notes": [str],
}
_KEPT = {"run_key": str, "code_hash": str, "data_fingerprint": str | None, "rows": str}


@dataclass(frozen=True)
class Kept:
    """What the attempts of a run have measured so far.

    Attributes:
        rows: as lines of JSON.
        data_fingerprint: that of the data that they were measured on; None where no attempt got as far as reporting it.
    """

    rows: tuple[str, ...] = ()
    data_fingerprint: str | None = None


def begun(results: Path, token: str | None) -> dict[str, Any] | None:
    """What an attempt without results wrote of itself; None if it did not even begin, or if that is damaged.

    Args:
        results: the folder where what it left is now, see `fetch`.
        token: the attempt's; what another attempt wrote does not count.
    """
    try:
        return _begun(str(results), token)
    except (OSError, DataError):
        return None


def _begun(output: str, token: str | None) -> dict[str, Any] | None:
    """The same, wherever it lies.

    Raises:
        OSError: it cannot be read.
        DataError: it is damaged.
    """
    path = storage.join(output, ATTEMPT)
    try:
        found = records.parse(storage.read_bytes(path), path, _WANTED) if token else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found if found and found["token"] == token else None


def fetch(run: PlannedRun, output: str, token: str | None) -> None:
    """Bring what an attempt has measured into its run's folder, as the measurements of a run that did not end.

    Args:
        run: the run.
        output: the path or URI that the attempt's job was given.
        token: the attempt's.

    Raises:
        OSError: it cannot be read or written.
        DataError: it is damaged.
    """
    results = run.folder / "results"
    if _begun(output, token) is None:
        return
    if not storage.is_local(output):
        for name in (ATTEMPT, *(f"{ROWS}/{name}" for name in _parts(output))):
            storage.write_bytes(str(results / name), storage.read_bytes(storage.join(output, name)))
    if lines := _united(run, output):
        storage.write_bytes(str(results / MEASUREMENTS), "".join(lines).encode())


def kept(run: PlannedRun, output: str, token: str | None) -> Kept:
    """What the attempts of a run have measured that the next one need not measure again.

    Only rows that say which attempt they are of can be gone on from: an entrypoint that yields rows by itself measures
    everything again.

    Args:
        run: the run, as it would be made now.
        output: the path or URI that the last attempt's job was given.
        token: the last attempt's.

    Raises:
        OSError: it cannot be read.
        DataError: it is damaged.
    """
    attempt, before = _begun(output, token), _before(run)
    lines = _united(run, output) if attempt else before.rows
    fingerprint = attempt["facts"].get("data_fingerprint") if attempt else None
    goes_on = tuple(line for line in lines if "attempt" in json.loads(line))
    return Kept(goes_on, fingerprint or before.data_fingerprint)


def keep(run: PlannedRun, found: Kept) -> None:
    """Lay what was measured aside for the next attempt, or forget what lies there.

    Raises:
        OSError: no room, no permission.
    """
    folder = run.folder / EARLIER
    if not found.rows:
        forget(run)
        return
    content = "".join(found.rows).encode()
    whose = {"run_key": run.run_key, "code_hash": run.code_hash, "data_fingerprint": found.data_fingerprint}
    storage.write_bytes(str(folder / _PART), content)
    records.write(folder / _WHOSE, {**whose, "rows": hashlib.sha256(content).hexdigest()})


def forget(run: PlannedRun) -> None:
    """Remove the rows of earlier attempts and the parts, as when the whole results are there."""
    for path in (run.folder / EARLIER, run.folder / "results" / ROWS):
        shutil.rmtree(path, ignore_errors=True)


def clear(output: str) -> None:
    """Remove from a bucket what would be taken for the rows of the next attempt.

    Raises:
        OSError: the bucket cannot be changed.
    """
    for name in (ATTEMPT, *(f"{ROWS}/{name}" for name in _parts(output))):
        storage.remove(storage.join(output, name))


def earlier(run: PlannedRun, output: str) -> list[str]:
    """The folders of rows that a job file names for a run: of this machine, or where its cluster can read them.

    Args:
        run: the run.
        output: the path or URI that its job is given.

    Raises:
        OSError: they cannot be written there.
    """
    if not _before(run).rows:
        return []
    if storage.is_local(output):
        return [str(run.folder / EARLIER)]
    there = storage.join(output, EARLIER)
    storage.write_bytes(storage.join(there, _PART), (run.folder / EARLIER / _PART).read_bytes())
    return [there]


def _before(run: PlannedRun) -> Kept:
    """What lies aside for a run; nothing where that was measured by other code, for another run, or is damaged."""
    folder = run.folder / EARLIER
    try:
        whose = records.find(folder / _WHOSE, _KEPT)
        content = (folder / _PART).read_bytes() if whose else b""
    except (DataError, FileNotFoundError):
        return Kept()
    own = {"run_key": run.run_key, "code_hash": run.code_hash, "rows": hashlib.sha256(content).hexdigest()}
    if not whose or not own.items() <= whose.items():
        return Kept()
    return Kept(tuple(content.decode().splitlines(keepends=True)), whose["data_fingerprint"])


def _united(run: PlannedRun, output: str) -> list[str]:
    """The rows of all attempts, each once; those of the last one alone where it did not go on from the others.

    Raises:
        OSError: a part cannot be read.
        DataError: a part is damaged.
    """
    own = [line for name in _parts(output) for line in _lines(storage.join(output, ROWS, name))]
    goes_on = all("attempt" in json.loads(line) for line in own)
    return list(dict.fromkeys([*(_before(run).rows if goes_on else ()), *own]))


def _lines(part: str) -> list[str]:
    text = storage.read_bytes(part)
    try:
        lines = text.decode().splitlines()
        if not all(isinstance(json.loads(line), dict) for line in lines):
            raise ValueError("a line holds no row")
    except ValueError as error:  # also bytes that are not UTF-8
        raise records.damaged(part, str(error)) from error
    return [f"{line}\n" for line in lines]


def _parts(output: str) -> list[str]:
    """The names of the parts below an output, in the order in which they appeared."""
    try:
        names = [entry.relative for entry in storage.list_files(storage.join(output, ROWS))]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted((name for name in names if name.removesuffix(".jsonl").isdigit()), key=lambda name: (len(name), name))
