"""Writes what happens in a batch of a sweep into the sweep's journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowerexp.config import plain
from flowerexp.config.redact import redacted
from flowerexp.config.schema import Cluster
from flowerexp.journal.events import (
    ClusterChanged,
    JobIntended,
    JobSubmitted,
    RunEnded,
    RunLogged,
    RunLost,
    RunStarted,
    RunUnlogged,
)
from flowerexp.journal.journal import Journal
from flowerexp.orchestrate import Result
from flowerexp.plan import PlannedRun


class SweepRecorder:
    """Writes what happens in a batch into the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def submitted(self, runs: Sequence[PlannedRun], folder: str, handle: Mapping[str, Any]) -> None:
        """See `Recorder.submitted`."""
        self._journal.append(JobSubmitted(folder=folder, handle=handle, runs=_names(runs)))

    def submitting(self, runs: Sequence[PlannedRun], folder: str, handle: Mapping[str, Any]) -> None:
        """See `Keeper.submitting`."""
        self._journal.append(JobIntended(folder=folder, handle=handle, runs=_names(runs)))

    def cluster(self, state: str, config: Cluster, handle: Mapping[str, Any]) -> None:
        """See `Recorder.cluster`."""
        self._journal.append(ClusterChanged(state=state, handle=handle, cluster=redacted(plain(config))))

    def started(self, run: PlannedRun) -> None:
        """See `Recorder.started`."""
        self._journal.append(RunStarted(run=run.folder.name))

    def ended(self, result: Result) -> None:
        """See `Recorder.ended`."""
        state = "failed" if result.error else "finished"
        error = str(result.error) if result.error else None
        retry = bool(result.error and result.retry)
        self._journal.append(RunEnded(run=result.run.folder.name, state=state, error=error, retry=retry))

    def logged(self, result: Result) -> None:
        """See `Recorder.logged`."""
        if result.unlogged:
            self._journal.append(RunUnlogged(run=result.run.folder.name, error=str(result.unlogged)))
        else:
            self._journal.append(RunLogged(run=result.run.folder.name, run_id=result.run_id))

    def lost(self, run: PlannedRun, reason: str) -> None:
        """See `Recorder.lost`."""
        self._journal.append(RunLost(run=run.folder.name, error=reason))


def _names(runs: Sequence[PlannedRun]) -> tuple[str, ...]:
    return tuple(run.folder.name for run in runs)
