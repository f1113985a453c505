"""A sweep that starts nothing: what a search makes of its runs, by its journal."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.console import Screen
from flowerexp.journal.events import JobSubmitted, RunEnded, RunLost, RunStarted
from flowerexp.journal.journal import Journal
from flowerexp.plan import PlannedRun
from flowerexp.sweep.run import SweepLimits

SETTINGS: dict[str, Any] = {
    "rule": "saving", "objective": "cost", "max_seconds": None, "max_usd": None, "expected_runs": 50,
    "min_runs": 4, "max_runs": 20, "seed": 3, "usd_per_vcpu_hour": None,
}  # fmt: skip
TYPES = ("n1-standard-2", "n1-highmem-4", "n2-standard-8")
COUNTS = (2, 4, 8, 16)


class Killed(BaseException):
    """The launcher died."""


def seconds_of(run: PlannedRun) -> float:
    """A job that needs 40 GB, or is slow."""
    assert isinstance(run.config.cluster, Dataproc)
    workers = run.config.cluster.workers
    nodes = workers.count
    cores = nodes * int(workers.machine_type.rpartition("-")[2])
    return (60 + 4 * nodes + 6000 / cores) * (3 if cores < 10 else 1)


class Pretended:
    """A sweep whose runs end at once, as `ends` says: in so many seconds, or refused, failed, or with the launcher."""

    command = "flowerexp resume here"

    def __init__(
        self,
        journal: Journal,
        runs: Sequence[PlannedRun],
        screen: Screen,
        ends: Callable[[PlannedRun], float | str],
        budget: float | None = None,
        max_failures: int | None = None,
    ) -> None:
        self.journal, self.runs, self.screen, self.ends, self.budget = journal, runs, screen, ends, budget
        self.limits = SweepLimits(max_failures=max_failures)
        self.ran: list[str] = []

    def ledger(self) -> Any:
        return SimpleNamespace(budget=self.budget, spent=lambda _: 0.001 * len(self.ran))

    def close(self, aside: Sequence[PlannedRun] = ()) -> None:
        self.aside = [run.folder.name for run in aside]

    def batch(self, deliver: Any, missing: Any, running: Any = (), run_time: Any = None) -> None:
        for run in missing:
            name, how = run.folder.name, self.ends(run)
            if how == "refused":
                self.journal.append(RunLost(run=name, error="no machines"))
                continue
            self.ran.append(name)
            self.journal.append(JobSubmitted(folder="jobs/0", handle={}, runs=(name,)))
            self.journal.append(RunStarted(run=name))
            if how == "killed":
                raise Killed
            if isinstance(how, float) and run_time and how > run_time.seconds:
                run_time.start(0.0)
                run_time.passes(run_time.seconds * 1.01)
                how = "lost"
            state = "finished" if isinstance(how, float) else how
            if isinstance(how, float):
                run.folder.mkdir(exist_ok=True)
                (run.folder / "run.json").write_text(
                    json.dumps(
                        {
                            "started_at": 50.0,
                            "ended_at": 100.0 + how,
                            "phases": {"generate": 20.0, "prepare": 30.0, "measure": 1.0},
                        }
                    )
                )
            self.journal.append(RunLost(run=name) if state == "lost" else RunEnded(run=name, state=state))


def observed(folder: Path) -> list[tuple[str, str]]:
    return [(event.run, event.observed.status) for event in Journal(folder).read().observed if event.observed]
