"""Runs of earlier days, logged without measuring anything."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flowerexp.tracking import Store, log_run
from tests.tracking import CONFIG, EXPERIMENT, record, write_run

FIRST_DAY = datetime(2026, 3, 1, 12)
METRIC = "steady_images_per_second"
MEASURED: dict[str, Any] = {
    **CONFIG,
    "entrypoint": {**EXPERIMENT, "value": {"name": "steady_rate", "better": "higher"}},
    "repeat": 1,
}
ALPHA = {"host": "alpha", "platform": "Linux-6.1", "cores": 4, "data_fingerprint": "d1", "git_dirty": False}

Log = Callable[..., str]


def commit(day: int) -> str:
    """The commit of a day."""
    return f"{day:040x}"[::-1]


def day_of(day: int) -> str:
    """A day as tables show it."""
    return f"{FIRST_DAY + timedelta(days=day):%Y-%m-%d}"


def logger(folder: Path, store: Store) -> Log:
    """A function that logs a run of a day.

    Args:
        folder: where the folders of runs are made.
        store: where they are logged.
    """
    count = itertools.count()

    def log(
        day: float,
        rate: float = 100.0,
        facts: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """Log it; returns its run_id. Its two series are at `rate` and at twice that."""
        started = (FIRST_DAY + timedelta(days=day)).timestamp()
        known = record(store)["facts"] | {"git_commit": commit(int(day)), "code_hash": f"code{int(day)}"}
        content = {
            "config": copy.deepcopy(MEASURED) | dict(config or {}),
            "facts": known | ALPHA | dict(facts or {}),
            "started_at": started,
            "ended_at": started + 60,
            "sweep_id": None,
            "verdict": {"state": "valid", "reasons": []},
        }
        made = write_run(folder / str(next(count)), store, **content | changes)
        path = made / "analysis/summary.json"
        summary = json.loads(path.read_text())
        for group, times in zip(summary["groups"], (1, 2), strict=True):
            group["steady_rate"] = times * rate
        path.write_text(json.dumps(summary))
        return log_run(made)

    return log
