"""A batch: all runs of a plan, on their clusters, each collected as it ends."""

from __future__ import annotations

import queue
import shlex
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from flowerexp import index
from flowerexp.cluster.kind import kind_of
from flowerexp.config.schema import Cluster
from flowerexp.console import Listener, Screen
from flowerexp.errors import BudgetError, FlowerexpError, JobError
from flowerexp.job.results import JobEnd
from flowerexp.job.rows import begun
from flowerexp.orchestrate.collect import Result, collect_run, record
from flowerexp.orchestrate.drive import Drive, drives
from flowerexp.orchestrate.events import (
    Closed,
    ClusterChanged,
    Ended,
    Event,
    Inherited,
    Left,
    Logged,
    Lost,
    Progressed,
    Recorder,
    Refused,
    Started,
    Submitted,
    Warned,
)
from flowerexp.orchestrate.interrupt import Interrupt
from flowerexp.orchestrate.ledger import Ledger
from flowerexp.orchestrate.limit import BatchLimits
from flowerexp.orchestrate.logger import Logger
from flowerexp.orchestrate.preparation import Preparation
from flowerexp.plan import Plan, PlannedRun
from flowerexp.program import program
from flowerexp.tracking import Store
from flowerexp.workload import slots

_LOOK_SECONDS = 0.5  # how soon Ctrl-C is noticed
# A run is best collected while the next one does something else than measuring, in the second after it started.
_PATIENCE = 1.0
_STOPPED = JobError("it was stopped before it had results")


