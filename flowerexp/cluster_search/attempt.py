"""One run of a search, from whether the budget allows it to how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowerexp import index, records
from flowerexp.cluster_search.candidates import name_of
from flowerexp.errors import BudgetError, FlowerexpError
from flowerexp.journal import RECORD
from flowerexp.orchestrate import Result, TimeLimit
from flowerexp.orchestrate.events import RunningJob
from flowerexp.plan import PlannedRun
from flowerexp.search import Status
from flowerexp.sweep.budget import expenses, over, total
from flowerexp.sweep.run import Sweep

_TIMES = {"started_at": records.NUMBER, "ended_at": records.NUMBER, "phases": {"*": records.NUMBER}}


@dataclass(frozen=True)
class Ended:
    """How a run ended, its seconds, and what went wrong."""

    status: Status
    seconds: float | None
    error: str


class Attempts:
    """The runs of a search, one at a time, each as a batch of its own.

    Args:
        sweep: the sweep that they belong to; its journal is held when a run is attempted.
    """

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._journal = sweep.journal
        self._found: list[RunningJob] = []
        self._fingerprints: dict[str, str | None] = {}

    def follow(self, found: Sequence[RunningJob]) -> None:
        """Jobs that outlived an earlier launcher: they are followed when their run's turn comes."""
        self._found = list(found)

    def stop_found(self) -> None:
        """Stop those whose turn did not come: of code that has changed since, and now would not ask for them."""
        for job in self._found:
            if job.submission:
                job.submission.stop()

    def known(self, run: PlannedRun) -> tuple[index.Finished, float] | None:
        """A finished run of an earlier time, of the same config, code and data, with its seconds; None without one."""
        known = index.load(run.config)
        if not known.knows(run.run_key):
            return None
        done = known.find(run.run_key, index.current_fingerprint(run.config, self._fingerprints))
        if done is None:
            return None
        try:
            return done, _seconds(Path(done.folder), run)
        except (OSError, FlowerexpError):  # its folder is gone, or damaged: then it is made anew
            return None

    def make(self, run: PlannedRun, seconds: float | None, deliver: Callable[[Result], None]) -> Ended:
        """Run it, unless it has ended already, unseen.

        Args:
            run: the run.
            seconds: how long it may take.
            deliver: called with its result.

        Raises:
            BudgetError: what is left of the budget does not pay for it, or it used that up.
            KeyboardInterrupt: Ctrl-C; it is stopped.
        """
        state = self._journal.read()
        own = [job for job in self._found if run in job.runs]
        limit = None
        if state.runs.get(run.folder.name) not in ("finished", "failed") or not state.is_done(run.folder.name):
            if seconds is not None:
                begun = state.started.get(run.folder.name) if own else None
                limit = TimeLimit(seconds, run.config.entrypoint.shared, begun)
            if not own:
                self._afford(run, deliver)
            self._sweep.batch(deliver, [] if own else [run], own, limit)
        self._found = [job for job in self._found if job not in own]
        before = sum(run.folder.name in job.runs for job in state.jobs)
        before -= sum(job.submission is not None for job in own)
        return self._ended(run, limit, before)

    def _ended(self, run: PlannedRun, limit: TimeLimit | None, before: int) -> Ended:
        """How a run ended, by the journal and the run's record.

        Args:
            run: the run.
            limit: how long it might take.
            before: how often it had been submitted in vain: one that was not submitted since was refused its cluster.
        """
        state, name = self._journal.read(), run.folder.name
        error = state.errors.get(name, "")
        if state.runs.get(name) in ("finished", "failed"):
            status = Status.FINISHED if state.runs[name] == "finished" else Status.FAILED
            return Ended(status, _seconds(run.folder, run), error)
        if limit is not None and limit.passed:
            return Ended(Status.ABORTED, limit.taken, "it can no longer win")
        if sum(name in job.runs for job in state.jobs) == before:
            return Ended(Status.REFUSED, None, error)
        now = time.time()
        # The journal's times are rounded, and a clock may be set back.
        return Ended(Status.FAILED, max(0.0, now - state.started.get(name, now)), error)

    def _afford(self, run: PlannedRun, deliver: Callable[[Result], None]) -> None:
        """Refuse a run that what is left of the budget does not pay for; no cluster is left then.

        Raises:
            BudgetError: it does not, or the price of the run's cluster is unknown.
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


def _seconds(folder: Path, run: PlannedRun) -> float:
    """How long a run took, by the record in a folder, without making what later runs of the same data find made.

    Raises:
        FileNotFoundError: there is no such record.
        DataError: it is damaged.
    """
    record = records.read(folder / RECORD, _TIMES)
    made = sum(record["phases"].get(phase, 0.0) for phase in run.config.entrypoint.shared)
    return max(1e-3, float(record["ended_at"] - record["started_at"] - made))
