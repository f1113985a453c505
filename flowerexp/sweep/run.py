"""Run what is missing of a sweep: skip what is finished already, make the rest, and write the tables at the end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flowerexp.config import plain, recorded, typed
from flowerexp.config.redact import redacted
from flowerexp.config.schema import Cluster, Config
from flowerexp.console import Screen
from flowerexp.errors import DataError, FlowerexpError
from flowerexp.journal.events import RunLogged, RunUnlogged
from flowerexp.journal.journal import LISTED, Journal
from flowerexp.orchestrate import Batch, BatchLimits, ClusterLifetime, Ledger, Result, TimeLimit, log
from flowerexp.orchestrate.events import Inherited, RunningJob
from flowerexp.plan import Plan, PlannedRun, grouped
from flowerexp.program import program
from flowerexp.sweep import tables
from flowerexp.sweep.closing import close_in_mlflow
from flowerexp.sweep.data import other_data
from flowerexp.sweep.order import in_time
from flowerexp.sweep.pending import Pending
from flowerexp.sweep.recorder import SweepRecorder
from flowerexp.sweep.skip import skip_finished


@dataclass(frozen=True)
class SweepLimits:
    """How far a sweep may go.

    Attributes:
        max_clusters: how many clusters work side by side.
        max_failures: how many failed runs end the sweep; None: any number may fail.
        usd: what the sweep may cost in all, instead of what its runs' configs say.
        changed_data: whether runs on data that has changed may stand beside those before them.
        detach: it ends as soon as the jobs are submitted that can be, and leaves them to themselves.
        leave: Ctrl-C leaves jobs and clusters as they are, instead of stopping them.
    """

    max_clusters: int = 1
    max_failures: int | None = None
    usd: float | None = None
    changed_data: bool = False
    detach: bool = False
    leave: bool = False


class Sweep:
    """A sweep that is about to run, or to be resumed.

    Args:
        journal: its journal, held when anything is run.
        runs: all its runs, in the order in which they are declared.
        screen: where progress is shown.
        limits: how far it may go.
        is_last: whether the sweep is closed once these runs are made; others may follow.
    """

    def __init__(
        self,
        journal: Journal,
        runs: Sequence[PlannedRun],
        screen: Screen,
        limits: SweepLimits | None = None,
        is_last: bool = True,
    ) -> None:
        self.journal = journal
        self.runs = runs
        self.screen = screen
        self.limits = limits or SweepLimits()
        self.is_last = is_last
        self._stopped = False

    def run(self, deliver: Callable[[Result], None], todo: Pending) -> None:
        """Make runs and follow jobs, then close the sweep; one that is left to itself is closed by who attaches to it.

        Args:
            deliver: called with each result.
            todo: what is still to be done.

        Raises:
            KeyboardInterrupt: Ctrl-C; all is stopped or left, and the command that goes on was shown.
            BudgetError: the budget is used up; likewise.
            DataError: the data changed while the sweep ran, so that its runs cannot be compared.
        """
        missing = skip_finished(in_time(todo.missing), self.journal, self.screen)
        left: Sequence[PlannedRun] = ()
        try:
            left = self.batch(deliver, missing, todo.running)
            self.log(todo.unlogged)
        except BaseException as error:
            self._stopped = True
            if not (self.limits.leave and isinstance(error, KeyboardInterrupt)):  # else who attached says what goes on
                self.screen.say(f"stopped; go on with: {self.command}")
            raise
        finally:
            mixed = self.close() if self.is_last and not left else None
        if left:
            self._tell_of(left, len(missing))
        if mixed and not self.limits.changed_data:
            hint = f"start a new sweep, or keep both knowingly: {program()} resume --changed-data"
            raise DataError(mixed, where="dataset", hint=hint)

    def log(self, runs: Sequence[PlannedRun]) -> None:
        """Give MLflow runs whose results are here; one that cannot be logged costs no other."""
        for run in runs:
            try:
                run_id = log(run)
            except FlowerexpError as error:
                self.journal.append(RunUnlogged(run=run.folder.name, error=str(error)))
                self.screen.warn(f"run {run.folder.name}: {error}")
                continue
            self.journal.append(RunLogged(run=run.folder.name, run_id=run_id))
            self.screen.say(f"logged    {run.label}: MLflow run {run_id}")

    def batch(
        self,
        deliver: Callable[[Result], None],
        missing: Sequence[PlannedRun],
        running: Sequence[RunningJob] = (),
        run_time: TimeLimit | None = None,
    ) -> list[PlannedRun]:
        """Make some of the runs as one batch, and delete what clusters earlier ones left; no tables are written yet.

        Args:
            deliver: called with each result.
            missing: the runs to start.
            running: jobs that outlived an earlier launcher.
            run_time: how long the run may take, of a batch of one.

        Returns:
            The runs whose jobs were left to themselves.

        Raises:
            KeyboardInterrupt: Ctrl-C; all is stopped.
            BudgetError: the budget is used up; likewise.
        """
        following = [run for job in running for run in job.runs]
        inherited = Inherited(running, self._left_over([*missing, *following]))
        if not missing and not inherited:
            return []
        own = self.limits
        limits = BatchLimits(own.max_clusters, own.max_failures, run_time, own.detach, own.leave)
        plan = Plan(grouped([*missing]))
        batch = Batch(plan, self.journal.folder, self.screen, self.ledger(), SweepRecorder(self.journal), limits)
        batch.run(deliver, inherited)
        return batch.left

    def _tell_of(self, left: Sequence[PlannedRun], wanted: int) -> None:
        """Say what goes on without this launcher, and what does not."""
        self.screen.say(f"detached  {len(left)} of {wanted} runs go on by themselves")
        if len(left) < wanted:
            self.screen.say("          the others start when you attach: a cluster takes one job, as many clusters as")
            self.screen.say("          hydra.launcher.max_clusters and the quota allow")
        if self._budgeted().budget.usd is not None:
            self.screen.say("          budget.usd is not watched meanwhile; clusters delete themselves by their timers")
        self.screen.say(f"folder    {self.journal.folder}")
        self.screen.say(f"follow    {self.command_to('attach')}")

    def ledger(self) -> Ledger:
        """What the sweep may cost, and what it has cost so far."""
        return Ledger(self._budgeted(), self._lifetimes())

    @property
    def command(self) -> str:
        """The command that resumes this sweep."""
        return self.command_to("resume")

    def command_to(self, verb: str) -> str:
        """A command for this sweep: `resume` or `attach`."""
        return f"{program()} {verb} {shlex.quote(str(self.journal.folder))}"

    def _budgeted(self) -> Config:
        """The config whose budget and quota hold for the sweep: its first run's, with a budget raised on resuming."""
        config = self.runs[0].config
        if self.limits.usd is None:
            return config
        return replace(config, budget=replace(config.budget, usd=self.limits.usd))

    def _lifetimes(self) -> list[ClusterLifetime]:
        """The clusters that the sweep has paid for, by the journal, which hides secrets of their configs."""
        paid = ((self._cluster(entry.cluster), entry.at) for entry in self.journal.read().paid)
        return [ClusterLifetime(cluster, at["creating"], at.get("running"), at.get("deleted")) for cluster, at in paid]

    def _left_over(self, runs: Sequence[PlannedRun]) -> list[Cluster]:
        """Clusters that an earlier launcher left behind, and that none of the runs will use, and so delete."""
        left = [self._cluster(event.cluster) for event in self.journal.read().alive]
        return [cluster for cluster in left if all(run.config.cluster != cluster for run in runs)]

    def _cluster(self, noted: Mapping[str, Any]) -> Cluster:
        """A cluster's config as a run of the sweep has it."""
        clusters = (run.config.cluster for run in self.runs)
        return next((cluster for cluster in clusters if redacted(plain(cluster)) == noted), None) or typed(
            noted, Cluster
        )

    def close(self, aside: Sequence[PlannedRun] = ()) -> str | None:
        """Write the tables and the report, log the sweep to MLflow, and show the result.

        Args:
            aside: runs on the sweep's clusters that are none of its own, as the smoke runs of a search: they bear their
                part of what the clusters cost, and stand in no table.

        Returns:
            What is to be said of data that changed while the sweep ran; None where all is well.
        """
        state = self.journal.read()
        summary = tables.write(self.journal.folder, state)
        self.screen.say("")
        self.screen.say(tables.shown(summary, self.journal.folder, self.screen.width))
        damaged = {line["run"] for line in summary if line["state"] == "damaged"}
        names = [run.folder.name for run in self.runs]
        unfinished = [name for name in names if name in damaged or not state.is_done(name)]
        if unfinished and state.runs:
            self.screen.say(f"{len(unfinished)} of {len(self.runs)} runs have no results: {self.command}")
        if waiting := sum(state.is_unlogged(name) for name in names):
            self.screen.say(f"{waiting} of {len(self.runs)} runs are not in MLflow yet: {self.command}")
        if state.damage:
            self.screen.warn(state.damage)
        if mixed := other_data(self.runs):
            self.screen.warn(mixed)
        self.screen.say(f"folder    {self.journal.folder}")
        self.screen.say(f"open      {program()} ui")
        ended = not (unfinished or self._stopped)
        close_in_mlflow(self.journal.folder, self.runs, aside, self._lifetimes(), self.screen, ended)
        return mixed


def planned_runs(plan: Mapping[str, Any], folder: Path, code_hash: Callable[[str], str]) -> list[PlannedRun]:
    """The runs of a written plan.

    Args:
        plan: what `Journal.read_plan` gives.
        folder: the sweep's.
        code_hash: gives the hash of the code that an entrypoint's script runs.
    """
    return [
        PlannedRun(
            listed["run_key"],
            recorded(listed["config"]),
            folder / listed["run"],
            code_hash(listed["config"]["entrypoint"]["script"]),
            {"sweep_id": plan["sweep_id"], **{key: listed[key] for key in LISTED if key in listed}},
        )
        for listed in plan["runs"]
    ]
