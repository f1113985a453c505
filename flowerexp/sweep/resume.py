"""Resume a sweep: find its running job again, bring home what ended unseen, and run just what is missing."""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowerexp import storage, tracking
from flowerexp.cluster import backend
from flowerexp.config.redact import redacted
from flowerexp.console import Screen
from flowerexp.errors import ConfigError, DataError
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.job.results import fetch
from flowerexp.journal import DONE, Journal, State
from flowerexp.orchestrate import Found, preflight
from flowerexp.orchestrate.home import bring_home
from flowerexp.plan import PlannedRun, run_key
from flowerexp.sweep.run import Sweep, SweepRecorder, planned_runs


def resume(folder: Path, screen: Screen, changed_code: bool = False, budget: float | None = None) -> State:
    """Resume the sweep in a folder.

    Runs that finished, or failed on their own, stay as they are. A run that was lost with its job, or never started,
    is run; what it left behind goes first, in MLflow too.

    Args:
        folder: the sweep's folder.
        screen: where progress is shown.
        changed_code: go on although flowerexp's code has changed since.
        budget: what the sweep may cost in all, in US dollars, instead of `budget.usd`.

    Returns:
        How the sweep stands in the end.

    Raises:
        DataError: the folder is no sweep's, or another launcher works on it.
        ConfigError: the code has changed since, and `changed_code` is not set.
    """
    journal = Journal(folder)
    plan = journal.read_plan()
    runs = planned_runs(plan, folder, functools.cache(lambda script: Bundle(find_script(script)).code_hash))
    if not changed_code:
        _same_code(runs)
    with journal.held():
        state = journal.read()
        for run in runs:
            if state.runs.get(run.folder.name) not in DONE:
                preflight(run.config)
                break
        search = plan.get("search")
        aside = _smoke_runs(runs, search)
        _bring_home_unseen(journal, [*runs, *aside], state)
        state = journal.read()
        _refuse_unknown(journal, state, [*runs, *aside])
        found = _running(journal.folder, state, [*runs, *aside])
        followed = {run.folder.name for one in found for run in one.runs}
        missing, open_aside = (
            [run for run in some if state.runs.get(run.folder.name) not in DONE and run.folder.name not in followed]
            for some in (runs, aside)
        )
        for run in (*missing, *open_aside):
            if not search or run.folder.name in state.runs:
                _clear(run, folder)
        done = sum(run not in missing and run.folder.name not in followed for run in runs)
        screen.say(f"resuming: {done} of {len(runs)} runs are done already")
        sweep = Sweep(journal, runs, screen, plan["max_clusters"], plan["max_failures"], budget)
        if search:
            from flowerexp.sweep.searching import Searching

            Searching(sweep, journal, runs, screen, search, plan["max_failures"]).run(lambda _: None, found)
        else:
            sweep.run(lambda _: None, missing, found)
        return journal.read()


def find_sweep(name: str, home: Path) -> Path:
    """The folder of a sweep by its path, or by a part of its name below `home/outputs`.

    Raises:
        DataError: there is none, or more than one.
    """
    if Path(name).is_dir():
        return Path(name).absolute()
    plans = sorted(home.glob("outputs/*/*/plan.json"))
    named = {f"{plan.parents[1].name}-{plan.parent.name}": plan.parent for plan in plans}
    fitting = [folder for sweep_id, folder in named.items() if name in sweep_id]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise DataError(f"{len(fitting)} sweeps fit '{name}'", hint=f"name one: {', '.join(map(str, fitting[:5]))}")
    hint = f"the latest is {plans[-1].parent}" if plans else f"there is none below {home / 'outputs'}"
    raise DataError(f"there is no sweep '{name}'", hint=hint)


def _smoke_runs(runs: list[PlannedRun], search: Mapping[str, Any] | None) -> list[PlannedRun]:
    """The smoke runs of a search, which the plan does not list."""
    if not search:
        return []
    from flowerexp.sweep.smoke import smoke_runs

    return smoke_runs(runs, search)


def _same_code(runs: list[PlannedRun]) -> None:
    for run in runs:
        if run_key(run.config, run.code_hash) != run.run_key:
            raise ConfigError(
                "flowerexp's code has changed since this sweep began, so new results would not be comparable",
                hint="go back to that version, or mix them knowingly: flowerexp resume --changed-code",
            )


def _running(folder: Path, state: State, runs: list[PlannedRun]) -> list[Found]:
    """Jobs of the sweep that outlived their launcher, each with those of its runs that have not ended.

    The launcher may have died while it submitted one: that one may have arrived, or may arrive yet.
    """
    waiting = {run.folder.name: run for run in runs if state.runs.get(run.folder.name) not in (*DONE, "lost")}
    found = []
    for job in reversed([*state.jobs, *state.intended.values()]):  # a run belongs to the last job that carried it
        carried = [waiting.pop(name) for name in job["runs"] if name in waiting]
        if not carried:
            continue
        cluster = backend(carried[0].config["cluster"])
        submission = cluster.find(folder / job["folder"], job["handle"])
        if submission or (job["folder"] in state.intended and not cluster.arrived(job["handle"])):
            found.append(Found(submission, carried, job["folder"]))
    return found[::-1]


def _refuse_unknown(journal: Journal, state: State, runs: list[PlannedRun]) -> None:
    """Start nothing beside a job of the sweep that its journal does not know.

    Raises:
        DataError: there is one: another copy of the folder is at work, or lines of the journal are lost.
    """
    known = {one for job in (*state.jobs, *state.intended.values()) for one in map(str, job["handle"].values())}
    alive = [event["cluster"] for event in state.clusters.values() if event["state"] != "deleted"]
    clusters = {str(run.config["cluster"]): dict(run.config["cluster"]) for run in runs} if alive else {}
    for cluster in clusters.values():
        if redacted(cluster) not in alive:
            continue
        for name in backend(cluster).running(journal.scope()):
            if name not in known:
                problem = f"a job of this sweep runs that its journal does not know: {name}"
                hint = "is another copy of the folder at work? Wait for the job, or cancel it, then resume"
                raise DataError(f"{problem}, in project {cluster['project']}", where=str(journal.folder), hint=hint)


def _bring_home_unseen(journal: Journal, runs: list[PlannedRun], state: State) -> None:
    """Runs that ended while no launcher looked: their results are there, and need not be measured again."""
    recorder = SweepRecorder(journal)
    submitted = {name for job in (*state.jobs, *state.intended.values()) for name in job["runs"]}
    for run in runs:
        if state.runs.get(run.folder.name) in DONE or run.folder.name not in submitted:
            continue
        output = _output(run, journal.folder)
        if storage.exists(storage.join(output, "status.json")):
            fetch(output, run.folder / "results")
            recorder.ended(bring_home(run, time.time(), 0, ()))


def _output(run: PlannedRun, folder: Path) -> str:
    """Where a run's job wrote its results."""
    return backend(run.config["cluster"]).output(run.folder, Journal(folder).scope())


def _clear(run: PlannedRun, folder: Path) -> None:
    """Take away what a lost run left, so that nothing of it is taken for the new one's."""
    tracking.withdraw(run.folder, tracking.Store(**run.config["tracking"]))
    for name in ("results", "analysis", "job"):
        shutil.rmtree(run.folder / name, ignore_errors=True)
    if not storage.is_local(output := _output(run, folder)):
        storage.remove(storage.join(output, "status.json"))
