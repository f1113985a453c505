"""Search for the cluster to rent: ask which one to try, run the sweep's run on it, observe how it ends, and again.

All candidates are runs of the sweep's plan, so the journal knows each. What the search observed is written there, and
telling it again is how a search goes on after a kill: the same answers lead to the same questions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowerexp import index
from flowerexp.cluster_search.account import SearchAccount, Try
from flowerexp.cluster_search.attempt import Attempts
from flowerexp.cluster_search.candidates import make_search, name_of
from flowerexp.cluster_search.smoke import MEMORY_HINT, SmokeStage, smoke_runs
from flowerexp.errors import JobError, QuotaError
from flowerexp.journal.events import KnownRunsChecked, Observed, RunEnded, SmokeStageEnded
from flowerexp.orchestrate import Result
from flowerexp.orchestrate.events import RunningJob
from flowerexp.orchestrate.preflight import check_quota
from flowerexp.plan import PlannedRun
from flowerexp.search import Observation, Status, Stop, Suggestion
from flowerexp.sweep.run import Sweep


class Searching:
    """A search that is about to begin, or to go on.

    Args:
        sweep: the sweep whose runs are the candidates; its journal is held when `run` is called.
        settings: what is searched for, see `candidates.settings_of`, and `smoke.with_changes` for its smoke runs.

    Raises:
        ConfigError: the runs are not clusters to choose from, or a setting makes no sense.
    """

    def __init__(self, sweep: Sweep, settings: Mapping[str, Any]) -> None:
        runs = sweep.runs
        self._sweep, self._settings = sweep, settings
        self._journal = sweep.journal
        self._runs = runs
        self._screen = sweep.screen
        self._search = make_search(runs, settings)
        self._names = {name_of(run): run for run in runs}
        self._candidates = {run.folder.name: one for run, one in zip(runs, self._search.candidates, strict=True)}
        self._account = SearchAccount(self._search, {name: run.folder.name for name, run in self._names.items()})
        self._attempts = Attempts(sweep)
        self._smoke_runs = smoke_runs(runs, settings)
        pairs = list(zip(self._search.candidates, self._smoke_runs, strict=False))
        self._smoke = None
        if pairs and (sampling := runs[0].config.sampling):
            limits = self._search.settings
            self._smoke = SmokeStage(pairs, sampling.fraction, limits, self._journal, self._attempts, self._screen)
            self._account.smoke = self._smoke.seen

    def run(self, deliver: Callable[[Result], None], running: Sequence[RunningJob] = ()) -> None:
        """Search to the end, and say what to rent.

        Args:
            deliver: called with the result of each run.
            running: jobs that outlived an earlier launcher.

        Raises:
            KeyboardInterrupt: Ctrl-C; all is stopped, and the command that goes on was shown.
            BudgetError: the budget is used up; likewise.
            JobError: no cluster can be recommended, or too many runs failed.
        """
        stop: Stop | None = None
        try:
            self._replay()
            self._look_before()
            self._screen.say(self._account.opening())
            self._attempts.follow(running)
            self._drop_the_hopeless()
            while not isinstance(step := self._search.suggest(), Stop):
                self._try(step, deliver)
                self._give_up_on_failures()
            self._attempts.stop_found()
            self._sweep.batch(deliver, [])  # a cluster that a killed launcher left, and nothing more ran on
            for name in self._candidates.keys() - self._journal.read().runs.keys():
                self._journal.append(RunEnded(run=name, state="not_tried"))
            stop = step
        except BaseException:
            self._screen.say(f"stopped; go on with: {self._sweep.command}")
            raise
        finally:
            self._account.write(self._journal.folder, stop, self._sweep.ledger().spent(time.time()))
            self._sweep.close(self._smoke_runs)
            for line in self._account.closing():
                self._screen.say(line)
        if self._search.best() is None and stop.instead is None:
            raise JobError("no cluster can be recommended", hint="the reasons are above")

    def _replay(self) -> None:
        """Give the search again what it had observed before the launcher was killed."""
        self._expect_memory()
        for event in self._journal.read().observed:
            if event.observed:
                step = self._search.suggest() if event.observed.chosen else None
                self._observe(event.run, event.observed, step if isinstance(step, Suggestion) else None)

    def _look_before(self) -> None:
        """Before the first run: which clusters finished this very run already, and which do not fit into the quota?"""
        state = self._journal.read()
        if state.known_checked:
            return
        observed = {event.run for event in state.observed}
        for run in self._runs:
            if run.folder.name not in observed and not self._is_known(run):
                self._drop_what_the_quota_refuses(run)
        self._journal.append(KnownRunsChecked())

    def _is_known(self, run: PlannedRun) -> bool:
        """Give the search a run that finished before, of the same config, code and data."""
        known = self._attempts.known(run)
        if known is None:
            return False
        done, seconds = known
        self._note(run, Status.FINISHED, seconds, earlier=done)
        self._screen.say(f"known     {name_of(run)}: finished before, MLflow run {done.run_id}")
        return True

    def _drop_what_the_quota_refuses(self, run: PlannedRun) -> None:
        try:
            check_quota(run.config)
        except QuotaError as error:
            self._note(run, Status.REFUSED, error=str(error))
            self._screen.say(f"refused   {name_of(run)}: {error}")

    def _drop_the_hopeless(self) -> None:
        """Make the smoke runs, if any are asked for, and leave out what they rule out."""
        state = self._journal.read()
        if self._smoke is None or state.smoke_over:
            return
        observed = {event.run for event in state.observed}
        names = [name for name, run in self._names.items() if run.folder.name not in observed]
        for name in self._smoke.left(names):
            self._smoke.make(name)
            self._give_up_on_failures()
        for name, (status, reason) in self._smoke.out().items():
            if name in names:
                self._note(self._names[name], status, error=reason)
                self._screen.say(f"{status:<9} {name}: {reason}")
        self._journal.append(SmokeStageEnded())
        self._expect_memory()
        if self._smoke.seen:
            self._screen.say(self._smoke.closing())

    def _expect_memory(self) -> None:
        """Give the search what the smoke runs say of the memory that all of the data needs, where it is to use that."""
        if self._smoke is not None and self._settings.get(MEMORY_HINT):
            self._search.expect_memory(self._smoke.needs_gb)

    def _try(self, step: Suggestion, deliver: Callable[[Result], None]) -> None:
        """Run what is suggested, unless it has ended already, unseen."""
        run = self._names[step.candidate.name]
        self._screen.say(self._account.announcement(step))
        ended = self._attempts.make(run, step.limits.seconds, deliver)
        self._note(run, ended.status, ended.seconds, ended.error, step)
        self._screen.say(self._account.outcome(ended.error))

    def _note(
        self,
        run: PlannedRun,
        status: Status,
        seconds: float | None = None,
        error: str = "",
        step: Suggestion | None = None,
        earlier: index.Finished | None = None,
    ) -> None:
        """Write down what a run came to, then give it to the search; `earlier` is a finished run of an earlier time."""
        name = run.folder.name
        prior, chosen = earlier is not None, step is not None
        seen = Observed(status=status, seconds=seconds, prior=prior, chosen=chosen)
        state = "skipped" if prior else str(status)
        run_id, of = (earlier.run_id, earlier.folder) if earlier else (None, None)
        ended = RunEnded(run=name, state=state, observed=seen, error=error or None, run_id=run_id, of=of)
        self._journal.append(ended)
        self._observe(name, seen, step)

    def _observe(self, name: str, seen: Observed, step: Suggestion | None) -> None:
        """Give the search an observation. A run costs its seconds at its cluster's price, as in its own record."""
        candidate, seconds = self._candidates[name], seen.seconds
        rate = candidate.usd_per_hour
        usd = seconds * rate / 3600 if seconds is not None and rate is not None else None
        observation = Observation(Status(seen.status), usd, seconds)
        self._search.tell(candidate, observation, prior=seen.prior)
        self._account.add(Try(candidate, name, observation, seen.prior, step))

    def _give_up_on_failures(self) -> None:
        failed = self._account.count(Status.FAILED) + (self._smoke.count(Status.FAILED) if self._smoke else 0)
        most = self._sweep.limits.max_failures
        if most is not None and failed >= most:
            raise JobError(f"{failed} runs of the search failed", where="hydra.launcher.max_failures")
