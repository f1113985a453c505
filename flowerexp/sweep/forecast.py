"""What a command line would run: composed, checked and planned, and looked up among what finished before."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from flowerexp import app, index
from flowerexp.config import check, check_plugins
from flowerexp.config.omegaconf_private import parsed_once
from flowerexp.config.schema import Config
from flowerexp.config.unswept import refuse_sweeps, refuse_unswept
from flowerexp.dataset.enough import check_enough
from flowerexp.errors import ConfigError, FlowerexpError
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.plan import PlannedJob, PlannedRun, grouped, lasting, named, run_key
from flowerexp.sweep.around import Around
from flowerexp.sweep.budget import Expense, expenses
from flowerexp.sweep.compose import Composed, Composer
from flowerexp.sweep.design import Design
from flowerexp.sweep.folders import check_names
from flowerexp.sweep.grammar import Expanded, expand
from flowerexp.sweep.labels import labels, refuse_sweep_within
from flowerexp.sweep.order import in_time, with_order
from flowerexp.sweep.walk import Grid, Walk

Compose = Callable[[Sequence[str]], Composed]

_PLANNED = ("FlowerexpSweeper", "ClusterSearchSweeper", "BasicSweeper")
_HINT = "add -m to plan them all"


@dataclass(frozen=True)
class Item:
    """One run of a forecast.

    Attributes:
        number: its place in the sweep as it is declared, from 0, as Hydra counts.
        run: the planned run; its folder is not known yet, and empty. Its place in time is in `extra`, see `with_order`.
        overrides: what it was composed from.
        differs: its values where the runs differ.
        data_fingerprint: that of its data, where it can be found out from here.
        done: an earlier run of the same config, code and data.
        skipped: is it left out because of that?
        seconds: how long it will take, where earlier runs show that.
        unseen: are there earlier runs of the same config and code, but data that cannot be listed from here?
    """

    number: int
    run: PlannedRun
    overrides: Sequence[str]
    differs: Mapping[str, str]
    data_fingerprint: str | None
    done: index.Finished | None
    skipped: bool
    seconds: float | None
    unseen: bool = False


@dataclass(frozen=True)
class Forecast:
    """All that would run, and what is done already; `lanes` clusters work side by side.

    `walk` is the strategy: one that chooses starts only some of the runs. `aside` are the further runs that it makes,
    one of each run that would be started: the smoke runs of a search. `design` is that of a sweep over a fraction.
    """

    items: Sequence[Item]
    lanes: int
    walk: Walk = field(default_factory=Grid)
    aside: Sequence[PlannedRun] = ()
    design: Design | None = None

    @property
    def to_run(self) -> list[Item]:
        """The runs that would be started."""
        return [item for item in self.items if not item.skipped]

    @property
    def most_runs(self) -> int:
        """How many runs will be started at most."""
        return self.walk.most_runs(len(self.to_run))

    @functools.cached_property
    def jobs(self) -> list[PlannedJob]:
        """The jobs that would be submitted."""
        return grouped(in_time([item.run for item in self.to_run]))

    @property
    def measurements(self) -> int:
        """How many measurements would be made; at least, if it `is_open`."""
        return sum(item.run.measurements for item in self.to_run)

    @property
    def is_open(self) -> bool:
        """Does it depend on what is measured how many measurements there are, and how long that takes?"""
        return any(item.run.is_open for item in self.to_run)

    @functools.cached_property
    def expenses(self) -> list[Expense]:
        """What the clusters would cost."""
        return expenses((item.run, item.seconds) for item in self.to_run)

    @functools.cached_property
    def expenses_aside(self) -> list[Expense]:
        """What the clusters of the further runs would cost at least: it is not known how long these take."""
        return expenses((run, None) for run in self.aside)

    @functools.cached_property
    def seconds(self) -> float | None:
        """How long it all takes; None where that of a run is not known."""
        each = {id(item.run): item.seconds for item in self.to_run}
        return lasting(self.jobs, lambda run: each[id(run)], self.lanes)


def forecast(
    overrides: Sequence[str],
    multirun: bool,
    walk_of: Callable[[DictConfig], Walk] = lambda _: Grid(),
    config_dir: str | Path | None = None,
    config_name: str = "config",
) -> Forecast:
    """What a command line would run; nothing is started or written.

    Args:
        overrides: the command line's.
        multirun: was `-m` given? A config that asks for a sweep by itself is one as well.
        walk_of: the strategy that the config of a sweeper asks for.
        config_dir: the folder of the user's own configs, where the caller names one; see `own_folder`.
        config_name: the main config.

    Raises:
        FlowerexpError: what a run would be refused for; the message names the run.
    """
    application = app.create(config_dir)
    try:
        mode = RunMode.MULTIRUN if multirun else RunMode.RUN
        master = application.compose_config(config_name, list(overrides), mode, validate_sweep_overrides=False)
        check_plugins(master.hydra)
        sweeping = multirun or master.hydra.mode == RunMode.MULTIRUN
        if not sweeping:
            refuse_sweeps(overrides, _HINT)
            refuse_unswept(master, app.origin_of(master), _HINT)
        task: Any = OmegaConf.to_container(master.hydra.overrides.task)
        if sweeping:
            _refuse_choosing(master.hydra.sweeper)
        runs = expand(task, master.sweep, application.config_loader) if sweeping else Expanded([task])
        composer = Composer(application, config_name, master)
        compose = composer.compose if sweeping else composer.itself
        walk = walk_of(master.hydra.sweeper) if sweeping else Grid()
        with parsed_once():
            items = _items(compose, runs, master, chooses=walk.chooses)
        lanes = walk.side_by_side(int(master.hydra.launcher.get("max_clusters", 1)))
        walk, aside = _refused(walk.composed(composer, items[0].overrides) if sweeping else walk, items)
        return Forecast(items, lanes, walk, aside, runs.design)
    finally:
        GlobalHydra.instance().clear()


def _refuse_choosing(sweeper: DictConfig) -> None:
    """Refuse a sweeper that chooses each run by how those before it went."""
    if sweeper.get("_target_", "").rpartition(".")[2] not in _PLANNED:
        hint = "plan a single run of it: leave -m and what is swept over out"
        problem = "this sweeper chooses its runs while they are made, so there is nothing to plan"
        raise ConfigError(problem, where="hydra/sweeper", hint=hint)


def _refused(walk: Walk, items: Sequence[Item]) -> tuple[Walk, list[PlannedRun]]:
    """Refuse what the strategy would refuse; returns it with the further runs that it would make."""
    runs = [
        replace(item.run, extra={**item.run.extra, "label": " ".join(map("=".join, item.differs.items()))})
        for item in items
    ]
    walk.refuse(runs)
    return walk, [run for run, item in zip(walk.aside(runs), items, strict=False) if not item.skipped]


def _items(compose: Compose, runs: Sequence[Sequence[str]], master: DictConfig, chooses: bool) -> list[Item]:
    code_hash = functools.cache(lambda script: Bundle(find_script(script)).code_hash)
    seen: dict[str, str | None] = {}
    enough: dict[str, int | None] = {}
    planned, names = [], []
    values = labels(runs)
    around = Around(master, Path()) if len(runs) > 1 else None  # a single run's folder is none of a sweep's
    for number, (overrides, differs) in enumerate(zip(runs, values, strict=True)):
        try:
            composed = compose(overrides)
            config = _checked(composed, master)
            check_enough(config, enough)
            code = code_hash(config.entrypoint.script)
            names += [around.folder_name(composed, number)] if around else []
        except FlowerexpError as error:
            if len(runs) == 1:
                raise
            raise _naming(error, number, differs) from error
        planned.append(PlannedRun(run_key(config, code), config, Path(), code))
    check_names(names, 0)
    planned = named(planned, values)
    numbered = zip(planned if chooses else with_order(planned), runs, values, strict=True)
    items = [_item(number, run, overrides, differs, seen) for number, (run, overrides, differs) in enumerate(numbered)]
    return [replace(item, skipped=item.skipped or (chooses and item.done is not None)) for item in items]


def _checked(composed: Composed, master: DictConfig) -> Config:
    config = check(composed.config, composed.origin)
    refuse_sweep_within(composed.config.sweep, master.sweep)
    return config


def _naming(error: FlowerexpError, number: int, differs: Mapping[str, str]) -> FlowerexpError:
    values = " ".join(f"{key}={value}" for key, value in differs.items())
    return type(error)(f"run {number} ({values}): {error.problem}", where=error.where, hint=error.hint)


def _item(
    number: int, run: PlannedRun, overrides: Sequence[str], differs: Mapping[str, str], seen: dict[str, str | None]
) -> Item:
    known = index.load(run.config)
    earlier = known.knows(run.run_key)
    fingerprint = index.current_fingerprint(run.config, seen, buckets=earlier)
    done = known.find(run.run_key, fingerprint)
    skipped = done is not None and bool(run.config.skip_finished)
    unseen = earlier and done is None and fingerprint is None
    return Item(number, run, overrides, differs, fingerprint, done, skipped, known.estimate(run), unseen)