class Batch:
    """All runs of a plan.

    Args:
        plan: the plan.
        folder: where jobs get their folders.
        screen: where progress is shown.
        ledger: what the clusters of the sweep use and cost, with what earlier launchers spent.
        recorder: who keeps the journal; None for a single run.
        limits: how much it does.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        screen: Screen,
        ledger: Ledger,
        recorder: Recorder | None = None,
        limits: BatchLimits | None = None,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._screen = screen
        self._recorder = recorder
        self._limits = limits or BatchLimits()
        self._ledger = ledger
        self._events: queue.Queue[Event] = queue.Queue()
        self._failures = 0
        self._started_at = time.time()
        self._active: list[Drive] = []
        self.left: list[PlannedRun] = []  # their jobs go on without us
        self._kept: list[Cluster] = []  # theirs, which are not ours to close
        self._interrupt = Interrupt()
        self._ended_by: str | None = None  # why nothing new is started: the budget is used up, or too many failures
        self._logger = Logger(self._events, self._beside_logging, screen, self._interrupt)

    def run(self, deliver: Callable[[Result], None], inherited: Inherited | None = None) -> None:
        """Run everything, and hand over each result as it comes; the batch keeps none of them.

        Args:
            deliver: called with each run's result, in this thread, once MLflow has it or could not be given it.
            inherited: what earlier launchers of the sweep have left: their jobs are followed, their clusters deleted.

        Raises:
            KeyboardInterrupt: Ctrl-C; the jobs were stopped first, and the results that were there were collected.
                What MLflow does not have yet is not waited for.
            BudgetError: the budget is used up; likewise.
        """
        inherited = inherited or Inherited()
        runs = [*self._plan.runs, *inherited.runs]
        for run in self._plan.runs:
            run.folder.mkdir(parents=True, exist_ok=True)
            record(run, self._started_at, {})
        preparation = Preparation(runs, nullcontext() if inherited.jobs else self._slots())
        phases = {key: name for run in runs for key, name in run.config.entrypoint.phases.items()}
        detach = self._limits.detach
        waiting = drives(self._plan, self._folder, self._events, self._recorder, inherited, detach)
        seconds = None if inherited.jobs else index.expected(self._plan.jobs, self._limits.max_clusters)
        try:
            with self._interrupt, self._screen.following(len(runs), phases, seconds) as listener:
                self._loop(waiting, listener, preparation, deliver)
                self._logger.drain(lambda event: self._handle(event, listener, deliver))
        except BaseException:
            self._stop(deliver)
            raise
        finally:
            self._logger.stop()
            preparation.finish()
        if self._ended_by:
            raise BudgetError(self._ended_by, where="budget.usd", hint="what was measured is kept; raise it to go on")

    def _loop(
        self,
        waiting: list[Drive],
        listener: Listener,
        preparation: Preparation,
        deliver: Callable[[Result], None],
    ) -> None:
        while True:
            self._interrupt.raise_if_came()
            self._start_some(waiting)
            if not self._active:
                return
            self._look_at_budget(waiting)
            self._look_at_limit(waiting)
            try:
                event = self._events.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if isinstance(event, Closed):
                self._ledger.give_back(event.cluster)
            elif isinstance(event, Ended | Lost | Refused):
                preparation.finish()
            self._handle(event, listener, deliver)
            most = self._limits.max_failures
            if most is not None and self._failures >= most:
                self._start_nothing(waiting)

    def _start_some(self, waiting: list[Drive]) -> None:
        """Start the first drives that fit: beside the others, and into the quotas."""
        for drive in list(waiting):
            busy = len(self._active) + len(self._kept)
            if busy >= self._limits.max_clusters:
                return
            # One that does not even fit alone is refused by the cloud, in better words than ours.
            if busy and not self._ledger.fits(drive.cluster):
                continue
            self._ledger.take(drive.cluster)
            waiting.remove(drive)
            self._active.append(drive)
            drive.start()

    def _start_nothing(self, waiting: list[Drive]) -> None:
        waiting.clear()
        for drive in self._active:
            drive.stop()

    def _look_at_budget(self, waiting: list[Drive]) -> None:
        if not self._ended_by and (used_up := self._ledger.over_budget(time.time())):
            self._ended_by = used_up
            self._screen.warn(f"{used_up}; stopping")
            self._start_nothing(waiting)

    def _look_at_limit(self, waiting: list[Drive]) -> None:
        limit = self._limits.run_time
        if limit and not self._ended_by and limit.passes(time.time()):
            self._start_nothing(waiting)

    def _handle(self, event: Event, listener: Listener, deliver: Callable[[Result], None]) -> None:
        match event:
            case Progressed():
                if limit := self._limits.run_time:
                    limit.hear(event.message, time.time())
                listener(dict(event.message))
            case ClusterChanged():
                self._note_cluster(event)
            case Warned():
                self._screen.warn(event.text)
            case Submitted():
                if self._recorder:
                    self._recorder.submitted(event.runs, event.folder, event.handle)
            case Logged():
                self._note_logged(event.result, deliver)
            case Left():
                self.left += event.runs
                self._kept.append(event.cluster)
                self._active = [drive for drive in self._active if drive.cluster is not event.cluster]
            case Closed():
                self._active = [drive for drive in self._active if drive.cluster is not event.cluster]
            case _:
                self._handle_runs(event, listener)

    def _handle_runs(self, event: Started | Ended | Lost | Refused, listener: Listener) -> None:
        """Take note of what became of runs."""
        match event:
            case Started():
                self._note_start(event.run)
            case Ended():
                self._collect(event, listener)
            case Lost():
                for run in event.runs:
                    self._lose(run, event, listener)
            case Refused():
                for run in event.runs:
                    self._end_without_results(run, JobEnd(), event.error, listener)

    def _note_start(self, run: PlannedRun) -> None:
        if self._limits.run_time:
            self._limits.run_time.start(time.time())
        if self._recorder:
            self._recorder.started(run)

    def _note_cluster(self, event: ClusterChanged) -> None:
        self._ledger.note(event.cluster, event.state, event.at)
        self._screen.say(f"cluster {event.name} {event.state}{f': {event.text}' if event.text else ''}")

    def _collect(self, event: Ended, listener: Listener) -> None:
        result = self._collected(event.run, JobEnd(event.token))
        if self._recorder:
            self._recorder.ended(result)
        self._show(result, listener)

    def _lose(self, run: PlannedRun, event: Lost, listener: Listener) -> None:
        """A run without results: with a journal it can be resumed, so a stop is not a failure of the run."""
        limit = self._limits.run_time
        if not event.stopped:
            self._end_without_results(run, event.end, None, listener)
        elif limit is not None and limit.passed and not self._ended_by:
            self._end_without_results(run, event.end, limit.error, listener)
        elif self._recorder:
            if begun(run.folder / "results", event.end.token):  # its rows and what they say are kept
                self._collected(run, event.end, _STOPPED)
            self._recorder.lost(run, self._ended_by or "stopped")
        else:
            self._end_without_results(run, event.end, _STOPPED, listener)

    def _end_without_results(
        self, run: PlannedRun, end: JobEnd, refusal: FlowerexpError | None, listener: Listener
    ) -> None:
        """A run has failed, since its job left no results for it."""
        result = self._collected(run, end, refusal)
        if self._recorder:
            self._recorder.lost(run, str(result.error))
        self._show(result, listener)

    def _collected(self, run: PlannedRun, end: JobEnd, refusal: FlowerexpError | None = None) -> Result:
        with self._slots() if self._active else nullcontext():
            return collect_run(run, self._started_at, end, refusal)

    def _show(self, result: Result, listener: Listener) -> None:
        """Show a result, and have it logged: what is on screen does not wait for MLflow."""
        self._failures += result.error is not None
        listener({"result": result})
        self._logger.add(result)

    def _note_logged(self, result: Result, deliver: Callable[[Result], None]) -> None:
        self._logger.note()
        if self._recorder:
            self._recorder.logged(result)
        deliver(result)

    def _beside_logging(self, result: Result) -> AbstractContextManager[None]:
        """What is held while a run is logged: the slots where that is work on this machine, not a wait for a server."""
        is_work = self._active and Store.of(result.run.config.tracking).database is not None
        return self._slots() if is_work else nullcontext()

    def _slots(self) -> AbstractContextManager[None]:
        """Hold the measuring slots of this host, if the batch measures on it: analysing is work on it, too."""
        here = any(kind_of(job.cluster).backend().on_this_host for job in self._plan.jobs)
        concurrency = max((run.config.measure.concurrency for run in self._plan.runs), default=1)
        return slots.all_slots(concurrency, patience=_PATIENCE, notify=self._screen.warn) if here else nullcontext()

    def _stop(self, deliver: Callable[[Result], None]) -> None:
        """Stop all jobs, close their clusters, and collect what had ended by then; MLflow is not waited for."""
        self._logger.stop()
        for drive in self._active if not self._limits.leave else ():
            drive.stop()
        while self._active and not self._limits.leave:
            event = self._events.get()
            if not isinstance(event, Progressed):
                self._handle(event, lambda _: None, deliver)
        command = f"{program()} {'resume' if self._recorder else 'log'} {shlex.quote(str(self._folder))}"
        self._logger.leave(lambda event: self._handle(event, lambda _: None, deliver), command)
