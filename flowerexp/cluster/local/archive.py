"""Java's classes as local jobs load them, mapped from one file, which `make_archive` makes.

Of the CPU that a small job's JVM takes, 4.2 s, 1.7 s go into reading and checking some 8,000 classes, the same ones
every time. Java's class data sharing (openjdk.org/jeps/350) keeps them in a file as they are in memory. To write it
takes 14 s of CPU and half a gigabyte, which must not disturb a run, so it is made when flowerexp is set up. Jobs run
without it, and with one that Java refuses.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path

from flowerexp.cluster import java, spark_submit
from flowerexp.errors import MachineError

# Java refuses a file of another version of itself or of other jars without a word at this level.
_QUIET = "-Xlog:disable -Xlog:all=error:stderr"


def place() -> Path:
    """What the file's path begins with, of this Java, this Spark and its jars; a new version of any has another.

    Raises:
        MachineError: there is no Java, no PySpark, or no folder that belongs to this user.
    """
    home = java.find().home
    release = home / "release"
    known = [os.fspath(home.resolve()), release.read_text(encoding="utf-8") if release.exists() else ""]
    for jar in sorted((spark_submit.spark_home() / "jars").glob("*.jar")):
        status = jar.stat()
        known.append(f"{jar} {status.st_size} {status.st_mtime_ns}")
    return java.own_folder() / f"classes-{hashlib.sha256(repr(known).encode()).hexdigest()[:12]}"


def find() -> Path | None:
    """The file, if there is one. Its name ends in its size: Java crashes over one that was cut off."""
    try:
        path = place()
    except MachineError:  # jobs do without
        return None
    for found in path.parent.glob(f"{path.name}-*.jsa"):
        if found.stem == f"{path.name}-{found.stat().st_size}":
            return found
    return None


def options() -> str:
    """The options that make a job's JVM use the file; nothing where there is none."""
    found = find()
    return f"{shlex.quote(f'-XX:SharedArchiveFile={found}')} -Xshare:auto {_QUIET}" if found else ""
