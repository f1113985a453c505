"""Take jobs to their cluster: open, ship, submit, follow, close, and tell what happens, from a thread of its own."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowerexp.cluster import Submission, backend
from flowerexp.config import key_of
from flowerexp.config.schema import Cluster
from flowerexp.errors import FlowerexpError, JobError, StoppedError, from_os_error
from flowerexp.job.follow import follow
from flowerexp.job.ship import ship, token_of
from flowerexp.journal import Journal
from flowerexp.orchestrate.events import Event, Keeper, RunningJob
from flowerexp.orchestrate.watch import Watch, keep_log
from flowerexp.plan import Plan, PlannedJob, PlannedRun


class Drive(threading.Thread):
    """The jobs of one cluster, one after the other; the cluster is opened before and closed after them.

    Args:
        cluster: its config.
        scope: the name of the sweep or run that the cluster belongs to.
        jobs: what to run.
        folder: where each job gets a folder of its own, named by `names`.
        names: the folders' names, below `folder`.
        events: where what happens is told.
        found: jobs of this cluster that are already running.
        keeper: who writes down what becomes of the cluster; None for nobody.
    """

    def __init__(
        self,
        cluster: Cluster,
        scope: str,
        jobs: Sequence[PlannedJob],
        folder: Path,
        names: Sequence[str],
        events: queue.Queue[Event],
        found: Sequence[RunningJob] = (),
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
        self._watches: list[Watch] = []
        self._over: list[PlannedRun] = []  # told of as lost or refused

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
        """See `ClusterObserver.stopping`."""
        return self._stopping.is_set()

    def tell(self, state: str, handle: Mapping[str, Any], message: str = "") -> None:
        """See `ClusterObserver.tell`."""
        if self._keeper:
            self._keeper.cluster(state, self.cluster, handle)
        told = {"state": state, "handle": dict(handle), "text": message, "at": time.time(), "drive": self}
        self._events.put(Event("cluster", (), told))

    def run(self) -> None:
        """Run all jobs; the last event is `closed`, whatever happens."""
        try:
            self._run()
        except Exception as error:  # a mistake of ours must not end the thread unseen: its runs would be waited for
            self._lose("refused", self._waiting(), JobError(f"{type(error).__name__}: {error}"))
            self._events.put(Event("warning", (), "".join(traceback.format_exception(error))))
        finally:
            self._close()
            self._events.put(Event("closed", (), self))

    def _run(self) -> None:
        if not self.runs:  # a cluster that is only to be deleted
            return
        try:
            self._backend.open(self._scope, self._requires(), self)
        except StoppedError:
            self._lose("lost", self.runs, "stopped")
            return
        except FlowerexpError as error:
            self._lose("refused", self.runs, error)
            return
        for number, found in enumerate(self._found):
            rest, name = list(found.runs), found.name
            if found.submission:
                rest = self._follow(found.submission, rest, token_of(self._folder / name))
                name = _unused(self._folder, f"rest{number}")
            if rest:  # which that job did not come to
                self._run_job(PlannedJob(self.cluster, rest[0].config.entrypoint.script, rest), name)
        for job, name in self._jobs:
            self._run_job(job, name)

    def _requires(self) -> dict[str, str]:
        """What the entrypoints of all jobs import."""
        return {name: pin for run in self.runs for name, pin in run.requires.items()}

    def _waiting(self) -> list[PlannedRun]:
        """The runs of which nobody was told yet how they ended."""
        ended = [run for watch in self._watches for run in watch.ended]
        return [run for run in self.runs if run not in ended and run not in self._over]

    def _lose(self, kind: str, runs: Sequence[PlannedRun], *more: Any) -> None:
        """Tell that runs are `lost` or `refused`, and why: the further attributes of an event."""
        self._over += runs
        self._events.put(Event(kind, runs, *more))

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
            place = name if attempt == 1 else f"{name}-{attempt}"
            folder = self._folder / place
            try:
                files = ship(job, remaining, folder, self._scope, self._backend)
                if self._keeper:  # if we die in the call that follows, the journal knows
                    self._keeper.submitting(remaining, place, self._backend.handle(folder, self._scope))
                submission = self._backend.submit(files)
            except (FlowerexpError, OSError) as error:
                refusal = from_os_error(error, "submitting:") if isinstance(error, OSError) else error
                self._lose("refused", remaining, refusal)
                return
            self._events.put(Event("submitted", remaining, {"folder": place, "handle": submission.handle}))
            before = len(remaining)
            remaining = self._follow(submission, remaining, token_of(folder))
            if len(remaining) == before:
                return

    def _collect(self, submission: Submission) -> None:
        try:
            submission.collect()
        except FlowerexpError as error:
            self._events.put(Event("warning", (), str(error)))

    def _follow(self, submission: Submission, runs: list[PlannedRun], token: str | None) -> list[PlannedRun]:
        """Follow a submitted job to its end; returns the runs that it did not come to."""
        self._submission = submission
        if self._stopping.is_set():
            submission.stop()
        outputs = {self._backend.output(run.folder, self._scope): run for run in runs}
        watch = Watch(outputs, token, self._events)
        self._watches.append(watch)
        code, tail = follow(submission, watch.listen, watch.printed.append)
        self._submission = None
        self._collect(submission)
        remaining = watch.remaining()
        # The run at hand dies with its job; the others may go on in another, unless it did not come to any.
        lost = [run for run in remaining if run in watch.started] or (remaining if not watch.ended else [])
        watch.keep_rows(lost)
        tail = [*tail, *watch.trouble]
        if self._stopping.is_set():
            self._lose("lost", remaining, "stopped", code, tail, token)
            return []
        for run in lost:
            keep_log(run, watch.printed)
        if lost:
            self._lose("lost", lost, None, code, tail, token)
        return [run for run in remaining if run not in lost]


def _unused(folder: Path, name: str) -> str:
    """A folder for a job below a sweep's that no job had before, wherever the clock stands."""
    now = int(time.time())
    while (folder / "jobs" / f"{now}-{name}").exists():
        now += 1
    return f"jobs/{now}-{name}"


def drives(
    plan: Plan,
    folder: Path,
    events: queue.Queue[Event],
    keeper: Keeper | None,
    found: Sequence[RunningJob] = (),
    leftover: Sequence[Cluster] = (),
) -> list[Drive]:
    """A drive for each cluster: of the plan, of jobs that were found, and those that are only to be deleted.

    Args:
        plan: the plan.
        folder: where jobs get their folders.
        events: where what happens is told.
        keeper: who writes down what becomes of the clusters; None for a single run.
        found: jobs that outlived an earlier launcher.
        leftover: configs of clusters that no run needs.
    """
    clusters: dict[str, tuple[Cluster, list[int], list[RunningJob]]] = {}

    def of(cluster: Cluster) -> tuple[Cluster, list[int], list[RunningJob]]:
        return clusters.setdefault(key_of(cluster), (cluster, [], []))

    for left in leftover:
        of(left)
    for one in found:
        of(one.cluster)[2].append(one)
    for place, job in enumerate(plan.jobs):
        of(job.cluster)[1].append(place)
    scope = Journal(folder).scope()
    made = []
    for cluster, places, running in clusters.values():
        # A job's name is its identity in a cloud: one that is submitted when a sweep is resumed has another.
        names = [_unused(folder, str(place)) if keeper else "job" for place in places]
        own = [plan.jobs[place] for place in places]
        made.append(Drive(cluster, scope, own, folder, names, events, running, keeper))
    return made
