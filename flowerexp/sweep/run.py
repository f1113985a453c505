"""Run what is missing of a sweep: keep the journal, skip what is finished already, and gather the tables at the end."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowerexp.config import plain, recorded, typed
from flowerexp.config.redact import redacted
from flowerexp.config.schema import Cluster, Config
from flowerexp.console import Screen
from flowerexp.errors import DataError, FlowerexpError
from flowerexp.journal import Journal
from flowerexp.orchestrate import Batch, ClusterLifetime, Ledger, Result, RunningJob, TimeLimit, log
from flowerexp.plan import Plan, PlannedRun, grouped
from flowerexp.sweep import tables
from flowerexp.sweep.closing import tell
from flowerexp.sweep.data import other_data
from flowerexp.sweep.skip import skip_finished


class Sweep:
    """A sweep that is about to run, or to be resumed.

    Args:
        journal: its journal, held.
        runs: all its runs, in order.
        screen: where progress is shown.
        max_clusters: how many clusters work side by side.
        max_failures: stop when so many runs have failed; None never does.
        budget: what the sweep may cost in all, in US dollars, instead of what its runs' configs say.
        changed_data: whether runs on data that has changed may stand beside those before them.
    """

    def __init__(
        self,
        journal: Journal,
        runs: Sequence[PlannedRun],
        screen: Screen,
        max_clusters: int = 1,
        max_failures: int | None = None,
        budget: float | None = None,
        changed_data: bool = False,
    ) -> None:
        self._changed_data = changed_data
        self._stopped = False
        self._journal = journal
        self._runs = runs
        self._screen = screen
        self._max_clusters = max_clusters
        self._max_failures = max_failures
        self._budget = budget

    def run(
        self,
        deliver: Callable[[Result], None],
        missing: Sequence[PlannedRun] | None = None,
        found: Sequence[RunningJob] = (),
        unlogged: Sequence[PlannedRun] = (),
    ) -> None:
        """Run all runs, or only those that are missing, and those of jobs that were found running.

        Args:
            deliver: called with each result.
            missing: the runs to start; all by default.
            found: jobs that outlived an earlier launcher.
            unlogged: runs that are at home, and that MLflow is still to be told about.

        Raises:
            KeyboardInterrupt: Ctrl-C; all is stopped, and the command that goes on was shown.
            BudgetError: the budget is used up; likewise.
            DataError: the data changed while the sweep ran, so that its runs cannot be compared.
        """
        missing = skip_finished(self._runs if missing is None else missing, self._journal, self._screen)
        try:
            self.batch(deliver, missing, found)
            self.log(unlogged)
        except BaseException:
            self._stopped = True
            self._screen.say(f"stopped; go on with: {self.command}")
            raise
        finally:
            mixed = self.close()
        if mixed and not self._changed_data:
            hint = "start a new sweep, or keep both knowingly: flowerexp resume --changed-data"
            raise DataError(mixed, where="dataset", hint=hint)

    def log(self, runs: Sequence[PlannedRun]) -> None:
        """Tell MLflow about runs that are at home; one that cannot be logged costs no other."""
        for run in runs:
            try:
                run_id = log(run)
            except FlowerexpError as error:
                self._journal.append("unlogged", run=run.folder.name, error=str(error))
                self._screen.warn(f"run {run.folder.name}: {error}")
                continue
            self._journal.append("logged", run=run.folder.name, run_id=run_id)
            self._screen.say(f"logged    {run.label}: MLflow run {run_id}")

    def batch(
        self,
        deliver: Callable[[Result], None],
        missing: Sequence[PlannedRun],
        found: Sequence[RunningJob] = (),
        limit: TimeLimit | None = None,
    ) -> None:
        """Run some of the runs as one batch, and delete what clusters earlier ones left; nothing is gathered yet.

        Args:
            deliver: called with each result.
            missing: the runs to start.
            found: jobs that outlived an earlier launcher.
            limit: how long the run may take, of a batch of one.

        Raises:
            KeyboardInterrupt: Ctrl-C; all is stopped.
            BudgetError: the budget is used up; likewise.
        """
        following = [run for one in found for run in one.runs]
        leftover = self._leftover([*missing, *following])
        if missing or found or leftover:
            batch = Batch(
                Plan(grouped([*missing])),
                self._journal.folder,
                self._screen,
                SweepRecorder(self._journal),
                found,
                self._max_clusters,
                self._max_failures,
                self.ledger(),
                leftover,
                limit,
            )
            batch.run(deliver, [*missing, *following])

    def ledger(self) -> Ledger:
        """What the sweep may cost, and what it has cost so far."""
        return Ledger(self._budgeted(), self._bills())

    @property
    def command(self) -> str:
        """The command that resumes this sweep."""
        return f"flowerexp resume {shlex.quote(str(self._journal.folder))}"

    def _budgeted(self) -> Config:
        """The config whose budget and quota hold for the sweep: its first run's, with a budget raised on resuming."""
        config = self._runs[0].config
        if self._budget is None:
            return config
        return dataclasses.replace(config, budget=dataclasses.replace(config.budget, usd=self._budget))

    def _bills(self) -> list[ClusterLifetime]:
        """The clusters that the sweep has paid for, by the journal, which hides secrets of their configs."""
        billed = self._journal.read().billed
        return [
            ClusterLifetime(self._cluster(one["cluster"]), one["creating"], one.get("running"), one.get("deleted"))
            for one in billed
        ]

    def _leftover(self, runs: Sequence[PlannedRun]) -> list[Cluster]:
        """Clusters that an earlier launcher left behind, and that none of the runs will use, and so delete."""
        told = self._journal.read().clusters.values()
        left = [self._cluster(event["cluster"]) for event in told if event["state"] != "deleted"]
        return [cluster for cluster in left if all(run.config.cluster != cluster for run in runs)]

    def _cluster(self, noted: Mapping[str, Any]) -> Cluster:
        """A cluster's config as a run of the sweep has it."""
        clusters = (run.config.cluster for run in self._runs)
        return next((one for one in clusters if redacted(plain(one)) == noted), None) or typed(noted, Cluster)

    def close(self, aside: Sequence[PlannedRun] = ()) -> str | None:
        """Write the tables and the report, tell MLflow about the sweep, and show how it stands.

        Args:
            aside: runs on the sweep's clusters that are none of its own, as the smoke runs of a search: they bear their
                part of what the clusters cost, and stand in no table.

        Returns:
            What is to be said of data that changed while the sweep ran; None where all is well.
        """
        state = self._journal.read()
        summary = tables.write(self._journal.folder, self._runs, state)
        self._screen.say("")
        self._screen.say(tables.shown(summary))
        damaged = {line["run"] for line in summary if line["state"] == "damaged"}
        names = [run.folder.name for run in self._runs]
        unfinished = [name for name in names if name in damaged or not state.is_done(name)]
        if unfinished and state.runs:
            self._screen.say(f"{len(unfinished)} of {len(self._runs)} runs have no results: {self.command}")
        if waiting := sum(state.is_unlogged(name) for name in names):
            self._screen.say(f"{waiting} of {len(self._runs)} runs are not in MLflow yet: {self.command}")
        if state.damage:
            self._screen.warn(state.damage)
        if mixed := other_data(self._runs):
            self._screen.warn(mixed)
        self._screen.say(f"folder    {self._journal.folder}")
        self._screen.say("open      flowerexp ui")
        tell(self._journal.folder, self._runs, aside, self._bills(), self._screen, not (unfinished or self._stopped))
        return mixed


