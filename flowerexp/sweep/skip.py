"""Leave out runs whose results are in the store already."""

from __future__ import annotations

from collections.abc import Sequence

from flowerexp import index
from flowerexp.console import Screen
from flowerexp.journal.events import RunEnded
from flowerexp.journal.journal import Journal
from flowerexp.plan import PlannedRun


def skip_finished(runs: Sequence[PlannedRun], journal: Journal, screen: Screen) -> list[PlannedRun]:
    """The runs that are to be run: without those whose config asks to leave it out where its results are there.

    Args:
        runs: all of them.
        journal: the sweep's, where those that are left out are written down.
        screen: where they are named, and that the index of finished runs is damaged.
    """
    kept = []
    warned: set[str] = set()
    seen: dict[str, str | None] = {}
    for run in runs:
        done = None
        if run.config.skip_finished:
            known = index.load(run.config)
            if known.damage and known.damage not in warned:
                warned.add(known.damage)
                screen.warn(known.damage)
            if known.knows(run.run_key):
                done = known.find(run.run_key, index.current_fingerprint(run.config, seen))
        if done is None:
            kept.append(run)
            continue
        journal.append(RunEnded(run=run.folder.name, state="skipped", run_id=done.run_id, of=done.folder))
        screen.say(f"skipped {run.label}: finished already, MLflow run {done.run_id}")
    return kept
