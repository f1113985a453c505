"""A job or batch that Google runs: its state is asked for now and then, and its output read."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.protobuf import duration_pb2

from flowerexp import storage
from flowerexp.cluster import JobFiles
from flowerexp.cluster.google.clients import Clients, is_transient
from flowerexp.cluster.google.logged import LoggedOutput
from flowerexp.cluster.google.output import DriverOutput
from flowerexp.cluster.google.refusals import message_of, scrubbed
from flowerexp.cluster.google.staging import GOOGLE_ERRORS, Bucket
from flowerexp.errors import ClusterError, from_os_error

_VERIFY = Path(__file__).with_name("verify.py")
# Details that say no more than that the driver failed: what it printed says why.
_SAYS_NOTHING = re.compile(r"(?i)agent reports job failure|job failed with exit code|^\s*$")


@dataclass(frozen=True)
class Seen:
    """The state of a job or batch.

    Attributes:
        state: in Google's words.
        ended: will there be no further state?
        good: did it end well?
        detail: what Google says about the state.
        output: the prefix of the objects with the driver's output, or what finds it in Cloud Logging; may be empty.
    """

    state: str
    ended: bool
    good: bool
    detail: str
    output: str


class CloudSubmission(ABC):
    """A job or batch that was submitted.

    Args:
        clients: how to reach Google.
        bucket: where its files are staged.
        name: its id.
        folder: the job's folder on this machine.
        staged: the URI of its folder in the bucket.
    """

    noun = "job"

    def __init__(self, clients: Clients, bucket: Bucket, name: str, folder: Path, staged: str) -> None:
        self._clients = clients
        self._bucket = bucket
        self._name = name
        self._folder = folder
        self._staged = staged
        self._output: DriverOutput | LoggedOutput = DriverOutput(bucket)
        self._prefix = ""
        self._next_look = 0.0
        self._unseen_since: float | None = None
        self._ended_at: float | None = None
        self._behind = False
        self._stopped = False
        self._code: int | None = None

    @property
    @abstractmethod
    def handle(self) -> dict[str, Any]:
        """See `Submission.handle`."""

    @abstractmethod
    def look(self, call: dict[str, Any]) -> Seen:
        """Ask Google for its state; errors are Google's own."""

    @abstractmethod
    def _cancel(self) -> None:
        """Ask Google to end it; errors are Google's own."""

    def seen(self) -> Seen | None:
        """Its state; None if Google does not know it.

        Raises:
            ClusterError: Google does not say.
        """
        try:
            return self.look(self._clients.call)
        except exceptions.NotFound:
            return None
        except GOOGLE_ERRORS as error:
            raise self._clients.explained(error, f"looking for {self.noun} {self._name}") from error

    def poll(self) -> tuple[Sequence[str], int | None]:
        """See `Submission.poll`; Google is asked no more often than `Pace.look` says."""
        now = time.monotonic()
        if self._code is not None or now < self._next_look:
            return [], self._code
        self._next_look = now + self._clients.pace.look
        try:
            seen = self.look(self._clients.once)
        except GOOGLE_ERRORS as error:
            return self._unseen(error, now)
        self._unseen_since = None
        lines = self._printed(seen)
        if not seen.ended or self._is_late(seen, now):
            return lines, None
        self._code = 0 if seen.good else 1
        lines += [] if seen.good else [self._epitaph(seen)]
        return lines, self._code

    def _printed(self, seen: Seen) -> list[str]:
        """What the driver printed since the last look; what cannot be read now is read by a later one."""
        self._prefix = seen.output or self._prefix
        try:
            lines = self._output.lines(self._prefix, ended=seen.ended)
        except GOOGLE_ERRORS:
            self._behind = True
            return []
        self._behind = not self._output.came
        return lines

    def _is_late(self, seen: Seen, now: float) -> bool:
        """It has ended: may what it printed still come?"""
        self._ended_at = self._ended_at or now
        never = self._stopped or seen.state in ("CANCELLED", "LOST") or not self._prefix
        return self._behind and not never and now - self._ended_at < self._clients.pace.lag

    def _unseen(self, error: BaseException, now: float) -> tuple[list[str], int | None]:
        """Google did not answer, or does not know it: for a while, that may be a mistake; then it is given up."""
        self._unseen_since = self._unseen_since or now
        pace, gone = self._clients.pace, isinstance(error, exceptions.NotFound)
        patience = pace.lag if gone else pace.patience if is_transient(error) else 0.0
        if now - self._unseen_since < patience:
            return [], None
        self._code = 1
        after = f" for {patience:g} s" if patience else ""
        if gone:
            return [f"error: the {self.noun} is gone{after}, deleted by somebody: {message_of(error)}"], self._code
        self.stop()  # unseen, it would go on beside whatever comes next
        return [f"error: the {self.noun} can no longer be followed{after}: {message_of(error)}"], self._code

    def _epitaph(self, seen: Seen) -> str:
        detail = scrubbed(" ".join(seen.detail.split()))
        if _SAYS_NOTHING.search(detail):
            return f"the {self.noun} {self._name} ended as {seen.state}"  # names no error: the driver's own line does
        return f"error: the {self.noun} ended as {seen.state}: {detail}"

    def stop(self) -> None:
        """See `Submission.stop`: cancelled, and waited for a moment."""
        self._stopped = True
        self._end()

    def _end(self) -> bool:
        """Cancel it; has it ended after a moment? If that is unknown, the cluster is deleted, or ends by its timers."""
        deadline = time.monotonic() + self._clients.pace.stop
        with contextlib.suppress(*GOOGLE_ERRORS):  # it has ended, or Google does not answer
            self._clients.pace.retrying(self._clients.pace.stop)(self._cancel)()
        while True:
            try:
                if self.look(self._clients.once).ended:
                    return True
            except GOOGLE_ERRORS as error:
                if not is_transient(error):
                    return isinstance(error, exceptions.NotFound)
            if time.monotonic() > deadline:
                return False
            time.sleep(self._clients.pace.look / 2)

    def make_way(self) -> None:
        """End it, since another one will run in its place.

        Raises:
            ClusterError: it may still run.
        """
        if not self._end():
            raise ClusterError(f"the {self.noun} {self._name} still runs", hint=f"end it: {self.command}")

    @property
    @abstractmethod
    def command(self) -> str:
        """How to end it by hand."""

    def collect(self) -> None:
        """See `Submission.collect`."""
        try:
            text = self._output.everything(self._prefix)
            storage.write_bytes(str(self._folder / "driver.log"), text.encode())
            for uri, size in self._bucket.sizes(f"{self._staged}/events/").items():
                name = uri.rpartition("/")[2]
                if name and size:
                    storage.write_bytes(str(self._folder / "events" / name), self._bucket.read(uri))
        except exceptions.NotFound:
            return  # the bucket was deleted meanwhile
        except GOOGLE_ERRORS as error:
            raise self._clients.explained(error, "fetching the driver's log and the event log") from error
        except OSError as error:
            problem = from_os_error(error, "writing the driver's log")
            raise ClusterError(problem.problem, hint=problem.hint) from error
        if self._prefix and not self._output.came and not self._stopped:
            missing = f"nothing that the driver of {self.noun} {self._name} printed has come to"
            place = self._output.place(self._prefix)
            raise ClusterError(f"{missing} {place}, so its log is empty", hint="look there again later")


