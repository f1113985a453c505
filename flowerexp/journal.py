"""The journal of a sweep: an append-only record of what was planned, submitted, finished and lost; resume reads it.

A sweep's folder holds `plan.json`, written whole before anything starts, and `journal.jsonl`, a line an event. A line
is written at once and flushed to disk, so what it says survives the launcher. A line that holds no event is counted and
passed over: what it said about a run is found out again. The first line names the sweep's scope, a random id by which
its clusters and jobs are known, wherever its folder lies.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowerexp import records
from flowerexp.config import plain
from flowerexp.errors import DataError, MachineError, from_os_error
from flowerexp.plan import PlannedRun

PLAN = "plan.json"
JOURNAL = "journal.jsonl"
SEARCH = "search.json"
RECORD = "run.json"
LOCK = ".lock"
DONE = ("finished", "failed", "skipped", "aborted", "refused", "dropped", "not_tried")
"""The events after which a run is not run again; the last four are those of a search for a cluster."""

_PLAN = {
    "sweep_id": str,
    "max_clusters": int,
    "max_failures": int | None,
    "runs": [{"run": str, "run_key": str, "overrides": list, "config": dict}],
}
_OBSERVED = {"status": str, "seconds": records.NUMBER | None, "prior": bool, "chosen": bool}
_SMOKED = {"status": str, "seconds": records.NUMBER | None, "usd": records.NUMBER | None, "prior": bool, "error": str}
_EVENT: Mapping[str, Any] = {"event": str, "at": records.NUMBER}
_EVENTS: Mapping[str, Mapping[str, Any]] = {
    "scope": {"scope": str},
    **{kind: {"folder": str, "handle": dict, "runs": [str]} for kind in ("submitting", "submitted")},
    "cluster": {"state": str, "handle": {"name": str}, "cluster": dict},
    **{kind: {"run": str} for kind in ("started", "logged", "lost", *DONE)},
    "unlogged": {"run": str, "error": str},
}
"""What an event holds, by its kind."""


@dataclass
class State:
    """What a journal says.

    Attributes:
        runs: each run's last event: `started`, `lost`, or one of `DONE`; by its folder's name.
        errors: what went wrong with those that failed or were lost.
        starts: how often each run was started.
        started: when each run was started last, in epoch seconds.
        jobs: the submitted jobs: folder, handle, and the runs they carry.
        intended: the same of those that were about to be submitted, and may have been; by their folder.
        clusters: the last that was told of each cluster: state, handle and config; by its name.
        billed: for each cluster that was created, its config under `cluster`, and the epoch seconds at which it was
            `creating`, `running` and `deleted`, as far as it came.
        observed: what a search for a cluster was told, in order: events with `run` and `observed`.
        looked: whether a search has looked for what was known before.
        smoked: how the smoke runs of a search ended, in order: events with `run` and `smoked`.
        smoke_over: whether a search is done with its smoke runs.
        again: the runs that failed without being to blame, such as when the disk was full: they are made again.
        logged: the runs that MLflow has.
        damage: what to say of a journal that was damaged, in one line; None of one that is whole.
    """

    runs: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    intended: dict[str, dict[str, Any]] = field(default_factory=dict)
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    billed: list[dict[str, Any]] = field(default_factory=list)
    started: dict[str, float] = field(default_factory=dict)
    observed: list[dict[str, Any]] = field(default_factory=list)
    looked: bool = False
    smoked: list[dict[str, Any]] = field(default_factory=list)
    smoke_over: bool = False
    again: set[str] = field(default_factory=set)
    logged: set[str] = field(default_factory=set)
    damage: str | None = None

    def is_done(self, name: str) -> bool:
        """Is a run, by its folder's name, not to be run again?"""
        return self.runs.get(name) in DONE and name not in self.again

    def is_unlogged(self, name: str) -> bool:
        """Is a run at home, but not in MLflow?"""
        return self.runs.get(name) in ("finished", "failed") and name not in self.logged

    @property
    def succeeded(self) -> bool:
        """Has every run results that MLflow has, or, in a search, come to what a search wants to know?"""
        if self.looked:
            return set(self.runs.values()) <= set(DONE)
        return set(self.runs.values()) <= {"finished", "skipped"} and not any(map(self.is_unlogged, self.runs))

    def _run(self, event: dict[str, Any]) -> None:
        """Take note of what became of a run."""
        name, kind = event["run"], event["event"]
        if kind in ("logged", "unlogged"):
            self._logging(name, kind, event)
            return
        self.runs[name] = kind
        self.again.discard(name)
        self.logged.discard(name)
        if event.get("retry"):
            self.again.add(name)
        if event.get("run_id") or "observed" in event:  # a search asks for no run in MLflow
            self.logged.add(name)
        self.starts[name] = self.starts.get(name, 0) + (kind == "started")
        if kind == "started":
            self.started[name] = event["at"]
        if "observed" in event:
            self.observed.append(event)
        if "smoked" in event:
            self.smoked.append(event)
        self.errors.pop(name, None)
        if event.get("error"):
            self.errors[name] = event["error"]

    def _logging(self, name: str, kind: str, event: dict[str, Any]) -> None:
        """Take note of whether MLflow has a run; the error of one that failed stays its own."""
        if kind == "logged":
            self.logged.add(name)
        if self.runs.get(name) == "finished":
            self.errors.pop(name, None)
        if kind == "unlogged":
            self.errors.setdefault(name, event["error"])

    def _intend(self, event: dict[str, Any]) -> None:
        """Take note of a job that is about to be submitted; what was intended for its runs before came to nothing."""
        runs = set(event["runs"])
        self.intended = {folder: job for folder, job in self.intended.items() if not runs & set(job["runs"])}
        self.intended[event["folder"]] = event

    def _cluster(self, event: dict[str, Any]) -> None:
        """Take note of a cluster's new state; one that was deleted and is created again is billed anew."""
        name, state = event["handle"]["name"], event["state"]
        alive = name in self.clusters and self.clusters[name]["state"] != "deleted"
        if alive:
            bill = next(one for one in reversed(self.billed) if one["name"] == name)
            bill.setdefault(state, event["at"])
        elif state != "deleted":
            self.billed.append({"name": name, "cluster": event["cluster"], "creating": event["at"]})
        self.clusters[name] = event


