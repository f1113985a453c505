"""The executors of a job as processes of their own, each of which starts when its machine has come."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from flowerexp.cluster import java
from flowerexp.rehearsal.state import replace_file

# Stands for the java of executors. Spark numbers them from 0.
_LATE_JAVA = """\
#!/bin/bash
id= previous=
for word; do
  [ "$previous" = --executor-id ] && id=$word
  previous=$word
done
while [ -n "$id" ] && [ "$id" -ge "$(cat "{come}")" ]; do sleep 0.1; done
exec "{java}" "$@"
"""

EVERY = 1_000_000
"""More executors than Spark ever starts."""


class Executors:
    """The executors of one job.

    Args:
        folder: the job's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._come = folder / "come"

    def prepare(self, number: int, late: int) -> None:
        """Lay ready what they start with.

        Args:
            number: how many there are.
            late: how many of them, the last ones, come later, see `let_come`.
        """
        self.let_come(number - late if late else EVERY)
        path = self._folder / "java" / "bin" / "java"
        path.parent.mkdir(parents=True)
        path.write_text(_LATE_JAVA.format(come=self._come, java=java.find().home / "bin" / "java"))
        path.chmod(0o755)

    def properties(self, number: int, options: str) -> dict[str, str]:
        """The Spark properties of a number of executors of one core; `options` are of their Java."""
        return {
            "spark.cores.max": str(number),
            "spark.executor.cores": "1",
            "spark.executor.memory": "1g",
            "spark.executor.extraJavaOptions": options,
            "spark.executorEnv.JAVA_HOME": str(self._folder / "java"),
        }

    def let_come(self, number: int) -> None:
        """Let those start whose number is lower, now and later."""
        content = str(number).encode()
        if self._folder.exists() and (not self._come.exists() or self._come.read_bytes() != content):
            replace_file(self._come, content)

    def take_away(self, driver: int) -> None:
        """End the one that came last, if there is one; Spark starts another one.

        Args:
            driver: the process that all are children of.
        """
        found: dict[int, psutil.Process] = {}
        for process in psutil.Process(driver).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, ValueError, IndexError):
                words = process.cmdline()
                if "bash" not in words[0] and any("CoarseGrainedExecutorBackend" in word for word in words):
                    found[int(words[words.index("--executor-id") + 1])] = process
        if found:
            found[max(found)].kill()
