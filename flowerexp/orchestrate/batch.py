"""A batch: all runs of a plan, on their clusters, each brought home as it ends."""

from __future__ import annotations

import queue
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from flowerexp.cluster import backend
from flowerexp.config.schema import Cluster
from flowerexp.console import Listener, Screen
from flowerexp.errors import BudgetError, FlowerexpError, JobError
from flowerexp.job.rows import begun
from flowerexp.orchestrate.collect import Result, collect_run, record
from flowerexp.orchestrate.drive import Drive, drives
from flowerexp.orchestrate.events import Event, Recorder, RunningJob
from flowerexp.orchestrate.interrupt import Interrupt
from flowerexp.orchestrate.ledger import Ledger
from flowerexp.orchestrate.limit import TimeLimit
from flowerexp.orchestrate.logger import Logger
from flowerexp.orchestrate.preparation import Preparation
from flowerexp.plan import Plan, PlannedRun
from flowerexp.tracking import Store
from flowerexp.workload import slots

_LOOK_SECONDS = 0.5  # how soon Ctrl-C is noticed
# A run is best brought home while the next one does something else than measuring, in the second after it started.
_PATIENCE = 1.0


class Batch:
    """All runs of a plan.

    Args:
        plan: the plan.
        folder: where jobs get their folders.
        screen: where progress is shown.
        recorder: who keeps the journal; None for a single run.
        found: jobs that outlived an earlier launcher.
        max_clusters: how many clusters work side by side, as far as the quotas allow.
        max_failures: stop when so many runs have failed; None never does.
        ledger: what earlier launchers of the sweep spent; by default nothing.
        leftover: clusters of earlier launchers that no run of the plan needs: they are only deleted.
        limit: how long its run may take, of a batch of one; None for as long as it likes.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        screen: Screen,
        recorder: Recorder | None = None,
        found: Sequence[RunningJob] = (),
        max_clusters: int = 1,
        max_failures: int | None = None,
        ledger: Ledger | None = None,
        leftover: Sequence[Cluster] = (),
        limit: TimeLimit | None = None,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._screen = screen
        self._recorder = recorder
        self._found = found
        self._max_clusters = max_clusters
        self._max_failures = max_failures
        self._events: queue.Queue[Event] = queue.Queue()
        self._failures = 0
        self._started_at = time.time()
        self._active: list[Drive] = []
        self._interrupt = Interrupt()
        self._ledger = ledger
        self._leftover = leftover
        self._limit = limit
        self._ended_by: str | None = None  # why nothing new is started: the budget is used up, or too many failures
        self._logger = Logger(self._events, self._beside_logging, screen, self._interrupt)

    def run(self, deliver: Callable[[Result], None], runs: Sequence[PlannedRun] | None = None) -> None:
        """Run everything, and hand over each result as it comes home; the batch keeps none of them.

        Args:
            deliver: called with each run's result, in this thread, once MLflow was told about it.
            runs: all runs that will come home, those of jobs that were found included; by default the plan's.

        Raises:
            KeyboardInterrupt: Ctrl-C; the jobs were stopped first, and what had ended was brought home. What MLflow was
                not told yet is not waited for.
            BudgetError: the budget is used up; likewise.
        """
        runs = self._plan.runs if runs is None else runs
        if self._ledger is None and runs:
            self._ledger = Ledger(runs[0].config)
        for one in self._plan.runs:
            one.folder.mkdir(parents=True, exist_ok=True)
            record(one, self._started_at, {})
        preparation = Preparation(runs, nullcontext() if self._found else self._slots())
        phases = {key: name for run in runs for key, name in run.config.entrypoint.phases.items()}
        waiting = drives(self._plan, self._folder, self._events, self._recorder, self._found, self._leftover)
        try:
            with self._interrupt, self._screen.following(len(runs), phases) as listener:
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
        while waiting or self._active:
            self._interrupt.raise_if_came()
            self._start_some(waiting)
            self._look_at_budget(waiting)
            self._look_at_limit(waiting)
            try:
                event = self._events.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if event.kind == "closed":
                self._active.remove(event.message)
                if self._ledger:
                    self._ledger.give_back(event.message.cluster)
                continue
            if event.kind in ("ended", "lost", "refused"):
                preparation.finish()
            self._handle(event, listener, deliver)
            if self._max_failures is not None and self._failures >= self._max_failures:
                self._start_nothing(waiting)

    def _start_some(self, waiting: list[Drive]) -> None:
        """Start the first drives that fit: beside the others, and into the quotas."""
        for drive in list(waiting):
            if len(self._active) >= self._max_clusters:
                return
            # One that does not even fit alone is refused by the cloud, in better words than ours.
            if self._ledger and self._active and not self._ledger.fits(drive.cluster):
                continue
            if self._ledger:
                self._ledger.take(drive.cluster)
            waiting.remove(drive)
            self._active.append(drive)
            drive.start()

    def _start_nothing(self, waiting: list[Drive]) -> None:
        waiting.clear()
        for drive in self._active:
            drive.stop()

    def _look_at_budget(self, waiting: list[Drive]) -> None:
        if self._ledger and not self._ended_by and (used_up := self._ledger.over_budget(time.time())):
            self._ended_by = used_up
            self._screen.warn(f"{used_up}; stopping")
            self._start_nothing(waiting)

    def _look_at_limit(self, waiting: list[Drive]) -> None:
        if self._limit and not self._ended_by and self._limit.passes(time.time()):
            self._start_nothing(waiting)

    def _handle(self, event: Event, listener: Listener, deliver: Callable[[Result], None]) -> None:
        if event.kind == "progress":
            if self._limit:
                self._limit.hear(event.message, time.time())
            listener(event.message)
        elif event.kind == "cluster":
            self._note_cluster(event.message)
        elif event.kind == "warning":
            self._screen.warn(str(event.message))
        elif event.kind == "submitted" and self._recorder:
            self._recorder.submitted(event.runs, **event.message)
        elif event.kind == "logged":
            self._note_logged(event.message, deliver)
        else:
            self._handle_run(event, listener)

    def _handle_run(self, event: Event, listener: Listener) -> None:
        """Take note of what became of runs."""
        if event.kind == "started":
            self._note_start(event.runs[0])
        elif event.kind == "ended":
            self._come_home(event.runs[0], event, listener)
        elif event.kind in ("lost", "refused"):
            for run in event.runs:
                self._lose(run, event, listener)

    def _note_start(self, run: PlannedRun) -> None:
        if self._limit:
            self._limit.start(time.time())
        if self._recorder:
            self._recorder.started(run)

    def _note_cluster(self, told: Mapping[str, Any]) -> None:
        if self._ledger:
            self._ledger.note(told["drive"].cluster, told["state"], told["at"])
        reason = f": {told['text']}" if told["text"] else ""
        self._screen.say(f"cluster {told['handle']['name']} {told['state']}{reason}")

    def _come_home(self, run: PlannedRun, event: Event, listener: Listener) -> None:
        with self._slots() if self._active else nullcontext():
            result = collect_run(run, self._started_at, event.token, event.exit_code, event.tail)
        if self._recorder:
            self._recorder.ended(result)
        self._tell(result, listener)

    def _lose(self, run: PlannedRun, event: Event, listener: Listener) -> None:
        """A run without results: with a journal it can be resumed, so a stop is no failure of the run."""
        aborted = self._limit is not None and self._limit.passed and not self._ended_by
        stopped = event.message == "stopped" and not aborted
        if self._recorder and stopped and not begun(run.folder / "results", event.token):
            self._recorder.lost(run, self._ended_by or "stopped")
            return
        refusal = event.message if isinstance(event.message, FlowerexpError) else None
        if event.message == "stopped":
            refusal = JobError(str(self._limit) if aborted else "it was stopped before it had results")
        with self._slots() if self._active else nullcontext():
            result = collect_run(run, self._started_at, event.token, event.exit_code, event.tail, refusal)
        if self._recorder:
            self._recorder.lost(run, self._ended_by or "stopped" if stopped else str(result.error))
        if not (self._recorder and stopped):  # MLflow does not hear of a run that is to be resumed
            self._tell(result, listener)

    def _tell(self, result: Result, listener: Listener) -> None:
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
        is_work = Store.of(result.run.config.tracking).database is not None
        return self._slots() if is_work and self._active else nullcontext()

    def _slots(self) -> AbstractContextManager[None]:
        """Hold the measuring slots of this host, if the batch measures on it: analysing is work on it, too."""
        here = any(getattr(backend(job.cluster), "on_this_host", False) for job in self._plan.jobs)
        concurrency = max((one.config.measure.concurrency for one in self._plan.runs), default=1)
        return slots.all_slots(concurrency, patience=_PATIENCE, tell=self._screen.warn) if here else nullcontext()

    def _stop(self, deliver: Callable[[Result], None]) -> None:
        """Stop all jobs, close their clusters, and bring home what had ended by then; MLflow is not waited for."""
        self._logger.stop()
        for drive in self._active:
            drive.stop()
        while self._active:
            event = self._events.get()
            if event.kind == "closed":
                self._active.remove(event.message)
            elif event.kind != "progress":
                self._handle(event, lambda _: None, deliver)
        command = f"flowerexp {'resume' if self._recorder else 'log'} {shlex.quote(str(self._folder))}"
        self._logger.leave(lambda event: self._handle(event, lambda _: None, deliver), command)
