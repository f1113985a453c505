"""The input of `spark-submit`: the properties of a job in a file, and its files under names that Spark takes.

Spark reads a comma in a path as the end of it, brackets and stars as a pattern, # and % as parts of a URI, and a colon
as the end of an entry of a class path; and it looks through links. So a job whose folder has such a name works in a
folder with a plain name, and what it leaves there is moved to its own when it has ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from flowerexp.cluster import JobFiles, java
from flowerexp.errors import MachineError

PROPERTIES = "spark.properties"


def with_plain_names(files: JobFiles) -> JobFiles:
    """The same files; where Spark could not take one of their paths, copies in another folder.

    Raises:
        MachineError: there is no place for the copies.
        OSError: they cannot be written.
    """
    if all(map(java.is_plain, (files.folder, files.script, files.bundle, files.job))):
        return files
    place = _place(files.folder)
    place.mkdir(parents=True, exist_ok=True)
    copied = {"script.py": files.script, "bundle.zip": files.bundle, "job.json": files.job}
    for name, path in copied.items():
        shutil.copyfile(path, place / name)
    script, bundle, job = (place / name for name in copied)
    return replace(files, folder=place, script=script, bundle=bundle, job=job)


def _place(folder: Path) -> Path:
    return java.own_folder() / "jobs" / hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]


def write_properties(folder: Path, properties: Mapping[str, str]) -> None:
    """Write a job's properties for `--properties-file`: on a command line, every user of the machine could read them.

    Args:
        folder: the job's.
        properties: Spark's.
    """
    text = "".join(f"{_escaped(key)}={_escaped(value)}\n" for key, value in properties.items())
    path = folder / PROPERTIES
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)


def _escaped(text: str) -> str:
    """Text for a file of Java's `Properties`."""

    def escape(found: re.Match[str]) -> str:
        units = found[0].encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))

    return re.sub(r"[^A-Za-z0-9/._@+~,()\[\]{}$*-]", escape, text)


def collect(folder: Path) -> None:
    """Once a job has ended, bring into its folder what it left elsewhere, and remove its properties.

    Args:
        folder: the job's.
    """
    (folder / PROPERTIES).unlink(missing_ok=True)  # they may hold secrets
    if java.is_plain(folder):
        return
    with contextlib.suppress(MachineError):
        place = _place(folder)
        for name in ("events", "spark"):
            for left in (place / name).iterdir() if (place / name).is_dir() else ():
                (folder / name).mkdir(exist_ok=True)
                if not left.is_symlink():
                    shutil.move(left, folder / name / left.name)
        shutil.rmtree(place, ignore_errors=True)
