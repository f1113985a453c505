"""Run a whole sweep as one batch: compose and check every run, plan, ship, and give each result to Hydra as it comes.

Called by the launcher plugin with the override lists of a sweep, whichever sweeper made them.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus, configure_log
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from flowerexp.app import App, origin_of
from flowerexp.config import Origin, check, plain
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
from flowerexp.sweep.around import Around, Packed, as_job
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
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    around = Around(config, folder)
    with parsed_once():
        made = [
            _made(composer.compose(overrides), config, around, number)
            for number, overrides in enumerate(job_overrides, start=first)
        ]
    checked = [one.config for one in made]
    objective = of_runs(checked, origin_of(config).of(OBJECTIVE))
    whole = isinstance(job_overrides, Expanded)  # else the sweeper chooses its runs, a batch at a time
    runs = _runs(made, folder, first, () if whole else config.hydra.overrides.task)
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
    places = {run.folder.name: place for place, run in enumerate(runs)}

    def deliver(result: Result) -> None:
        name = result.run.folder.name
        place = places[name]
        own = made[place].composed.config()
        job = around.run(own, made[place].origin, place + first, job_overrides[place], name)
        returns[name] = as_job(context, job, result, around.same)
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


@dataclass(frozen=True)
class Made:
    """A run that is composed and checked.

    Attributes:
        config: the checked config.
        composed: what it was before; Hydra is told that.
        origin: how it was composed.
        name: of its folder.
    """

    config: Config
    composed: Packed
    origin: Origin
    name: str


def _made(composed: Composed, sweep: DictConfig, around: Around, number: int) -> Made:
    """Check a run, and name its folder.

    Raises:
        FlowerexpError: something is wrong with its config.
    """
    refuse_sweep_within(composed.config.sweep, sweep.sweep)
    config = _check(composed, number)
    name = around.folder_name(composed, number)
    return Made(config, Packed(composed.config), composed.origin, name)


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


def _runs(made: Sequence[Made], folder: Path, first: int, given: Sequence[str] = ()) -> list[PlannedRun]:
    """The planned runs, each in the folder that Hydra's `hydra.sweep.subdir` names."""
    hashes: dict[str, str] = {}
    differs = labels([one.origin.overrides for one in made], given)
    runs, sweep_id = [], _sweep_id(folder, first)
    for one, values in zip(made, differs, strict=True):
        script = one.config.entrypoint.script
        if script not in hashes:
            hashes[script] = Bundle(find_script(script)).code_hash
        key = run_key(one.config, hashes[script])
        label = " ".join(f"{key}={value}" for key, value in values.items())
        runs.append(
            PlannedRun(key, one.config, folder / one.name, hashes[script], {"sweep_id": sweep_id, "label": label})
        )
    check_names([one.name for one in made], first)
    return named(runs, differs)
