"""What a journal says: how each run, job and cluster of a sweep stands after all that happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowerexp.journal.events import (
    DONE,
    ClusterChanged,
    Event,
    JobIntended,
    JobSubmitted,
    KnownRunsChecked,
    RunEnded,
    RunLogged,
    RunLost,
    RunStarted,
    RunUnlogged,
    ScopeChosen,
    SmokeStageEnded,
)


@dataclass
class PaidCluster:
    """A cluster that was created: its name, its config with secrets hidden, and the epoch seconds of its life.

    Attributes:
        name: by which the cloud knows it.
        cluster: its config.
        at: when it was `creating`, and `running`, `deleting` and `deleted` as far as it came.
    """

    name: str
    cluster: Mapping[str, Any]
    at: dict[str, float]


@dataclass
class State:
    """What a journal says.

    Attributes:
        runs: how each run stands: `started`, `lost`, `not started` if its job ended before that, or one of `DONE`; by
            its name.
        errors: what went wrong with those that failed, were lost or not started.
        started: when each run was started last, in epoch seconds.
        jobs: the jobs that were submitted.
        intended: those that were about to be submitted, and may have been; by their folder.
        clusters: the last change of each cluster, by its name.
        paid: the clusters that were created; one that was created again is there again.
        observed: the runs that a search for a cluster learned from, in order.
        smoked: the smoke runs of a search, in order.
        known_checked: whether a search has looked for what was known before.
        smoke_over: whether a search is done with its smoke runs.
        again: the runs that failed without being to blame, such as when the disk was full: they are made again.
        logged: the runs that MLflow has.
        damage: what to say of a journal that was damaged, in one line; None of one that is whole.
    """

    runs: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    jobs: list[JobSubmitted] = field(default_factory=list)
    intended: dict[str, JobIntended] = field(default_factory=dict)
    clusters: dict[str, ClusterChanged] = field(default_factory=dict)
    paid: list[PaidCluster] = field(default_factory=list)
    observed: list[RunEnded] = field(default_factory=list)
    smoked: list[RunEnded] = field(default_factory=list)
    known_checked: bool = False
    smoke_over: bool = False
    again: set[str] = field(default_factory=set)
    logged: set[str] = field(default_factory=set)
    damage: str | None = None

    def is_done(self, name: str) -> bool:
        """Is a run, by its name, not to be run again?"""
        return self.runs.get(name) in DONE and name not in self.again

    def is_unlogged(self, name: str) -> bool:
        """Are a run's results here, but not in MLflow?"""
        return self.runs.get(name) in ("finished", "failed") and name not in self.logged

    @property
    def succeeded(self) -> bool:
        """Has every run results that MLflow has, or, in a search, ended in a way that the search learned from?"""
        if self.known_checked:
            return set(self.runs.values()) <= set(DONE)
        return set(self.runs.values()) <= {"finished", "skipped"} and not any(map(self.is_unlogged, self.runs))

    @property
    def carriers(self) -> list[JobSubmitted | JobIntended]:
        """The jobs that carried runs, or may have; a run belongs to the last one that names it."""
        return [*self.jobs, *self.intended.values()]

    @property
    def alive(self) -> list[ClusterChanged]:
        """The last change of each cluster that was not deleted."""
        return [event for event in self.clusters.values() if event.state != "deleted"]

    def add(self, event: Event) -> None:
        """Take note of the next event."""
        match event:
            case RunStarted() | RunLost() | RunEnded():
                self._add_run(event)
            case RunLogged() | RunUnlogged():
                self._add_logging(event)
            case JobIntended():
                self._intend(event)
            case JobSubmitted():
                self.intended.pop(event.folder, None)
                self.jobs.append(event)
            case ClusterChanged():
                self._change(event)
            case KnownRunsChecked():
                self.known_checked = True
            case SmokeStageEnded():
                self.smoke_over = True
            case ScopeChosen():  # read by itself, before all else
                pass

    def _add_run(self, event: RunStarted | RunLost | RunEnded) -> None:
        """Take note of what became of a run."""
        match event:
            case RunStarted():
                self._stands(event.run, "started")
                self.started[event.run] = event.at
            case RunLost():
                self._stands(event.run, "lost" if event.run in self.started else "not started", event.error)
            case RunEnded():
                self._stands(event.run, event.state, event.error)
                self._end(event)

    def _add_logging(self, event: RunLogged | RunUnlogged) -> None:
        """Take note of whether MLflow has a run; the error of one that failed stays its own."""
        if self.runs.get(event.run) == "finished":
            self.errors.pop(event.run, None)
        if isinstance(event, RunLogged):
            self.logged.add(event.run)
        else:
            self.errors.setdefault(event.run, event.error)

    def _stands(self, name: str, state: str, error: str | None = None) -> None:
        """A run stands otherwise than before."""
        self.runs[name] = state
        self.again.discard(name)
        self.logged.discard(name)
        self.errors.pop(name, None)
        if error:
            self.errors[name] = error

    def _end(self, event: RunEnded) -> None:
        if event.retry:
            self.again.add(event.run)
        if event.run_id or event.observed:  # a search asks for no run in MLflow
            self.logged.add(event.run)
        if event.observed:
            self.observed.append(event)
        if event.smoked:
            self.smoked.append(event)

    def _intend(self, event: JobIntended) -> None:
        """Take note of a job that is about to be submitted; what was intended for its runs before did not happen."""
        runs = set(event.runs)
        self.intended = {folder: job for folder, job in self.intended.items() if not runs & set(job.runs)}
        self.intended[event.folder] = event

    def _change(self, event: ClusterChanged) -> None:
        """Take note of a cluster's new state; one that was deleted and is created again is paid for anew."""
        name = event.handle["name"]
        if name in self.clusters and self.clusters[name].state != "deleted":
            paid = next(known for known in reversed(self.paid) if known.name == name)
            paid.at.setdefault(event.state, event.at)
        elif event.state != "deleted":
            self.paid.append(PaidCluster(name, event.cluster, {"creating": event.at, event.state: event.at}))
        self.clusters[name] = event
