"""Take jobs to their cluster: open, ship, submit, follow, close, and report what happens, in a thread of its own."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowerexp.cluster import Submission
from flowerexp.cluster.kind import kind_of
from flowerexp.config import key_of
from flowerexp.config.schema import Cluster
from flowerexp.errors import FlowerexpError, JobError, StoppedError, from_os_error
from flowerexp.job.follow import follow
from flowerexp.job.results import JobEnd
from flowerexp.job.ship import ship, token_of
from flowerexp.journal.journal import Journal
from flowerexp.orchestrate.events import (
    Closed,
    ClusterChanged,
    Event,
    Inherited,
    Keeper,
    Left,
    Lost,
    Refused,
    RunningJob,
    Submitted,
    Warned,
)
from flowerexp.orchestrate.watch import Watch, keep_log
from flowerexp.plan import Plan, PlannedJob, PlannedRun


@dataclass(frozen=True)
class Work:
    """What a drive does on one cluster.

    Attributes:
        cluster: its config.
        jobs: what to run, each with the name of its folder below the sweep's.
        running: jobs of this cluster that are running already.
        detach: the first job is left to itself once it is submitted.
    """

    cluster: Cluster
    jobs: Sequence[tuple[PlannedJob, str]] = ()
    running: Sequence[RunningJob] = ()
    detach: bool = False


class Drive(threading.Thread):
    """The jobs of one cluster, one after the other; the cluster is opened before and closed after them.

    Args:
        work: the cluster, and its jobs.
        scope: the name of the sweep or run that the cluster belongs to.
        folder: below which each job gets a folder of its own.
        events: where what happens is put.
        keeper: who writes down what becomes of the cluster; None for no record.
    """

    def __init__(
        self, work: Work, scope: str, folder: Path, events: queue.Queue[Event], keeper: Keeper | None = None
    ) -> None:
        super().__init__(daemon=True)
        self.cluster = work.cluster
        self._work = work
        self._scope = scope
        self._folder = folder
        self._events = events
        self._keeper = keeper
        self._backend = kind_of(work.cluster).backend()
        self._stopping = threading.Event()
        self._submission: Submission | None = None
        self._watches: list[Watch] = []
        self._over: list[PlannedRun] = []  # already reported as lost or refused
        self._left: list[PlannedRun] = []

    @property
    def runs(self) -> list[PlannedRun]:
        """All runs of its jobs."""
        planned = [run for job, _ in self._work.jobs for run in job.runs]
        return [run for job in self._work.running for run in job.runs] + planned

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

    def notify(self, state: str, handle: Mapping[str, Any], message: str = "") -> None:
        """See `ClusterObserver.notify`."""
        if self._keeper:
            self._keeper.cluster(state, self.cluster, handle)
        self._events.put(ClusterChanged(self.cluster, str(handle["name"]), state, message, time.time()))

    def run(self) -> None:
        """Run all jobs; the last event is `Left` or `Closed`, whatever happens."""
        try:
            self._run()
        except Exception as error:  # a bug must not end the thread unseen: its runs would be waited for
            self._report(Refused(self._waiting(), JobError(f"{type(error).__name__}: {error}")))
            self._events.put(Warned("".join(traceback.format_exception(error))))
        finally:
            if self._left:
                self._events.put(Left(self.cluster, self._left))
            else:
                self._close()
                self._events.put(Closed(self.cluster))

    def _run(self) -> None:
        if not self.runs:  # a cluster that is only to be deleted
            return
        try:
            self._backend.open(self._scope, self._requires(), self)
        except StoppedError:
            self._report(Lost(self.runs, JobEnd(), stopped=True))
            return
        except FlowerexpError as error:
            self._report(Refused(self.runs, error))
            return
        for number, running in enumerate(self._work.running):
            rest, name = list(running.runs), running.name
            if running.submission:
                rest = self._follow(running.submission, rest, token_of(self._folder / name))
                name = _unused(self._folder, f"rest{number}")
            if rest:  # which that job did not begin
                self._run_job(PlannedJob(self.cluster, rest[0].config.entrypoint.script, rest), name)
        for job, name in self._work.jobs:
            if not self._left:
                self._run_job(job, name)

    def _requires(self) -> dict[str, str]:
        """What the entrypoints of all jobs import."""
        return {name: pin for run in self.runs for name, pin in run.requires.items()}

    def _waiting(self) -> list[PlannedRun]:
        """The runs whose end was not reported yet."""
        ended = [run for watch in self._watches for run in watch.ended]
        return [run for run in self.runs if run not in ended and run not in self._over]

    def _report(self, event: Lost | Refused) -> None:
        """Report that runs are lost or refused."""
        self._over += event.runs
        self._events.put(event)

    def _close(self) -> None:
        try:
            self._backend.close(self._scope, self)
        except FlowerexpError as error:
            self._events.put(Warned(str(error)))

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
                self._report(Refused(remaining, refusal))
                return
            self._events.put(Submitted(remaining, place, submission.handle))
            if self._work.detach and not self._stopping.is_set():
                self._left = remaining
                return
            remaining = self._follow(submission, remaining, token_of(folder))  # one at least has ended or is lost

    def _collect(self, submission: Submission) -> None:
        try:
            submission.collect()
        except FlowerexpError as error:
            self._events.put(Warned(str(error)))

    def _follow(self, submission: Submission, runs: list[PlannedRun], token: str | None) -> list[PlannedRun]:
        """Follow a submitted job to its end; returns the runs that it did not begin."""
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
        # The run that had begun dies with its job; the others may go on in another job, unless this one began none.
        lost = [run for run in remaining if run in watch.started] or (remaining if not watch.ended else [])
        watch.keep_rows(lost)
        end = JobEnd(token, code, tail, watch.trouble)
        if self._stopping.is_set():
            self._report(Lost(remaining, end, stopped=True))
            return []
        for run in lost:
            keep_log(run, watch.printed)
        if lost:
            self._report(Lost(lost, end))
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
    inherited: Inherited,
    detach: bool = False,
) -> list[Drive]:
    """A drive for each cluster: of the plan, of jobs that are running, and those that are only to be deleted.

    Args:
        plan: the plan.
        folder: where jobs get their folders.
        events: where what happens is put.
        keeper: who writes down what becomes of the clusters; None for a single run.
        inherited: what earlier launchers have left.
        detach: each leaves its first job to itself once it is submitted.
    """
    clusters: dict[str, tuple[Cluster, list[tuple[PlannedJob, str]], list[RunningJob]]] = {}

    def of(cluster: Cluster) -> tuple[Cluster, list[tuple[PlannedJob, str]], list[RunningJob]]:
        return clusters.setdefault(key_of(cluster), (cluster, [], []))

    for left in inherited.clusters:
        of(left)
    for running in inherited.jobs:
        of(running.cluster)[2].append(running)
    for place, job in enumerate(plan.jobs):
        # A job's name is its identity in a cloud: one that is submitted when a sweep is resumed has another.
        of(job.cluster)[1].append((job, _unused(folder, str(place)) if keeper else "job"))
    scope = Journal(folder).scope()
    return [Drive(Work(*work, detach), scope, folder, events, keeper) for work in clusters.values()]
