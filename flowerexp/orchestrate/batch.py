"""A batch: all runs of a plan, on their clusters, each brought home as it ends."""

from __future__ import annotations

import hashlib
import json
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, Protocol

from flowerexp import analysis, tracking
from flowerexp.cluster import backend
from flowerexp.console import Listener, Screen
from flowerexp.errors import FlowerexpError
from flowerexp.orchestrate.drive import Drive, Event, Found
from flowerexp.orchestrate.home import Result, bring_home, record
from flowerexp.orchestrate.interrupt import Interrupt
from flowerexp.plan import Plan, PlannedRun
from flowerexp.workload import slots

_LOOK_SECONDS = 0.5  # how soon Ctrl-C is noticed


class Recorder(Protocol):
    """Who keeps the journal of a sweep."""

    def submitted(self, runs: Sequence[PlannedRun], folder: str, handle: Mapping[str, Any]) -> None:
        """A job was submitted."""
        ...

    def cluster(self, state: str, config: Mapping[str, Any], handle: Mapping[str, Any]) -> None:
        """What becomes of a cluster; called from the threads that look after the clusters."""
        ...

    def started(self, run: PlannedRun) -> None:
        """A run has started on its cluster."""
        ...

    def ended(self, result: Result) -> None:
        """A run has come home, finished or failed."""
        ...

    def lost(self, run: PlannedRun, reason: str) -> None:
        """A run's job ended without its results."""
        ...