def stage_job(bucket: Bucket, files: JobFiles, staged: str) -> dict[str, Any]:
    """Upload what a job consists of; the bundle only if it is not there already.

    Args:
        bucket: where to.
        files: what is uploaded.
        staged: the URI of the job's folder in the bucket.

    Returns:
        The part of a job that says what to run: `verify.py`, which makes sure of the script and the bundle before it
        runs the one with the other.

    Raises:
        ClusterError: the bucket refuses.
    """
    code = bucket.put_once(bucket.uri("code", files.bundle.name), files.bundle)
    bucket.put(f"{staged}/events/", b"")  # Spark wants its event log's folder to be there
    script = bucket.put(f"{staged}/{files.script.name}", files.script)
    job = bucket.put(f"{staged}/job.json", files.job)
    hashes = [word for path in (files.bundle, files.script) for word in (_sha256(path), path.name)]
    return {
        "main_python_file_uri": bucket.put(f"{staged}/{_VERIFY.name}", _VERIFY),
        "args": [*hashes, "--job", job],
        "python_file_uris": [code, script],
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def duration(minutes: int) -> duration_pb2.Duration:
    """Minutes as the API has them."""
    return duration_pb2.Duration(seconds=minutes * 60)


def event_log(staged: str) -> dict[str, str]:
    """Spark's properties for an event log in a job's folder in the bucket: one file, uncompressed."""
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"{staged}/events",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        # Else only tasks of 10 s or more know how much memory there was in use.
        "spark.executor.metrics.pollingInterval": "1s",
    }
