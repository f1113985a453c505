"""The files of a sweep's journal: its plan, written once, and its events, a line each, which are only ever added.

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
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowerexp import json_lines, records
from flowerexp.config import plain
from flowerexp.errors import DataError, MachineError, from_os_error
from flowerexp.journal import JOURNAL, LOCK, PLAN, RECORD
from flowerexp.journal.events import Event, ScopeChosen, fits, from_json, to_json
from flowerexp.journal.state import State
from flowerexp.plan import PlannedRun

_PLAN = {
    "sweep_id": str,
    "max_clusters": int,
    "max_failures": int | None,
    "runs": [{"run": str, "run_key": str, "overrides": list, "config": dict}],
}

LISTED = ("label", "name", "order", "block")
"""What a plan lists of a run beside that, and its record holds, too."""


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
                **{key: run.extra[key] for key in ("order", "block") if key in run.extra},
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
            DataError: the folder is not that of a sweep, or the plan is damaged.
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
            self.append(ScopeChosen(scope=known))
        return known

    def known_scope(self) -> str | None:
        """The id that the journal holds; None if it holds none. The events of a cluster name it, too.

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

    def append(self, event: Event) -> None:
        """Add an event; it is on disk when this returns."""
        json_lines.append(self.folder / JOURNAL, to_json(replace(event, at=round(time.time(), 3))))

    def read(self) -> State:
        """Read what has happened so far; an event of a kind that a later version writes is passed over."""
        lines, bad = json_lines.read_lines(self.folder / JOURNAL, fits)
        state = State(damage=json_lines.complaint(self.folder / JOURNAL, bad))
        for line in lines:
            if event := from_json(line):
                state.add(event)
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