class Batch:
    """All runs of a plan.

    Args:
        plan: the plan.
        folder: where jobs get their folders.
        screen: where progress is shown.
        recorder: who keeps the journal; None for a single run.
        found: jobs that outlived an earlier launcher.
        max_clusters: how many clusters work side by side.
        max_failures: stop when so many runs have failed; None never does.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        screen: Screen,
        recorder: Recorder | None = None,
        found: Sequence[Found] = (),
        max_clusters: int = 1,
        max_failures: int | None = None,
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

    def run(self, deliver: Callable[[Result], None], runs: Sequence[PlannedRun] | None = None) -> None:
        """Run everything, and hand over each result as it comes home; the batch keeps none of them.

        Args:
            deliver: called with each run's result, in this thread.
            runs: all runs that will come home, those of jobs that were found included; by default the plan's.

        Raises:
            KeyboardInterrupt: Ctrl-C; the jobs were stopped first, and what had ended was brought home.
        """
        runs = self._plan.runs if runs is None else runs
        for one in self._plan.runs:
            one.folder.mkdir(parents=True, exist_ok=True)
            record(one, self._started_at, {})
        preparation = _Preparation(runs, nullcontext() if self._found else self._slots())
        waiting = self._drives()
        try:
            with self._interrupt, self._screen.following(len(runs)) as listener:
                self._loop(waiting, listener, preparation, deliver)
        except BaseException:
            self._stop(deliver)
            raise
        finally:
            preparation.finish()

    def _drives(self) -> list[Drive]:
        """A drive for each cluster of the plan, and of the jobs that were found."""
        jobs: dict[str, list[int]] = {}
        found: dict[str, list[Found]] = {}
        clusters: dict[str, Mapping[str, Any]] = {}
        for one in self._found:
            key = json.dumps(one.cluster, sort_keys=True)
            clusters[key] = one.cluster
            found.setdefault(key, []).append(one)
        for place, job in enumerate(self._plan.jobs):
            key = json.dumps(job.cluster, sort_keys=True)
            clusters[key] = job.cluster
            jobs.setdefault(key, []).append(place)
        single = len(self._plan.jobs) == 1 and len(self._plan.runs) == 1
        drives = []
        for key, cluster in clusters.items():
            places = jobs.get(key, [])
            names = ["job" if single else f"jobs/{int(time.time())}-{place}" for place in places]
            own = [self._plan.jobs[place] for place in places]
            drives.append(
                Drive(
                    cluster, scope(self._folder), own, self._folder, names, self._events, found.get(key, ()),
                    self._recorder,
                )
            )  # fmt: skip
        return drives

    def _loop(
        self,
        waiting: list[Drive],
        listener: Listener,
        preparation: _Preparation,
        deliver: Callable[[Result], None],
    ) -> None:
        while waiting or self._active:
            self._interrupt.raise_if_came()
            while waiting and len(self._active) < self._max_clusters:
                self._active.append(waiting.pop(0))
                self._active[-1].start()
            try:
                event = self._events.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if event.kind == "closed":
                self._active.remove(event.message)
                continue
            if event.kind in ("ended", "lost", "refused"):
                preparation.finish()
            self._handle(event, listener, deliver)
            if self._max_failures is not None and self._failures >= self._max_failures:
                waiting.clear()
                for drive in self._active:
                    drive.stop()

    def _handle(self, event: Event, listener: Listener, deliver: Callable[[Result], None]) -> None:
        if event.kind == "progress":
            listener(event.message)
        elif event.kind == "cluster":
            self._screen.say(_cluster_line(event.message))
        elif event.kind == "warning":
            self._screen.warn(str(event.message))
        elif event.kind == "submitted" and self._recorder:
            self._recorder.submitted(event.runs, **event.message)
        elif event.kind == "started":
            if self._recorder:
                self._recorder.started(event.runs[0])
        elif event.kind == "ended":
            self._come_home(event.runs[0], event, listener, deliver)
        elif event.kind in ("lost", "refused"):
            for run in event.runs:
                self._lose(run, event, listener, deliver)

    def _come_home(self, run: PlannedRun, event: Event, listener: Listener, deliver: Callable[[Result], None]) -> None:
        with self._slots() if self._active else nullcontext():
            result = bring_home(run, self._started_at, event.exit_code, event.tail)
        if self._recorder:
            self._recorder.ended(result)
        self._tell(result, listener, deliver)

    def _lose(self, run: PlannedRun, event: Event, listener: Listener, deliver: Callable[[Result], None]) -> None:
        """A run without results: with a journal it can be resumed, so a stop is no failure of the run."""
        if self._recorder and event.message == "stopped":
            self._recorder.lost(run, "stopped")
            return
        tail = [event.message] if event.message else event.tail
        result = bring_home(run, self._started_at, event.exit_code, tail)
        if self._recorder:
            self._recorder.lost(run, str(result.error))
        self._tell(result, listener, deliver)

    def _tell(self, result: Result, listener: Listener, deliver: Callable[[Result], None]) -> None:
        self._failures += result.error is not None
        listener({"result": result})
        deliver(result)

    def _slots(self) -> AbstractContextManager[None]:
        """Hold the measuring slots of this host, if the batch measures on it: analysing is work on it, too."""
        here = any(getattr(backend(dict(job.cluster)), "on_this_host", False) for job in self._plan.jobs)
        concurrency = max((one.config["grid"]["concurrency"] for one in self._plan.runs), default=1)
        return slots.all_slots(concurrency) if here else nullcontext()

    def _stop(self, deliver: Callable[[Result], None]) -> None:
        """Stop all jobs, and bring home what had ended by then."""
        for drive in self._active:
            drive.stop()
        for drive in self._active:
            drive.join()
        self._active = []
        while not self._events.empty():
            event = self._events.get()
            if event.kind not in ("progress", "closed"):
                self._handle(event, lambda _: None, deliver)


def scope(folder: Path) -> str:
    """The name under which a sweep, or a single run, keeps its things apart in a cloud.

    Args:
        folder: of the sweep or the run; two folders of one name, also on two machines, give two scopes.
    """
    folder = folder.absolute()
    digest = hashlib.sha256(f"{socket.gethostname()}:{folder}".encode()).hexdigest()[:8]
    name = re.sub(r"[^a-z0-9]+", "-", f"{folder.parent.name}-{folder.name}".lower()).strip("-")
    return f"{name[-32:].strip('-')}-{digest}"


def _cluster_line(told: Mapping[str, Any]) -> str:
    reason = f": {told['text']}" if told["text"] else ""
    return f"cluster {told['handle']['name']} {told['state']}{reason}"


class _Preparation:
    """Get MLflow and the analysis libraries ready while Spark starts: importing them takes seconds.

    That is work on this machine, so the slots are held meanwhile: nothing is measured beside it.
    """

    def __init__(self, runs: Sequence[PlannedRun], slots_held: AbstractContextManager[None]) -> None:
        self._stores = {tracking.Store(**one.config["tracking"]) for one in runs}
        self._grid = any(one.measurements for one in runs)
        self._held = ExitStack()
        self._held.enter_context(slots_held)
        self._thread = threading.Thread(target=self._prepare, daemon=True)
        self._thread.start()

    def _prepare(self) -> None:
        try:
            for store in self._stores:
                tracking.ensure(store)
            analysis.load_libraries(self._grid)
        except FlowerexpError:
            pass  # logging will meet it again, when there are results to keep
        finally:
            self._held.close()

    def finish(self) -> None:
        """Wait until it is done."""
        self._thread.join()
