"""Take jobs to their cluster: ship, submit, follow, and tell what happens, from a thread of its own."""

from __future__ import annotations

import json
import queue
import shutil
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flowerexp import storage
from flowerexp.cluster import Backend, JobFiles, Submission, backend
from flowerexp.config.redact import redacted
from flowerexp.errors import FlowerexpError, StoppedError, from_os_error
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.job.follow import follow
from flowerexp.job.results import fetch
from flowerexp.plan import PlannedJob, PlannedRun


@dataclass(frozen=True)
class Event:
    """Something that happened to a job or one of its runs.

    Attributes:
        kind: `cluster` (its state changed), `submitted`, `progress`, `started`, `ended` (its results are there), `lost`
            (the job ended without them), `refused` (the job could not be submitted), `warning`, or `closed` (the last
            event of a drive).
        runs: the runs that it is about.
        message: the progress message, the submission's handle, the cluster's state, the error's text, or the drive
            that closed.
        exit_code: of the job that ended.
        tail: the last lines that the job printed.
    """

    kind: str
    runs: Sequence[PlannedRun] = ()
    message: Any = None
    exit_code: int = 0
    tail: Sequence[str] = ()


@dataclass(frozen=True)
class Found:
    """A job that outlived its launcher: it is followed, not started again."""

    submission: Submission
    runs: Sequence[PlannedRun]

    @property
    def cluster(self) -> Mapping[str, Any]:
        """The config of the cluster that it runs on."""
        cluster: Mapping[str, Any] = self.runs[0].config["cluster"]
        return cluster


class Keeper(Protocol):
    """Who writes down, at once, what becomes of a cluster."""

    def cluster(self, state: str, config: Mapping[str, Any], handle: Mapping[str, Any]) -> None:
        """A cluster is `creating`, `running`, `deleting` or `deleted`."""
        ...


