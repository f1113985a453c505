"""The end of a sweep: what its clusters cost, its report, and its summary in MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from flowerexp import tracking
from flowerexp.console import Screen
from flowerexp.errors import FlowerexpError
from flowerexp.orchestrate import ClusterLifetime, settle
from flowerexp.plan import PlannedRun


def close_in_mlflow(
    folder: Path,
    runs: Sequence[PlannedRun],
    aside: Sequence[PlannedRun],
    lifetimes: Iterable[ClusterLifetime],
    screen: Screen,
    finished: bool,
) -> None:
    """Log what the clusters cost in the end, and the summary of a finished sweep; a failure is only shown.

    Args:
        folder: the sweep's.
        runs: all its runs.
        aside: runs on its clusters that are none of its own.
        lifetimes: of its clusters.
        screen: where it is said.
        finished: whether all runs have ended, so that there is something to report.
    """
    from flowerexp.analysis.report import make_report

    try:
        spent = settle([*runs, *aside], lifetimes, folder.glob("jobs/*"))
        if spent is not None:
            screen.say(f"cost      ${spent:.4f} for clusters, by list prices")
        if not runs or not finished:
            return
        try:
            report = make_report(folder)
            screen.say(f"answer    {report.answer}")
            screen.say(f"report    {report.paths[0]}")
        finally:  # the summary is logged whatever becomes of the report
            store = tracking.Store.of(runs[0].config.tracking)
            tracking.log_sweep(folder, store)
            screen.say(f"page      {tracking.page_of(store, runs[0].extra['sweep_id'])}")
    except FlowerexpError as error:
        screen.warn(str(error))
