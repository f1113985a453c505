"""What a run has left behind that is made again: rows that its next attempt goes on from stay, all else goes."""

from __future__ import annotations

from pathlib import Path

from flowerexp import records, storage, tracking
from flowerexp.console import Screen
from flowerexp.errors import DataError, FlowerexpError, MachineError, from_os_error
from flowerexp.job import rows
from flowerexp.job.results import STATUS
from flowerexp.journal import RECORD
from flowerexp.plan import PlannedRun
from flowerexp.sweep.unseen import discard, output_of


def damage(run: PlannedRun) -> str | None:
    """What is wrong with the files of a run; None if nothing is."""
    try:
        found = records.of_run(run.folder)
    except FlowerexpError as error:
        return error.problem
    return None if found["run_key"] == run.run_key else f"{run.folder / RECORD} is that of another run"


def rows_of(run: PlannedRun, folder: Path, token: str | None, screen: Screen) -> rows.Kept:
    """What a run has measured with the code of now, in files that are whole.

    Args:
        run: the run.
        folder: the sweep's.
        token: that of the last job that carried the run.
        screen: where it is said why nothing is kept.
    """
    if not (run.folder / RECORD).exists():
        return rows.Kept()
    problem = damage(run)
    try:
        found = rows.Kept() if problem else rows.kept(run, output_of(run, folder), token)
        problem = problem or (_other_code(run) if found.rows else None)
    except (OSError, DataError) as error:
        problem = error.problem if isinstance(error, DataError) else from_os_error(error, "reading").problem
    if not problem:
        return found
    screen.warn(f"run {run.folder.name} is measured from the start: {problem}")
    return rows.Kept()


def _other_code(run: PlannedRun) -> str | None:
    """What to say of a run that other code has measured than would measure it now; its record is whole."""
    measured = records.read(run.folder / RECORD, records.RUN)["facts"].get("code_hash")
    return None if measured == run.code_hash else "what it has measured was measured with other code"


def clear(run: PlannedRun, folder: Path, found: rows.Kept, screen: Screen) -> None:
    """Take away what a run left, but the rows that it goes on from, so that nothing else is taken for the new one's.

    Args:
        run: the run.
        folder: the sweep's.
        found: the rows.
        screen: where it is said how many these are.
    """
    try:
        tracking.withdraw(run.folder, tracking.Store.of(run.config.tracking))
    except (DataError, MachineError) as error:
        screen.warn(f"run {run.folder.name}: {error.problem}; MLflow may keep a run of it")
    rows.keep(run, found)
    if found.rows:
        screen.say(f"goes on   {run.label}: {len(found.rows)} rows of it are kept")
    for name in ("mlflow.json", RECORD, "results", "analysis", "job"):
        discard(run.folder / name)
    if not storage.is_local(output := output_of(run, folder)):
        storage.remove(storage.join(output, STATUS))
        rows.clear(output)
