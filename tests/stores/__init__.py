"""Home folders that earlier versions have left behind, packed without pictures, logs of Spark's events and archives."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

from flowerexp.records import digest

PACKED_AT = "/tmp/old"
"""Where the folders lay when they were packed."""


def unpack(name: str, folder: Path) -> Path:
    """Unpack a home folder as if it had been made where it is now.

    Args:
        name: of an archive beside this file; `before_experiments` is of the version before experiments declared
            themselves: a sweep of two runs with caching on and off, and a run of `write_tfrecords`.
        folder: where to; made.

    Returns:
        The home folder.
    """
    home = folder / "home"
    home.mkdir(parents=True)
    with tarfile.open(Path(__file__).parent / f"{name}.tar.xz") as archive:
        archive.extractall(home, filter="data")
    texts = [path for path in home.rglob("*") if path.suffix in (".json", ".jsonl", ".yaml", ".log", ".md", ".csv")]
    for path in sorted(texts, key=lambda path: path.name == "run.json"):  # which holds the hashes of others
        text = path.read_text()
        if PACKED_AT in text:
            moved = text.replace(PACKED_AT, str(folder))
            path.write_text(_as_written(moved, path.parent) if path.suffix == ".json" else moved)
    _move_database(home / "mlruns" / "mlflow.db", folder)
    return home


def _as_written(text: str, folder: Path) -> str:
    """A file without its seal, which was that of other paths, and with the hashes of the files that were packed."""
    content: Any = json.loads(text)
    if isinstance(content, dict):
        content.pop("seal", None)
        if "run_key" in content and "files" in content:
            content["files"] = {name: digest(folder / name) for name in content["files"] if (folder / name).exists()}
    return json.dumps(content)


def _move_database(path: Path, folder: Path) -> None:
    with sqlite3.connect(path) as database:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("tags", "value")):
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (PACKED_AT, str(folder)))
    database.close()
