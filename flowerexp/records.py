"""JSON files of flowerexp: written whole with a seal, and checked when read, so that damage is reported with its file.

A seal is a hash of what else the file holds. A file without one, as an earlier version wrote it, is read as it is.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowerexp.errors import DataError, from_os_error
from flowerexp.storage import write_bytes

Json = dict[str, Any]

SEAL = "seal"
CHANGED = "it was changed after it was written"
NUMBER = int | float
RUN: Mapping[str, Any] = {
    "run_key": str,
    "name": str,
    "entrypoint": str,
    "config": dict,
    "state": str,
    "error": str | None,
    "started_at": NUMBER,
    "ended_at": NUMBER | None,
    "phases": {"*": NUMBER},
    "facts": dict,
    "verdict": dict | None,
}
"""What a run's record, `run.json`, holds at least."""
SUMMARY: Mapping[str, Any] = {
    "experiment": {"name": str, "unit": str, "value": str},
    "groups": [{"name": str, "value": NUMBER | None, "rate": NUMBER | None, "measurements": int}],
}
"""What `analysis/summary.json` holds at least."""
NOTE: Mapping[str, Any] = {"stores": [{"uri": str, "token": str, "run_id": str | None}]}
"""What `mlflow.json` holds: where a run was logged to."""


def write(path: Path, content: Mapping[str, Any], indent: int | None = 1, mode: int = 0o666) -> None:
    """Write an object, with its seal.

    Args:
        path: the file's.
        content: the object; all keys are strings.
        indent: of the JSON; None writes one line.
        mode: the file's permissions, less the process's umask.

    Raises:
        OSError: no room, no permission.
    """
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps({**content, SEAL: _seal(content)}, indent=indent, separators=separators)
    write_bytes(str(path), text.encode(), mode=mode)


def read(path: Path, wanted: Mapping[str, Any] | None = None) -> Json:
    """Read one of these files.

    Args:
        path: the file's.
        wanted: what it must hold: for each key a type or a union of types; a mapping, of which the key ``*`` stands
            for all keys; or a list with what each of its values must be.

    Returns:
        The object, without its seal.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: it is damaged; the message names the file.
        MachineError: it cannot be read.
    """
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    except OSError as error:
        raise from_os_error(error, "reading") from error
    return parse(text, path, wanted)


def parse(text: bytes, place: Path | str, wanted: Mapping[str, Any] | None = None) -> Json:
    """The object in a file's content, checked as `read` does.

    Args:
        text: the content.
        place: the file's path or URI, for messages.
        wanted: see `read`.

    Raises:
        DataError: it is damaged.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:  # also bytes that are not UTF-8
        raise damaged(place, str(error) or "it cannot be read") from error
    if not isinstance(content, dict):
        raise damaged(place, f"it holds no JSON object, but {content!r:.40}")
    seal = content.pop(SEAL, None)
    if seal is not None and seal != _seal(content):
        raise damaged(place, CHANGED)
    check(content, place, wanted or {})
    return content


def check(content: Mapping[str, Any], place: Path | str, wanted: Mapping[str, Any]) -> None:
    """Does an object hold what it must hold? See `read`.

    Raises:
        DataError: it does not; the message names the file.
    """
    if wrong := misfit(content, wanted):
        raise damaged(place, f"{wrong} is missing or of another kind")


def find(path: Path, wanted: Mapping[str, Any] | None = None) -> Json | None:
    """The same as `read`; None if there is no such file."""
    try:
        return read(path, wanted)
    except FileNotFoundError:
        return None


def of_run(folder: Path) -> Json:
    """The record of a run, once every file that it names is found as it was written.

    Args:
        folder: the run's.

    Raises:
        DataError: the record or one of the files is missing or damaged; the message names the file.
        MachineError: one of them cannot be read.
    """
    try:
        record = read(folder / "run.json", RUN)
    except FileNotFoundError as error:
        hint = "give the folder of a run, such as one below outputs/"
        raise DataError(f"{folder} holds no run: run.json is missing", hint=hint) from error
    for name, expected in record.get("files", {}).items():
        try:
            changed = digest(folder / name) != expected
        except FileNotFoundError as error:
            raise damaged(folder / name, "it is missing") from error
        except OSError as error:
            raise from_os_error(error, "reading") from error
        if changed:
            raise damaged(folder / name, CHANGED)
    return record


def damaged(path: Path | str, why: str) -> DataError:
    """The error of a damaged file."""
    return DataError(f"{path} is damaged: {why}")


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()[:16]


def misfit(value: Any, wanted: Any) -> str | None:
    """The first key, dotted, whose value is not as wanted; None if all are. See `read`."""
    if isinstance(wanted, Mapping):
        if not isinstance(value, dict):
            return "a mapping"
        keys = [(key, wanted["*"]) for key in value] if "*" in wanted else wanted.items()
        return next((_below(key, wrong) for key, kind in keys if (wrong := misfit(value.get(key), kind))), None)
    if isinstance(wanted, list):
        if not isinstance(value, list):
            return "a list"
        return next(
            (_below(place, wrong) for place, one in enumerate(value) if (wrong := misfit(one, wanted[0]))), None
        )
    is_flag = isinstance(value, bool) and wanted is not bool
    return None if isinstance(value, wanted) and not is_flag else "a value"


def _below(key: object, wrong: str) -> str:
    return str(key) if wrong in ("a value", "a mapping", "a list") else f"{key}.{wrong}"


def digest(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
