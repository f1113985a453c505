"""Search for the cluster to rent: ask which one to try, run the sweep's run on it, tell what came of it, and again.

All candidates are runs of the sweep's plan, so the journal knows each. What the search was told is written there, and
telling it again is how a search goes on after a kill: the same answers lead to the same questions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowerexp import index
from flowerexp.cluster.machines import IN_CLOUD
from flowerexp.console import Screen
from flowerexp.errors import BudgetError, JobError, QuotaError
from flowerexp.journal import Journal
from flowerexp.orchestrate import RECORD, Found, Result, TimeLimit
from flowerexp.orchestrate.limit import SHARED
from flowerexp.orchestrate.preflight import check_quota
from flowerexp.plan import PlannedRun
from flowerexp.search import Observation, Status, Stop, Suggestion
from flowerexp.sweep.account import Account, Try
from flowerexp.sweep.budget import expenses, over, total
from flowerexp.sweep.candidates import make_search, name_of
from flowerexp.sweep.run import Sweep


class Searching:
    """A search that is about to begin, or to go on.

    Args:
        sweep: the sweep that its runs are.
        journal: its journal, held when `run` is called.
        runs: all runs of the sweep, one a candidate.
        screen: where progress is shown.
        search: what is searched for, see `candidates.settings_of`.
        max_failures: give up when so many runs have failed; None never does.

    Raises:
        ConfigError: the runs are no clusters to choose from, or a setting makes no sense.
    """

    def __init__(
        self,
        sweep: Sweep,
        journal: Journal,
        runs: Sequence[PlannedRun],
        screen: Screen,
        search: Mapping[str, Any],
        max_failures: int | None = None,
    ) -> None:
        self._sweep = sweep
        self._journal = journal
        self._runs = runs
        self._screen = screen
        self._search = make_search(runs, search)
        self._names = {name_of(run): run for run in runs}
        self._candidates = {run.folder.name: one for run, one in zip(runs, self._search.candidates, strict=True)}
        self._account = Account(self._search, {name: run.folder.name for name, run in self._names.items()})
        self._max_failures = max_failures

    def run(self, deliver: Callable[[Result], None], found: Sequence[Found] = ()) -> None:
        """Search to the end, and say what to rent.

        Args:
            deliver: called with the result of each run.
            found: jobs that outlived an earlier launcher.

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
            while not isinstance(step := self._search.suggest(), Stop):
                found = self._try(step, deliver, found)
                self._give_up_on_failures()
            for one in found:  # of code that has changed since, and now would not ask for it
                one.submission.stop()
            self._sweep.batch(deliver, [])  # a cluster that a killed launcher left, and nothing more ran on
            for name in self._candidates.keys() - self._journal.read().runs.keys():
                self._journal.append("not_tried", run=name)
            stop = step
        except BaseException:
            self._screen.say(f"stopped; go on with: {self._sweep.command}")
            raise
        finally:
            self._account.write(self._journal.folder, stop, self._sweep.ledger().spent(time.time()))
            self._sweep.close()
            for line in self._account.closing():
                self._screen.say(line)
        if self._search.best() is None:
            raise JobError("no cluster can be recommended", hint="what became of each stands above")

    def _replay(self) -> None:
        """Tell the search again what it was told before the launcher was killed."""
        for event in self._journal.read().observed:
            seen = event["observed"]
            step = self._search.suggest() if seen["chosen"] else None
            self._tell(event["run"], seen, step if isinstance(step, Suggestion) else None)

    def _look_before(self) -> None:
        """Before the first run: which clusters finished this very run already, and which do not fit into the quota?"""
        state = self._journal.read()
        if state.looked:
            return
        fingerprints: dict[str, str | None] = {}
        told = {event["run"] for event in state.observed}
        for run in self._runs:
            if run.folder.name not in told and not self._is_known(run, fingerprints):
                self._drop_what_the_quota_refuses(run)
        self._journal.append("looked")

    def _is_known(self, run: PlannedRun, fingerprints: dict[str, str | None]) -> bool:
        """Tell the search of a run that finished before, of the same config, code and data."""
        known = index.load(run.config)
        if not known.knows(run.run_key):
            return False
        done = known.find(run.run_key, index.current_fingerprint(run.config, fingerprints))
        if done is None:
            return False
        try:
            seconds = _seconds(Path(done.folder))
        except OSError:  # its folder is gone
            return False
        self._note(run, Status.FINISHED, seconds, earlier={"run_id": done.run_id, "of": done.folder})
        self._screen.say(f"known     {name_of(run)}: finished before, MLflow run {done.run_id}")
        return True

    def _drop_what_the_quota_refuses(self, run: PlannedRun) -> None:
        if run.config["cluster"]["kind"] not in IN_CLOUD:
            return
        try:
            check_quota(run.config)
        except QuotaError as error:
            self._note(run, Status.REFUSED, error=str(error))
            self._screen.say(f"refused   {name_of(run)}: {error}")

    def _try(self, step: Suggestion, deliver: Callable[[Result], None], found: Sequence[Found]) -> Sequence[Found]:
        """Run what is suggested, unless it has ended already, unseen; returns the jobs that are left to follow."""
        run = self._names[step.candidate.name]
        self._screen.say(self._account.announcement(step))
        state = self._journal.read()
        own = [one for one in found if run in one.runs]
        limit = None
        if state.runs.get(run.folder.name) not in ("finished", "failed"):
            if step.limits.seconds is not None:
                limit = TimeLimit(step.limits.seconds, state.started.get(run.folder.name) if own else None)
            if not own:
                self._afford(run, deliver)
            self._sweep.batch(deliver, [] if own else [run], own, limit)
        before = sum(run.folder.name in job["runs"] for job in state.jobs) - len(own)
        status, seconds, error = self._ended(run, limit, before)
        self._note(run, status, seconds, error, step)
        self._screen.say(self._account.outcome(error))
        return [one for one in found if one not in own]

    def _ended(self, run: PlannedRun, limit: TimeLimit | None, before: int) -> tuple[Status, float | None, str]:
        """How a run ended, its seconds, and what went wrong, by the journal and the run's record.

        Args:
            run: the run.
            limit: how long it might take.
            before: how often it had been submitted in vain: one that was not submitted since was refused its cluster.
        """
        state, name = self._journal.read(), run.folder.name
        error = state.errors.get(name, "")
        if state.runs.get(name) in ("finished", "failed"):
            status = Status.FINISHED if state.runs[name] == "finished" else Status.FAILED
            return status, _seconds(run.folder), error
        if limit is not None and limit.passed:
            return Status.ABORTED, limit.taken, "it can no longer win"
        if sum(name in job["runs"] for job in state.jobs) == before:
            return Status.REFUSED, None, error
        now = time.time()
        return Status.FAILED, now - state.started.get(name, now), error

    def _note(
        self,
        run: PlannedRun,
        status: Status,
        seconds: float | None = None,
        error: str = "",
        step: Suggestion | None = None,
        earlier: Mapping[str, str] | None = None,
    ) -> None:
        """Write down what is told to the search, then tell it; `earlier` is a finished run of an earlier time."""
        name = run.folder.name
        prior, chosen = earlier is not None, step is not None
        seen = {"status": status, "seconds": seconds, "prior": prior, "chosen": chosen}
        more = {**(earlier or {}), **({"error": error} if error else {})}
        self._journal.append("skipped" if prior else status, run=name, observed=seen, **more)
        self._tell(name, seen, step)

    def _tell(self, name: str, seen: Mapping[str, Any], step: Suggestion | None) -> None:
        """Tell the search; a run costs its seconds at its cluster's price, as in the run's own record."""
        candidate, seconds = self._candidates[name], seen["seconds"]
        rate = candidate.usd_per_hour
        usd = seconds * rate / 3600 if seconds is not None and rate is not None else None
        observation = Observation(Status(seen["status"]), usd, seconds)
        self._search.tell(candidate, observation, prior=seen["prior"])
        self._account.add(Try(candidate, name, observation, seen["prior"], step))

    def _afford(self, run: PlannedRun, deliver: Callable[[Result], None]) -> None:
        """Refuse a run that what is left of the budget does not pay for; no cluster is left then.

        Raises:
            BudgetError: it does not, or nobody knows what the run's cluster costs.
        """
        ledger = self._sweep.ledger()
        if ledger.budget is None:
            return
        left = ledger.budget - ledger.spent(time.time())
        cost = expenses([(run, index.load(run.config).estimate(run))])
        if (refused := over(cost, left)) is None:
            return
        self._sweep.batch(deliver, [])
        if cost[0].rate is None:
            raise refused
        problem = f"to try {name_of(run)} would cost at least ${total(cost):.2f}, and ${max(left, 0.0):.2f} of the "
        problem += f"budget of ${ledger.budget:.2f} are left"
        raise BudgetError(problem, where="budget.usd", hint="resume the search with a larger --budget to go on")

    def _give_up_on_failures(self) -> None:
        failed = self._account.count(Status.FAILED)
        if self._max_failures is not None and failed >= self._max_failures:
            raise JobError(f"{failed} runs of the search failed", where="hydra.launcher.max_failures")


def _seconds(folder: Path) -> float:
    """How long a run took, by its record, without making what later runs of the same data find made.

    Raises:
        OSError: there is no such record.
    """
    record = json.loads((folder / RECORD).read_bytes())
    made = sum(record["phases"].get(phase, 0.0) for phase in SHARED)
    return max(1e-3, float(record["ended_at"] - record["started_at"] - made))
