"""What MLflow has of a sweep's id, of a run's name, and of a run of a sweep."""

from __future__ import annotations

import csv
import io
import re

from flowerexp.tracking.fetch import LoggedRun, matching
from flowerexp.tracking.store import Store


def sweeps(store: Store, sweep_id: str) -> list[LoggedRun]:
    """The summaries of the sweeps that have an id, or an id with this part."""
    part = re.sub(r"[^\w.-]", "_", sweep_id)  # any one character
    return matching(store, f"tags.`flowerexp.kind` = 'sweep' AND tags.sweep_id LIKE '%{part}%'")


def named(store: Store, name: str) -> list[LoggedRun]:
    """The runs that have a name."""
    quote = "'" if '"' in name else '"'
    return [] if quote in name else matching(store, f"attributes.run_name = {quote}{name}{quote}")


def run_of_sweep(summary: LoggedRun, name: str) -> LoggedRun | None:
    """A run of a sweep by the name of its folder; None if there is no such run.

    Args:
        summary: the sweep's.
        name: as its table of runs has it.
    """
    lines = csv.DictReader(io.StringIO((summary.artifact("runs.csv") or b"").decode()))
    keys = [line["run_key"] for line in lines if line["run"] == name]
    sweep_id = summary.tags.get("sweep_id", "")
    found = [
        run
        for key in keys
        for run in matching(summary.store, f"tags.sweep_id = '{sweep_id}' AND tags.run_key = '{key}'")
    ]
    return found[0] if len(found) == 1 else None
