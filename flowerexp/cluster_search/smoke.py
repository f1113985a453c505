"""The smoke stage of a search: each cluster runs a small share of the data first, and the hopeless are left out.

A smoke run is the candidate's own run with what the option `sampling=smoke` changes, in a folder beside it. The journal
knows it as it knows any run, so that no smoke run is made twice; its outcome is not an observation of the search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from omegaconf import DictConfig, OmegaConf

from flowerexp.cluster_search.attempt import Attempts
from flowerexp.cluster_search.candidates import SWEEPER
from flowerexp.cluster_search.memory import needs_gb
from flowerexp.config import plain, typed
from flowerexp.config.schema import Config
from flowerexp.console import Screen
from flowerexp.errors import ConfigError
from flowerexp.journal.events import RunEnded, Smoked
from flowerexp.journal.journal import Journal
from flowerexp.plan import PlannedRun, run_key
from flowerexp.search import (
    Candidate,
    Objective,
    SearchSettings,
    SmokeRun,
    Status,
    amount,
    bound,
    hopeless,
    in_vain,
    needed_memory,
)
from flowerexp.sweep.compose import Composer

OPTION = "sampling=smoke"
CHANGES = "smoke_changes"
"""Where the settings of a search hold what `changes` found, for resume."""

MEMORY_HINT = "memory_hint"
"""Of the settings of a search: whether it expects clusters with less memory than smoke runs ask for to be slow."""

_WHERE = f"{SWEEPER}.smoke"


def with_changes(search: Mapping[str, Any], composer: Composer, overrides: Sequence[str]) -> dict[str, Any]:
    """The settings of a search, with what makes a smoke run of a run, where smoke runs are asked for.

    Args:
        search: the settings.
        composer: of the sweep.
        overrides: those of a run; they say whose settings follow from the option.

    Raises:
        ConfigError: the user's own config knows no `sampling=smoke`, or there is to be a hint without smoke runs.
    """
    if search.get(MEMORY_HINT) and not search.get("smoke"):
        problem = f"{MEMORY_HINT} comes from smoke runs, and there are none"
        raise ConfigError(problem, where=f"{SWEEPER}.{MEMORY_HINT}", hint=f"set {_WHERE}=true as well")
    if not search.get("smoke"):
        return dict(search)
    chosen = [line for line in overrides if line.partition("=")[0] == "entrypoint"]
    try:
        whole, smoke = (_settled(composer.compose([*chosen, *option]).config) for option in ([], [OPTION]))
    except ConfigError as error:
        raise ConfigError(f"there is no {OPTION}: {error.problem}", where=_WHERE, hint=error.hint) from error
    return {**search, CHANGES: _changes(whole, smoke)}


def smoke_runs(runs: Sequence[PlannedRun], search: Mapping[str, Any]) -> list[PlannedRun]:
    """The smoke run of each run of a search; none where they are not asked for.

    Args:
        runs: the search's runs.
        search: its settings, as `with_changes` gives them.

    Raises:
        ConfigError: a smoke run would not read less, or the experiment does not use a sample of its data.
    """
    changes = search.get(CHANGES)
    return [] if changes is None else [_smoke_run(run, changes) for run in runs]


def _smoke_run(run: PlannedRun, changes: Mapping[str, Any]) -> PlannedRun:
    sampling = run.config.sampling
    if sampling is None:
        problem = f"a smoke run takes a small sample of the data, and {run.entrypoint} does not use sampling"
        raise ConfigError(problem, where=_WHERE, hint=f"leave {_WHERE} out; a smaller grid makes all runs shorter")
    config: Config = typed(_changed(plain(run.config), changes))
    share, whole = _share(config), sampling.fraction
    if not share < whole:
        problem = f"a smoke run takes {share:.3%} of the files, and the runs of this search no more than {whole:.3%}"
        raise ConfigError(problem, where=_WHERE, hint="leave it out, or search with a larger sampling.fraction")
    folder = run.folder.parent / f"{run.folder.name}-smoke"
    extra = {**run.extra, "label": f"{run.label} {OPTION}"}
    return PlannedRun(run_key(config, run.code_hash), config, folder, run.code_hash, extra)


def _share(config: Config) -> float:
    """The share of the data that a smoke run reads."""
    assert config.sampling
    return config.sampling.fraction


class SmokeStage:
    """The smoke runs of a search that is about to begin, or to go on.

    Args:
        runs: the smoke run of each candidate.
        whole: the `sampling.fraction` of the search's own runs.
        settings: what is searched for.
        journal: the sweep's, which says what is done already.
        attempts: makes the runs.
        screen: where progress is shown.
    """

    def __init__(
        self,
        runs: Sequence[tuple[Candidate, PlannedRun]],
        whole: float,
        settings: SearchSettings,
        journal: Journal,
        attempts: Attempts,
        screen: Screen,
    ) -> None:
        self._runs = {candidate.name: (candidate, run) for candidate, run in runs}
        self._whole = whole
        self._settings = settings
        self._journal = journal
        self._attempts = attempts
        self._screen = screen
        self.seen: dict[str, SmokeRun] = {}  # by their candidates' names, in the order in which they ran
        by_folder = {run.folder.name: candidate for candidate, run in runs}
        for event in journal.read().smoked:
            candidate, smoked = by_folder[event.run], event.smoked
            if smoked:
                values = {**asdict(smoked), "status": Status(smoked.status)}
                self.seen[candidate.name] = SmokeRun(candidate, **values)

    def left(self, names: Sequence[str]) -> Iterator[str]:
        """The candidates, of those given, whose smoke run is still to be made; ends where they are all in vain."""
        if not self.seen and len(names) < 2:
            return  # there is nothing to compare it with
        for name in names:
            if in_vain(list(self.seen.values())):
                return
            if name not in self.seen:
                yield name

    def make(self, name: str) -> None:
        """Make a candidate's smoke run, and write down what came of it.

        Raises:
            BudgetError: what is left of the budget does not pay for it, or it used that up.
            KeyboardInterrupt: Ctrl-C; it is stopped.
        """
        candidate, run = self._runs[name]
        begun = run.folder.name in self._journal.read().runs
        if not begun and (known := self._attempts.known(run)):
            self._note(run, SmokeRun(candidate, Status.FINISHED, known[1], prior=True))
            return
        limit = bound(candidate, list(self.seen.values()), self._settings)
        share = f"{_share(run.config):.3g} of the data"
        most = f"; at most {amount(limit.seconds, Objective.TIME)}" if limit else ""
        self._screen.say(f"smoke {len(self.seen) + 1}   {name}: {share}{most}")
        ended = self._attempts.make(run, limit.seconds if limit else None, lambda _: None)
        error = limit.reason if limit and ended.status is Status.ABORTED else ended.error
        needs = None
        if ended.status is Status.FINISHED:
            jobs = [
                self._journal.folder / job.folder for job in self._journal.read().jobs if run.folder.name in job.runs
            ]
            needs = needs_gb(run, self._whole, candidate.shape, jobs)
        self._note(run, SmokeRun(candidate, ended.status, ended.seconds, error, needs_gb=needs))

    def out(self) -> dict[str, tuple[Status, str]]:
        """The candidates that are to be left out: dropped, or refused their cluster; each with its reason."""
        refused = {name: one.error for name, one in self.seen.items() if one.status is Status.REFUSED}
        dropped = hopeless(self.seen, self._settings)
        return {name: (Status.REFUSED, why) for name, why in refused.items()} | {
            name: (Status.DROPPED, why) for name, why in dropped.items()
        }

    def count(self, status: Status) -> int:
        """How many smoke runs of this search ended so."""
        return sum(smoked.status is status and not smoked.prior for smoked in self.seen.values())

    @property
    def needs_gb(self) -> float | None:
        """The memory that all of the data should need on all nodes together; None where no smoke run says."""
        return needed_memory(list(self.seen.values()))

    def closing(self) -> str:
        """The result of the stage, in a line."""
        if in_vain(list(self.seen.values())):
            return "smoke     given up: all failed, which says nothing about one cluster or another; none is dropped"
        needs = f"; all of the data should need {self.needs_gb:.3g} GB of memory" if self.needs_gb else ""
        return f"smoke     {len(hopeless(self.seen, self._settings))} of {len(self.seen)} clusters dropped{needs}"

    def _note(self, run: PlannedRun, one: SmokeRun) -> None:
        values = {key: value for key, value in asdict(one).items() if key != "candidate"}
        self._journal.append(RunEnded(run=run.folder.name, state=one.status, smoked=Smoked(**values)))
        self.seen[one.candidate.name] = one
        self._screen.say(_outcome(one))


def _outcome(one: SmokeRun) -> str:
    came_to = f" {amount(one.seconds, Objective.TIME)}" if one.seconds is not None else ""
    if one.seconds is not None and one.usd is not None:
        came_to = f" {amount(one.usd, Objective.COST)},{came_to}"
    word = "known" if one.prior else str(one.status)
    return f"{word:<9} {one.candidate.name} smoke run{came_to}" + (f": {one.error}" if one.error else "")


def _settled(config: DictConfig) -> dict[str, Any]:
    """A config's values, without those of other keys that they refer to, but in the experiment's settings."""
    content: Any = OmegaConf.to_container(config, resolve=False)
    settings = OmegaConf.select(config, "entrypoint.settings")
    if settings is not None:
        content["entrypoint"]["settings"] = OmegaConf.to_container(settings, resolve=True)
    return dict(content)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The keys whose values differ, nested as they are, with their new values."""
    found: dict[str, Any] = {}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inner := _changes(old, value):
                found[key] = inner
        elif value != old:
            found[key] = value
    return found


def _changed(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A config with some values changed."""
    nested = {key: _changed(config[key], value) if isinstance(value, Mapping) else value
              for key, value in changes.items()}  # fmt: skip
    return {**config, **nested}
