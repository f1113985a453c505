"""Resume a sweep: find its running job again, collect what ended unseen, and run just what is missing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowerexp.cluster.kind import kind_of
from flowerexp.config import key_of, plain
from flowerexp.config.places import is_rehearsed
from flowerexp.config.redact import redacted
from flowerexp.console import Screen
from flowerexp.errors import ConfigError, DataError
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.job.rows import Kept
from flowerexp.journal.events import DONE, RunLost
from flowerexp.journal.journal import Journal
from flowerexp.journal.state import State
from flowerexp.orchestrate import preflight
from flowerexp.orchestrate.events import RunningJob
from flowerexp.plan import PlannedRun, run_key
from flowerexp.sweep.data import refuse_changed
from flowerexp.sweep.left_behind import clear, damage, rows_of
from flowerexp.sweep.pending import Pending
from flowerexp.sweep.run import Sweep, SweepLimits, planned_runs
from flowerexp.sweep.unseen import Unseen, tokens_of
from flowerexp.sweep.walk import Walk

FAILED = "--failed"
"""The option, and how the reason begins of a run that is made again for it."""


@dataclass(frozen=True)
class Consent:
    """What a user allows on resuming.

    Attributes:
        changed_code: go on although flowerexp's code has changed since the sweep began.
        changed_data: go on although the data has changed since.
        failed: make the runs again, too, that failed on their own.
        budget: what the sweep may cost in all, in US dollars, instead of `budget.usd`.
        leave: Ctrl-C leaves its jobs and clusters as they are, instead of stopping them.
    """

    changed_code: bool = False
    changed_data: bool = False
    failed: bool = False
    budget: float | None = None
    leave: bool = False


def resume(
    folder: Path, screen: Screen, consent: Consent, walk_of: Callable[[Mapping[str, Any] | None], Walk]
) -> State:
    """Resume the sweep in a folder.

    Runs that finished, or failed on their own, stay as they are. A run is made again that was lost with its job, never
    started, failed for another reason than its experiment, or whose files are damaged; what it left behind goes first,
    in MLflow too, but for rows that it had measured with the same code and data: only what they lack is measured. A run
    that is only missing in MLflow is logged.

    Args:
        folder: the sweep's folder.
        screen: where progress is shown.
        consent: what is allowed.
        walk_of: the strategy of the sweep, by what its plan remembers of it.

    Returns:
        The state of the sweep in the end.

    Raises:
        DataError: the folder is not that of a sweep, or of a rehearsed one, another launcher works on it, or its data
            has changed.
        ConfigError: the code has changed since, and that is not allowed; or `failed` in a search.
    """
    journal = Journal(folder)
    plan = journal.read_plan()
    if is_rehearsed(folder):
        problem = f"{folder} was a rehearsal: its servers are gone, and what is missing would be made in the real cloud"
        raise DataError(problem, hint="rehearse it again")
    runs = planned_runs(plan, folder, functools.cache(lambda script: Bundle(find_script(script)).code_hash))
    walk = walk_of(plan.get("search"))
    if walk.chooses and consent.failed:
        hint = "leave --failed out, or start a new search"
        raise ConfigError("a search counts a run that fails as an answer", where="--failed", hint=hint)
    if not consent.changed_code:
        _same_code(runs)
    with journal.held():
        limits = SweepLimits(
            max_clusters=plan["max_clusters"],
            max_failures=plan["max_failures"],
            usd=consent.budget,
            changed_data=consent.changed_data,
            leave=consent.leave,
        )
        return _Resumption(Sweep(journal, runs, screen, limits), walk, consent).run()


class _Resumption:
    """A sweep that is being resumed; its journal is held."""

    def __init__(self, sweep: Sweep, walk: Walk, consent: Consent) -> None:
        self._sweep = sweep
        self._walk = walk
        self._journal = sweep.journal
        self._runs = sweep.runs
        self._screen = sweep.screen
        self._consent = consent
        self._aside = walk.aside(sweep.runs)
        self._again: dict[str, str] = {}  # the runs that had ended and are made again, and why

    def run(self) -> State:
        state = self._journal.read()
        if state.damage:
            self._screen.warn(state.damage)
        self._find_what_is_made_again(state)
        if to_run := [run for run in self._runs if self._is_open(run, state)]:
            preflight(to_run[0].config)
        Unseen(self._journal, self._screen).collect(
            [
                run
                for run in (*self._runs, *self._aside)
                if self._is_open(run, state) and not self._again.get(run.folder.name, "").startswith(FAILED)
            ],
            state,
            self._again,
        )
        state = self._journal.read()
        self._refuse_unknown(state)
        running = self._running(state)
        followed = {run.folder.name for job in running for run in job.runs}
        missing, open_aside = (
            [run for run in some if self._is_open(run, state) and run.folder.name not in followed]
            for some in (self._runs, self._aside)
        )
        tokens = tokens_of(self._journal.folder, state)
        kept = {run.folder.name: self._rows_of(run, tokens.get(run.folder.name)) for run in missing}
        if not self._consent.changed_data:
            begun = {name: found.data_fingerprint for name, found in kept.items()}
            refuse_changed([run for run in self._runs if run not in missing], missing, begun)
        self._tell(missing, followed, state)
        for run in (*missing, *open_aside):
            if not self._walk.chooses or run.folder.name in state.runs:
                clear(run, self._journal.folder, kept.get(run.folder.name, Kept()), self._screen)
        unlogged = [run for run in (*self._runs, *self._aside) if state.is_unlogged(run.folder.name)]
        todo = Pending(missing, running, [run for run in unlogged if run not in missing])
        self._walk.run(self._sweep, lambda _: None, todo)
        return self._journal.read()

    def _is_open(self, run: PlannedRun, state: State) -> bool:
        """Is a run to be made, or made again?"""
        return run.folder.name in self._again or not state.is_done(run.folder.name)

    def _find_what_is_made_again(self, state: State) -> None:
        """The runs whose files are damaged, and on request those that failed on their own."""
        learned = {event.run for event in (*state.observed, *state.smoked)}
        for run in (*self._runs, *self._aside):
            name = run.folder.name
            if state.runs.get(name) not in ("finished", "failed") or name in state.again:
                continue
            if problem := damage(run):
                self._screen.warn(f"run {name}: {problem}")
                if name not in learned:  # what a search learned is in the journal
                    self._again[name] = problem
            elif self._consent.failed and state.runs[name] == "failed":
                self._again[name] = f"{FAILED}: {state.errors.get(name, 'it failed')}"

    def _tell(self, missing: Sequence[PlannedRun], followed: Collection[str], state: State) -> None:
        """Say how many runs are done, and why others are made again, to the journal too."""
        done = sum(run not in missing and run.folder.name not in followed for run in self._runs)
        self._screen.say(f"resuming: {done} of {len(self._runs)} runs are done already")
        for run in missing:
            name = run.folder.name
            if why := self._again.get(name) or state.errors.get(name):
                self._screen.say(f"again     {run.label}: {why}")
            if name in self._again:
                self._journal.append(RunLost(run=name, error=self._again[name]))

    def _running(self, state: State) -> list[RunningJob]:
        """Jobs of the sweep that outlived their launcher, each with those of its runs that have not ended.

        The launcher may have died while it submitted one: that one may have arrived, or may arrive yet.
        """
        waiting = {
            run.folder.name: run
            for run in (*self._runs, *self._aside)
            if self._is_open(run, state) and not self._has_ended(run, state)
        }
        found = []
        for job in reversed(state.carriers):
            carried = [waiting.pop(name) for name in job.runs if name in waiting]
            if not carried:
                continue
            backend = kind_of(carried[0].config.cluster).backend()
            submission = backend.find(self._journal.folder / job.folder, dict(job.handle))
            if submission or (job.folder in state.intended and not backend.arrived(job.handle)):
                found.append(RunningJob(submission, carried, job.folder))
        return found[::-1]

    def _refuse_unknown(self, state: State) -> None:
        """Start nothing beside a job of the sweep that its journal does not know.

        Raises:
            DataError: there is one: another copy of the folder is at work, or lines of the journal are lost.
        """
        known = {value for job in state.carriers for value in map(str, job.handle.values())}
        alive = [event.cluster for event in state.alive]
        clusters = {key_of(run.config.cluster): run.config.cluster for run in (*self._runs, *self._aside)}
        for cluster in clusters.values():
            place = kind_of(cluster).place
            if place is None or redacted(plain(cluster)) not in alive:
                continue
            for name in kind_of(cluster).backend().running(self._journal.scope()):
                if name not in known:
                    problem = f"a job of this sweep runs that its journal does not know: {name}"
                    hint = "is another copy of the folder at work? Wait for the job, or cancel it, then resume"
                    where = str(self._journal.folder)
                    raise DataError(f"{problem}, in project {place.project}", where=where, hint=hint)

    def _has_ended(self, run: PlannedRun, state: State) -> bool:
        return state.runs.get(run.folder.name) in (*DONE, "lost", "not started")

    def _rows_of(self, run: PlannedRun, token: str | None) -> Kept:
        """What a run has measured that need not be measured again.

        Nothing where the strategy chooses: it learns from how long a whole run takes.
        """
        mixed = self._consent.changed_code or self._consent.changed_data
        if mixed or self._walk.chooses or run.folder.name in self._again:
            return Kept()
        return rows_of(run, self._journal.folder, token, self._screen)


def _same_code(runs: list[PlannedRun]) -> None:
    for run in runs:
        if run_key(run.config, run.code_hash) != run.run_key:
            raise ConfigError(
                "flowerexp's code has changed since this sweep began, so new results would not be comparable",
                hint="go back to that version, or mix them knowingly: flowerexp resume --changed-code",
            )
