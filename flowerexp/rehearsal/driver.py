"""One attempt at running a job or batch: started, followed, its output written to the bucket while it runs."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from google.api_core.exceptions import NotFound

from flowerexp.rehearsal.bucket import Bucket
from flowerexp.rehearsal.spark import Run, Work

# Dataproc writes parts of megabytes; small ones make every reader meet a part that grows, and the next part.
PART_BYTES = 2048
_POLL_SECONDS = 0.05
# One of flowerexp's own lines of progress: measurements are being made.
_MEASURED = re.compile(rb'"phase": "measure[^"]*", "done": \d+, "total": [1-9]')


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    `by` is `exit` (with its code), `missing` (a file was not in the bucket), `fault` (a test said so), or what `reason`
    returned: `cancel`, `cluster`, `closed`.
    """

    by: str
    code: int = 0
    details: str = ""
    state: str = ""


class Output:
    """The driver's output as objects `PREFIX.000000000`, `PREFIX.000000001`, ...: the last one grows."""

    def __init__(self, prefix: str, bucket: Bucket) -> None:
        self._prefix = prefix
        self._bucket = bucket
        self._part = 0
        self._written = -1

    def write(self, content: bytes) -> None:
        """Write what was printed so far: all of it, from the first byte; nothing where there is no place for it."""
        if not self._prefix:
            return
        while self._part * PART_BYTES + max(self._written, 0) < len(content) or self._written < 0:
            part = content[self._part * PART_BYTES :][:PART_BYTES]
            try:
                self._bucket.write(f"{self._prefix}.{self._part:09d}", part)
            except NotFound:  # the bucket was deleted under us: the job goes on
                return
            self._written = len(part)
            if self._written < PART_BYTES:
                return
            self._part, self._written = self._part + 1, 0


def attempt(
    run: Run,
    work: Work,
    bucket: Bucket,
    fault: dict[str, str] | None,
    reason: Callable[[], str],
    running: Callable[[], None],
) -> Outcome:
    """Run it, or go on with what an earlier process of the service started.

    Args:
        run: where it runs.
        work: what runs.
        bucket: the service's storage.
        fault: how it has to end without running Spark: details, state and output.
        reason: why it must stop now, else an empty string.
        running: is called when it runs.
    """
    output = Output(work.output, bucket)
    if not run.started:
        if fault:
            running()
            output.write(fault["output"].encode())
            return Outcome("fault", details=fault["details"], state=fault["state"])
        try:
            run.start(work, bucket)
        except FileNotFoundError as error:
            return Outcome("missing", details=f"File not found: {error}")
        running()
    return _follow(run, work, output, bucket, reason)


def _follow(run: Run, work: Work, output: Output, bucket: Bucket, reason: Callable[[], str]) -> Outcome:
    waiting = work.preempts
    while True:
        code = run.exit_code()  # before reading, so that the last lines are read after the end
        why = "exit" if code is not None else reason()
        if why == "closed":
            return Outcome(why)
        if why and why != "exit":
            run.stop()
        printed = run.log.read_bytes()
        if not work.output_late:
            output.write(printed)
        if why:
            if work.output_late:
                threading.Timer(work.output_late, output.write, [printed]).start()
            events = run.folder / "events"
            if work.event_log and events.exists():
                bucket.upload_folder(events, work.event_log)
            return Outcome(why, code=code or 0)
        if waiting and _MEASURED.search(run.log.read_bytes()):
            waiting = False
            run.preempt()
        time.sleep(_POLL_SECONDS)