class SweepRecorder:
    """Writes what happens in a batch into the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def submitted(self, runs: Sequence[PlannedRun], folder: str, handle: Mapping[str, Any]) -> None:
        """See `Recorder.submitted`."""
        names = [run.folder.name for run in runs]
        self._journal.append("submitted", folder=folder, handle=handle, runs=names)

    def submitting(self, runs: Sequence[PlannedRun], folder: str, handle: Mapping[str, Any]) -> None:
        """See `Keeper.submitting`."""
        names = [run.folder.name for run in runs]
        self._journal.append("submitting", folder=folder, handle=handle, runs=names)

    def cluster(self, state: str, config: Cluster, handle: Mapping[str, Any]) -> None:
        """See `Recorder.cluster`."""
        self._journal.append("cluster", state=state, handle=handle, cluster=redacted(plain(config)))

    def started(self, run: PlannedRun) -> None:
        """See `Recorder.started`."""
        self._journal.append("started", run=run.folder.name)

    def ended(self, result: Result) -> None:
        """See `Recorder.ended`."""
        state = "failed" if result.error else "finished"
        error = {"error": str(result.error), "retry": result.retry} if result.error else {}
        self._journal.append(state, run=result.run.folder.name, **error)

    def logged(self, result: Result) -> None:
        """See `Recorder.logged`."""
        if result.unlogged:
            self._journal.append("unlogged", run=result.run.folder.name, error=str(result.unlogged))
        else:
            self._journal.append("logged", run=result.run.folder.name, run_id=result.run_id)

    def lost(self, run: PlannedRun, reason: str) -> None:
        """See `Recorder.lost`."""
        self._journal.append("lost", run=run.folder.name, error=reason)


def planned_runs(plan: Mapping[str, Any], folder: Path, code_hash: Callable[[str], str]) -> list[PlannedRun]:
    """The runs of a written plan.

    Args:
        plan: what `Journal.read_plan` gives.
        folder: the sweep's.
        code_hash: gives the hash of the code that an entrypoint's script runs.
    """
    return [
        PlannedRun(
            one["run_key"],
            recorded(one["config"]),
            folder / one["run"],
            code_hash(one["config"]["entrypoint"]["script"]),
            {"sweep_id": plan["sweep_id"], **{key: one[key] for key in ("label", "name") if key in one}},
        )
        for one in plan["runs"]
    ]