class Drive(threading.Thread):
    """The jobs of one cluster, one after the other; the cluster is opened before and closed after them.

    Args:
        cluster: its config.
        scope: the name of the sweep or run that the cluster belongs to.
        jobs: what to run.
        folder: where each job gets a folder of its own, named by `names`.
        names: the folders' names.
        events: where what happens is told.
        found: jobs of this cluster that are already running.
        keeper: who writes down what becomes of the cluster; None for nobody.
    """

    def __init__(
        self,
        cluster: Mapping[str, Any],
        scope: str,
        jobs: Sequence[PlannedJob],
        folder: Path,
        names: Sequence[str],
        events: queue.Queue[Event],
        found: Sequence[Found] = (),
        keeper: Keeper | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self.cluster = cluster
        self._scope = scope
        self._jobs = list(zip(jobs, names, strict=True))
        self._folder = folder
        self._events = events
        self._found = found
        self._keeper = keeper
        self._backend = backend(cluster)
        self._stopping = threading.Event()
        self._submission: Submission | None = None

    @property
    def runs(self) -> list[PlannedRun]:
        """All runs of its jobs."""
        return [run for one in self._found for run in one.runs] + [run for job, _ in self._jobs for run in job.runs]

    def stop(self) -> None:
        """End the job that is running, and start no further one."""
        self._stopping.set()
        submission = self._submission
        if submission:
            submission.stop()

    @property
    def stopping(self) -> bool:
        """See `Life.stopping`."""
        return self._stopping.is_set()

    def tell(self, state: str, handle: Mapping[str, Any], message: str = "") -> None:
        """See `Life.tell`."""
        if self._keeper:
            self._keeper.cluster(state, self.cluster, handle)
        told = {"state": state, "handle": dict(handle), "text": message, "at": time.time(), "drive": self}
        self._events.put(Event("cluster", (), told))

    def run(self) -> None:
        """Run all jobs; the last event is `closed`, whatever happens."""
        try:
            self._run()
        except Exception as error:  # a mistake of ours must not end the thread unseen: its runs would be waited for
            self._events.put(Event("refused", self._waiting(), f"{type(error).__name__}: {error}"))
            self._events.put(Event("warning", (), "".join(traceback.format_exception(error))))
        finally:
            self._close()
            self._events.put(Event("closed", (), self))

    def _run(self) -> None:
        try:
            self._backend.open(self._scope, self._requires(), self)
        except StoppedError:
            self._events.put(Event("lost", self.runs, "stopped"))
            return
        except FlowerexpError as error:
            self._events.put(Event("refused", self.runs, str(error)))
            return
        for found in self._found:
            self._follow(found.submission, list(found.runs))
        for job, name in self._jobs:
            self._run_job(job, name)

    def _requires(self) -> dict[str, str]:
        """What the entrypoints of all jobs import."""
        return {name: str(pin) for run in self.runs for name, pin in run.config["entrypoint"]["requires"].items()}

    def _waiting(self) -> list[PlannedRun]:
        """The runs without results."""
        return [run for run in self.runs if not (run.folder / "results" / "status.json").exists()]

    def _close(self) -> None:
        try:
            self._backend.close(self._scope, self)
        except FlowerexpError as error:
            self._events.put(Event("warning", (), str(error)))

    def _run_job(self, job: PlannedJob, name: str) -> None:
        """Run a job's runs, in as many Spark applications as it takes: one that dies costs the run at hand alone."""
        remaining = list(job.runs)
        attempt = 0
        while remaining and not self._stopping.is_set():
            attempt += 1
            folder = self._folder / (name if attempt == 1 else f"{name}-{attempt}")
            try:
                files = write_job(job, remaining, folder, self._scope, self._backend)
                submission = self._backend.submit(files)
            except (FlowerexpError, OSError) as error:
                text = str(from_os_error(error, "submitting:")) if isinstance(error, OSError) else str(error)
                self._events.put(Event("refused", remaining, text))
                return
            self._events.put(Event("submitted", remaining, {"folder": str(folder), "handle": submission.handle}))
            before = len(remaining)
            remaining = self._follow(submission, remaining)
            if len(remaining) == before:
                return

    def _collect(self, submission: Submission) -> None:
        try:
            submission.collect()
        except FlowerexpError as error:
            self._events.put(Event("warning", (), str(error)))

    def _follow(self, submission: Submission, runs: list[PlannedRun]) -> list[PlannedRun]:
        """Follow a submitted job to its end; returns the runs that it did not come to."""
        self._submission = submission
        if self._stopping.is_set():
            submission.stop()
        watch = _Watch({self._backend.output(run.folder, self._scope): run for run in runs}, self._events)
        code, tail = follow(submission, watch.listen, watch.printed.append)
        self._submission = None
        self._collect(submission)
        remaining = watch.remaining()
        if self._stopping.is_set():
            self._events.put(Event("lost", remaining, "stopped", code, tail))
            return []
        # The run at hand dies with its job; the others may go on in another, unless it did not come to any.
        lost = [run for run in remaining if run in watch.started] or (remaining if not watch.ended else [])
        for run in lost:
            _keep_log(run, watch.printed)
        if lost:
            self._events.put(Event("lost", lost, None, code, tail))
        return [run for run in remaining if run not in lost]


class _Watch:
    """What is seen of a job's runs while it is followed.

    Args:
        runs: the job's runs by the places that they write to.
        events: where what happens is told.
    """

    def __init__(self, runs: Mapping[str, PlannedRun], events: queue.Queue[Event]) -> None:
        self._runs = dict(runs)
        self._events = events
        self.started: list[PlannedRun] = []
        self.ended: list[PlannedRun] = []
        self.printed: list[str] = []

    def listen(self, message: Mapping[str, Any]) -> None:
        """Take a progress message of the job."""
        run = self._runs.get(str(message.get("output")))
        if run is None or "state" not in message:
            self._events.put(Event("progress", (), message))
        elif message["state"] == "started":
            self.started.append(run)
            self._events.put(Event("started", (run,)))
        elif run not in self.ended:
            self._end(str(message["output"]), run)

    def remaining(self) -> list[PlannedRun]:
        """The runs without results, once the job is over."""
        for output, run in self._runs.items():
            if run not in self.ended and storage.exists(storage.join(output, "status.json")):
                self._end(output, run)
        return [run for run in self._runs.values() if run not in self.ended]

    def _end(self, output: str, run: PlannedRun) -> None:
        self.ended.append(run)
        fetch(output, run.folder / "results")
        _keep_log(run, self.printed)
        self._events.put(Event("ended", (run,)))


def _keep_log(run: PlannedRun, printed: list[str]) -> None:
    """Give a run that shares its job with others its own part of the driver's log: what was printed since the last."""
    log = run.folder / "job" / "driver.log"
    if not log.exists():
        try:
            storage.write_bytes(str(log), "".join(f"{line}\n" for line in printed).encode())
        except OSError:
            return  # the job's own log has it; what is wrong with the disk will be met again
    printed.clear()


def write_job(job: PlannedJob, runs: Sequence[PlannedRun], folder: Path, scope: str, cluster: Backend) -> JobFiles:
    """Write what is shipped into a job's folder: the job file, the bundle and the script.

    Args:
        job: the job.
        runs: those of its runs that it carries this time.
        folder: the job's.
        scope: the sweep or run that it belongs to.
        cluster: it says where the runs write to.

    Raises:
        OSError: no room, no permission.
    """
    bundle = Bundle(find_script(job.script))
    folder.mkdir(parents=True, exist_ok=True)
    listed = [
        {"run_key": run.run_key, "config": redacted(run.config), "output": cluster.output(run.folder, scope)}
        for run in runs
    ]
    requires = {name: str(pin) for run in runs for name, pin in run.config["entrypoint"]["requires"].items()}
    storage.write_bytes(str(folder / "job.json"), json.dumps({"requires": requires, "runs": listed}, indent=1).encode())
    script = Path(shutil.copy(bundle.script, folder))
    return JobFiles(folder, script, bundle.write(folder), folder / "job.json", scope, requires)