class Journal:
    """The journal of the sweep in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write_plan(
        self,
        sweep: Mapping[str, Any],
        runs: Sequence[PlannedRun],
        overrides: Sequence[Sequence[str]],
        earlier: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Write what the sweep consists of.

        Args:
            sweep: its settings.
            runs: its runs, or those of its next batch.
            overrides: those of each run.
            earlier: the runs of earlier batches, as they are listed.
        """
        listed = [
            {
                "run": run.folder.name,
                "run_key": run.run_key,
                "label": run.label,
                "name": run.name,
                "overrides": list(own),
                "config": plain(run.config),
            }
            for run, own in zip(runs, overrides, strict=True)
        ]
        # For its owner alone: it holds the configs with their secrets, which resume needs.
        records.write(self.folder / PLAN, {**sweep, "runs": [*earlier, *listed]}, indent=None, mode=0o600)

    def read_plan(self) -> dict[str, Any]:
        """What `write_plan` wrote.

        Raises:
            DataError: the folder is no sweep's, or the plan is damaged.
        """
        try:
            return records.read(self.folder / PLAN, _PLAN)
        except FileNotFoundError as error:
            hint = "name the folder of a sweep, such as outputs/DATE/TIME-ID"
            raise DataError(f"{self.folder} holds no sweep", hint=hint) from error
        except DataError as error:
            hint = "its runs are kept, each in a folder of its own: flowerexp report FOLDER; start a new sweep"
            raise DataError(error.problem, hint=hint) from error

    def scope(self) -> str:
        """The id of the sweep, or single run, in the folder; it gets one when there is none yet.

        It is random, so that neither another host's name nor another place of the folder changes it.
        """
        known = self.known_scope()
        if known is None:
            known = secrets.token_hex(8)
            self.append("scope", scope=known)
        return known

    def known_scope(self) -> str | None:
        """The id that the journal holds; None if it holds none. What was told of a cluster names it, too.

        Raises:
            MachineError: the journal cannot be read.
        """
        try:
            with (self.folder / JOURNAL).open(encoding="utf-8", errors="replace") as lines:
                return next((found for found in map(_scope_in, lines) if found), None)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise from_os_error(error, "reading") from error

    def append(self, event: str, **content: Any) -> None:
        """Add an event; it is on disk when this returns."""
        records.append(self.folder / JOURNAL, {"event": event, "at": round(time.time(), 3), **content})

    def read(self) -> State:
        """Read what has happened so far."""
        events, bad = records.read_lines(self.folder / JOURNAL, _is_event)
        state = State(damage=records.complaint(self.folder / JOURNAL, bad))
        for event in events:
            kind = event["event"]
            if kind == "submitting":
                state._intend(event)
            elif kind == "submitted":
                state.intended.pop(event["folder"], None)
                state.jobs.append(event)
            elif kind == "cluster":
                state._cluster(event)
            elif kind == "looked":
                state.looked = True
            elif kind == "smoke_over":
                state.smoke_over = True
            elif "run" in event:
                state._run(event)
        return state

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other launchers from the sweep; the kernel lets go when we die.

        Raises:
            DataError: another launcher works on it.
        """
        with (self.folder / LOCK).open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                problem = f"the sweep in {self.folder} is still running (process {lock.read().strip() or 'unknown'})"
                raise DataError(problem, hint="wait for it, or stop it first") from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            self.scope()
            yield


def _scope_in(line: str) -> str | None:
    """The scope that a line of a journal names, if it does."""
    try:
        event = json.loads(line)
        found = event.get("scope") or event.get("handle", {}).get("scope")
    except (ValueError, AttributeError):  # damaged
        return None
    return found if isinstance(found, str) else None


def _is_event(content: dict[str, Any]) -> bool:
    """Does a line hold an event, with all that is read of it?"""
    wanted = {**_EVENT, **_EVENTS.get(str(content.get("event")), {})}
    wanted |= {key: kind for key, kind in (("observed", _OBSERVED), ("smoked", _SMOKED)) if key in content}
    wanted |= {key: str for key in ("run", "error") if key in content}
    return records.misfit(content, wanted) is None


def refuse_taken(folder: Path, where: str) -> None:
    """Refuse a folder that holds a run or a sweep already, or belongs to a sweep: its results are somebody else's.

    Args:
        folder: where a run or a sweep is about to begin.
        where: the config key that names it.

    Raises:
        MachineError: it is taken.
    """
    folder = folder.resolve()  # `new/../taken` is taken, though there is no `new`
    hint = f"set another {where}, or leave it out: every run gets a new folder"
    if (folder / PLAN).exists():
        hint = f"set another {where}, or go on with that sweep: flowerexp resume {folder}"
        raise MachineError(f"{folder} holds a sweep already", where=where, hint=hint)
    if any((folder / name).exists() for name in (RECORD, "results", "analysis")):
        raise MachineError(f"{folder} holds a run already", where=where, hint=hint)
    if (folder.parent / PLAN).exists():
        raise MachineError(f"{folder} is within a sweep's folder", where=where, hint=hint)
