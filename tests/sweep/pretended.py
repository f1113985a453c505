"""A sweep that starts nothing: what a search makes of its runs, by its journal."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flowerexp.config.schema import Dataproc
from flowerexp.journal import Journal
from flowerexp.plan import PlannedRun

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

    def __init__(self, journal: Journal, ends: Callable[[PlannedRun], float | str], budget: float | None) -> None:
        self.journal, self.ends, self.budget = journal, ends, budget
        self.ran: list[str] = []

    def ledger(self) -> Any:
        return SimpleNamespace(budget=self.budget, spent=lambda _: 0.001 * len(self.ran))

    def close(self, aside: Sequence[PlannedRun] = ()) -> None:
        self.aside = [run.folder.name for run in aside]

    def batch(self, deliver: Any, missing: Any, found: Any = (), limit: Any = None) -> None:
        for run in missing:
            name, how = run.folder.name, self.ends(run)
            if how == "refused":
                self.journal.append("lost", run=name, error="no machines")
                continue
            self.ran.append(name)
            self.journal.append("submitted", folder="jobs/0", handle={}, runs=[name])
            self.journal.append("started", run=name)
            if how == "killed":
                raise Killed
            if isinstance(how, float) and limit and how > limit.seconds:
                limit.start(0.0)
                limit.passes(limit.seconds * 1.01)
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
            self.journal.append(state, run=name)


def told(folder: Path) -> list[tuple[str, str]]:
    return [(event["run"], event["observed"]["status"]) for event in Journal(folder).read().observed]
