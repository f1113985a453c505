"""Collect what ended while no launcher looked: its results are there, and need not be measured again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from flowerexp import storage
from flowerexp.cluster.kind import kind_of
from flowerexp.console import Screen
from flowerexp.errors import DataError, from_os_error
from flowerexp.job.results import JobEnd, fetch, is_there, read_outcome
from flowerexp.job.ship import token_of
from flowerexp.journal import RECORD
from flowerexp.journal.journal import Journal
from flowerexp.journal.state import State
from flowerexp.orchestrate import Result, collect_run
from flowerexp.plan import PlannedRun
from flowerexp.sweep.recorder import SweepRecorder


def output_of(run: PlannedRun, folder: Path) -> str:
    """Where a run's job wrote its results.

    Args:
        run: the run.
        folder: the sweep's.
    """
    return kind_of(run.config.cluster).backend().output(run.folder, Journal(folder).scope())


def tokens_of(folder: Path, state: State) -> dict[str, str | None]:
    """The token of the last job that carried each run, by the run's name.

    Args:
        folder: the sweep's.
        state: what its journal says.
    """
    folders = {name: job.folder for job in state.carriers for name in job.runs}
    return {name: token_of(folder / job) for name, job in folders.items()}


def discard(path: Path) -> None:
    """Remove a file, or whatever stands in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Unseen:
    """What ended unseen in a sweep.

    Args:
        journal: the sweep's, held.
        screen: where it is said that results are damaged.
    """

    def __init__(self, journal: Journal, screen: Screen) -> None:
        self._journal = journal
        self._screen = screen

    def collect(self, runs: Sequence[PlannedRun], state: State, again: dict[str, str]) -> None:
        """Collect those of some runs whose results are there, and whole.

        Args:
            runs: runs that are to be made, or made again.
            state: what the journal says.
            again: why those are made again that had ended, by name; those whose results are collected are taken out.

        Raises:
            OSError: a bucket cannot be read.
        """
        recorder = SweepRecorder(self._journal)
        tokens = tokens_of(self._journal.folder, state)
        for run in runs:
            name = run.folder.name
            if name in tokens and (result := self._result(run, tokens[name])):
                again.pop(name, None)
                recorder.ended(result)

    def _result(self, run: PlannedRun, token: str | None) -> Result | None:
        """The result of a run by what its last job left; None if that is worth nothing."""
        output, results = output_of(run, self._journal.folder), run.folder / "results"
        try:
            if not is_there(output, token):
                return None
            fetch(output, results, token)
        except DataError as error:
            self._screen.warn(f"run {run.folder.name}: {error.problem}")
            return None
        except OSError as error:
            if not storage.is_local(output) and not isinstance(error, FileNotFoundError):
                raise  # a bucket that does not answer says nothing about the results
            self._screen.warn(f"run {run.folder.name}: {from_os_error(error, 'reading').problem}")
            return None
        if read_outcome(results, JobEnd(token)).retry:
            return None
        for name in ("analysis", RECORD):
            discard(run.folder / name)
        return collect_run(run, time.time(), JobEnd(token))
