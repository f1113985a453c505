"""Run a whole sweep as one batch: compose and check every run, plan, ship, and give each result to Hydra as it comes.

Called by the launcher plugin with the override lists of a sweep, whichever sweeper made them.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus, configure_log
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from flowerexp.app import App, origin_of
from flowerexp.config import check, plain
from flowerexp.config.objective import KEY as OBJECTIVE
from flowerexp.config.objective import of_runs
from flowerexp.config.omegaconf_private import parsed_once
from flowerexp.config.redact import hide_in
from flowerexp.config.schema import Config
from flowerexp.console import Screen
from flowerexp.errors import ConfigError, FlowerexpError, JobError
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.journal import PLAN
from flowerexp.journal.journal import Journal, refuse_taken
from flowerexp.orchestrate import Result
from flowerexp.plan import PlannedRun, named, run_key
from flowerexp.sweep.around import Around, as_job
from flowerexp.sweep.batches import close, of_earlier_batches, valued
from flowerexp.sweep.compose import Composed, Composer
from flowerexp.sweep.folders import check_names
from flowerexp.sweep.grammar import Expanded
from flowerexp.sweep.labels import labels, refuse_sweep_within
from flowerexp.sweep.order import with_order
from flowerexp.sweep.pending import Pending
from flowerexp.sweep.run import Sweep, SweepLimits
from flowerexp.sweep.walk import Walk


def launch(
    config: DictConfig,
    context: HydraContext,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    limits: SweepLimits,
    walk: Walk,
) -> list[JobReturn]:
    """Run a batch of a sweep.

    Args:
        config: the sweep's own config, with Hydra's node.
        context: Hydra's loader and callbacks.
        job_overrides: one list of overrides a run.
        first: the number of the first run; a sweeper may launch several batches.
        limits: how far the sweep may go.
        walk: the strategy by which its runs are made.

    Returns:
        One JobReturn a run, in the order of `job_overrides`; that of a failed run raises its error when it is asked.
        Nothing where the strategy chooses: a run that fails there is an answer, too.

    Raises:
        FlowerexpError: something is wrong with a run's config, or with what all need; nothing was started.
    """
    app = GlobalHydra.instance().hydra
    assert isinstance(app, App)
    composer = Composer(app, config.hydra.job.config_name, config)
    with parsed_once():
        composed = [composer.compose(overrides) for overrides in job_overrides]
        for run in composed:
            refuse_sweep_within(run.config.sweep, config.sweep)
        checked = [_check(run, number) for number, run in enumerate(composed, start=first)]
    objective = of_runs(checked, origin_of(config).of(OBJECTIVE))
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    around = Around(config, folder)
    whole = isinstance(job_overrides, Expanded)  # else the sweeper chooses its runs, a batch at a time
    runs = _runs(checked, composed, around, first, () if whole else config.hydra.overrides.task)
    walk = walk.composed(composer, job_overrides[0])
    if app.detach and (walk.chooses or not whole):
        hint = "leave --detach out, or sweep over a grid"
        raise ConfigError("this sweep chooses its next run by the results of those before", where="--detach", hint=hint)
    if not walk.chooses:
        runs = with_order(runs, first)
    journal = Journal(folder)
    sweep = Sweep(journal, runs, Screen(), replace(limits, detach=app.detach), is_last=whole)
    if not first:
        refuse_taken(folder, "hydra.sweep.dir")
    walk.check(runs)
    folder.mkdir(parents=True, exist_ok=True)
    returns: dict[str, JobReturn] = {}

    def deliver(result: Result) -> None:
        place = next(place for place, run in enumerate(runs) if run is result.run)
        job = around.run(composed[place], place + first, job_overrides[place], result.run.folder.name)
        returns[result.run.folder.name] = as_job(context, job, result)
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)

    with journal.held():
        earlier = _open(journal, config, first)
        check_names([run.folder.name for run in runs], first, [run["run"] for run in earlier])
        hide_in(iter([folder / "multirun.yaml"]), plain(checked))
        remembered = {"max_clusters": limits.max_clusters, "max_failures": limits.max_failures, "search": walk.settings}
        remembered["design"] = None
        if isinstance(job_overrides, Expanded) and (design := job_overrides.design):
            sweep.screen.say(f"design    {design.said}")
            remembered["design"] = design.recorded
        journal.write_plan({"sweep_id": runs[0].extra["sweep_id"], **remembered}, runs, job_overrides, earlier)
        if not whole:
            sweep.runs = [*of_earlier_batches(journal, earlier, runs[0].extra["sweep_id"]), *runs]
            app.at_end = functools.partial(close, sweep, objective, config)
        walk.run(sweep, deliver, Pending(runs))
        if walk.chooses or app.detach:
            return []
        found = _in_order(runs, returns, journal)
        return valued(found, runs, objective, config, journal) if objective and not whole else found


def _in_order(runs: Sequence[PlannedRun], returns: Mapping[str, JobReturn], journal: Journal) -> list[JobReturn]:
    """What Hydra gets for each run; one without results has failed, and one that was skipped is left out."""
    states = journal.read().runs
    returned = []
    for run in runs:
        name = run.folder.name
        if name in returns:
            returned.append(returns[name])
        elif states.get(name) != "skipped":
            returned.append(JobReturn(status=JobStatus.FAILED, _return_value=JobError(f"run {name} has no results")))
    return returned


def _check(composed: Composed, number: int) -> Config:
    try:
        return check(composed.config, composed.origin)
    except FlowerexpError as error:
        raise type(error)(f"run {number}: {error.problem}", where=error.where, hint=error.hint) from error


def _sweep_id(folder: Path, first: int) -> str:
    """The sweep's id in MLflow; a later batch has that of the first, also after midnight."""
    if first:
        return str(Journal(folder).read_plan()["sweep_id"])
    return f"{datetime.date.today().isoformat()}-{folder.name}"


def _open(journal: Journal, config: DictConfig, first: int) -> list[dict[str, Any]]:
    """Begin a sweep's folder, or go on with the next batch of a sweeper that launches several.

    Returns:
        The runs of earlier batches, as the plan lists them.

    Raises:
        MachineError: another sweep or run lives there.
    """
    if first and (journal.folder / PLAN).exists():
        return list(journal.read_plan()["runs"])
    refuse_taken(journal.folder, "hydra.sweep.dir")
    OmegaConf.save(config, journal.folder / "multirun.yaml")
    return []


def _runs(
    checked: Sequence[Config], composed: Sequence[Composed], around: Around, first: int, given: Sequence[str] = ()
) -> list[PlannedRun]:
    """The planned runs, each in the folder that Hydra's `hydra.sweep.subdir` names."""
    hashes: dict[str, str] = {}
    differs = labels([run.overrides for run in composed], given)
    runs, names, sweep_id = [], [], _sweep_id(around.folder, first)
    for place, one in enumerate(checked):
        script = one.entrypoint.script
        if script not in hashes:
            hashes[script] = Bundle(find_script(script)).code_hash
        names.append(around.folder_name(composed[place], place + first))
        key = run_key(one, hashes[script])
        label = " ".join(f"{key}={value}" for key, value in differs[place].items())
        extra = {"sweep_id": sweep_id, "label": label}
        runs.append(PlannedRun(key, one, around.folder / names[-1], hashes[script], extra))
    check_names(names, first)
    return named(runs, differs)
