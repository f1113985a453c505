"""What a gate compares: which baseline is meant by what was typed, and the config that both sides run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flowerexp.app import composed
from flowerexp.config import Config, plain
from flowerexp.config.again import RunsOrigin, again, root_of, sets
from flowerexp.errors import ConfigError, TrackingError
from flowerexp.gate.git import SHORT, Repository
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.tracking import Store

if TYPE_CHECKING:
    from flowerexp.tracking.fetch import LoggedRun

LAST_VALID = "last-valid"
_COMMIT = "mlflow.source.git.commit"
_FETCH = "run git fetch --unshallow; in a GitHub workflow, set fetch-depth: 0"
_FORMS = f"a run_id, a branch, tag or commit, {LAST_VALID}, {LAST_VALID}@BRANCH, or tag:NAME=VALUE"


@dataclass(frozen=True)
class Request:
    """The words of the command line.

    Attributes:
        baseline: what is compared with.
        overrides: in Hydra's grammar.
        config_dir: the folder of the user's own configs.
    """

    baseline: str
    overrides: Sequence[str] = ()
    config_dir: str | Path | None = None

    @property
    def of_runs(self) -> list[str]:
        """The overrides that runs are made with."""
        return [text for text in self.overrides if root_of(text) != "gate"]


@dataclass(frozen=True)
class Asked:
    """What a gate compares.

    Attributes:
        request: as it was typed.
        config: the candidate's.
        said: what the baseline is, for people.
        commit: whose code the baseline has; None for the code that is here.
        repository: the one that the experiment's script lies in.
        run: whose config the baseline has; None where it has that of the overrides.
        notes: what a reader should know.
    """

    request: Request
    config: Config
    said: str
    commit: str | None = None
    repository: Repository | None = None
    run: LoggedRun | None = None
    notes: tuple[str, ...] = ()


def ask(request: Request) -> Asked:
    """Find the baseline, and compose the config.

    Raises:
        FlowerexpError: there is no such baseline, its code cannot be had, or the config is wrong.
    """
    kind, colon, name = request.baseline.partition(":")
    if colon and kind == "run":
        return _of_run(request, name)
    if colon and kind == "tag":
        return _of_run(request, _tagged(request, name).run_id)
    if request.baseline.partition("@")[0] == LAST_VALID:
        return _last_valid(request)
    if colon and kind == "commit":
        return _of_commit(request, name)
    return _of_run(request, name_of_run) if (name_of_run := _run_id(request)) else _of_commit(request, request.baseline)


def _run_id(request: Request) -> str | None:
    """The run_id that was typed; None where it is none.

    Raises:
        ConfigError: it is a commit as well.
    """
    from flowerexp.tracking.fetch import find, is_run_id

    word = request.baseline
    if not is_run_id(word):
        return None
    try:
        run_id = find(_store(request), word).run_id
    except TrackingError:
        return None
    here = Repository.around(Path.cwd())
    if here and here.commit(word):
        hint = f"write run:{word} or commit:{word}"
        raise ConfigError(f"{word} is a run in MLflow and a commit", where="command line", hint=hint)
    return run_id


def _store(request: Request) -> Store:
    return Store.of(_place(request).tracking)


def _place(request: Request) -> Config:
    """A config of this machine's places, and of what is asked of the gate."""
    own = [text for text in request.overrides if sets(text, "place", "sweep")]
    return composed(own, request.config_dir)


def _tagged(request: Request, words: str) -> LoggedRun:
    from flowerexp.tracking.fetch import search

    name, equals, value = words.partition("=")
    if not equals or not re.fullmatch(r"[\w. /-]+", name) or "'" in value:
        raise ConfigError(f"tag:{words} cannot be read", where="command line", hint="write tag:NAME=VALUE")
    store = _store(request)
    for run in search(store, f"attributes.status = 'FINISHED' and tags.`{name}` = '{value}'"):
        return run
    raise TrackingError(f"no finished run in {store.address} has the tag {name}={value}", where="command line")


def _of_run(request: Request, run_id: str) -> Asked:
    """The baseline is a run: the candidate has its config, with overrides."""
    from flowerexp.tracking.fetch import find

    place = _place(request)
    run = find(Store.of(place.tracking), run_id)
    others = [text for text in request.of_runs if not sets(text, "place")]
    origin = RunsOrigin(overrides=request.overrides, run=run.short_id)
    config = again(plain(run.config), plain(place), others, origin)
    _refuse_sweep(config)
    commit, repository, notes = _code_of(run, config)
    said = f"run {run.short_id}" + (f" at {commit[:SHORT]}" if commit else "")
    return Asked(request, config, said, commit, repository, run, notes)


def _code_of(run: LoggedRun, config: Config) -> tuple[str | None, Repository | None, tuple[str, ...]]:
    """The commit that a run was made on, its repository, and notes; no commit where the code here is the run's."""
    script = find_script(config.entrypoint.script)
    repository = Repository.around(script)
    recorded = run.tags.get(_COMMIT)
    commit = repository.commit(recorded) if repository and recorded else None
    if repository and commit:
        was_dirty = run.tags.get("git_dirty") == "true"
        note = f"run {run.short_id} was made with uncommitted changes, which the baseline does not have"
        return commit, repository, (note,) if was_dirty else ()
    if run.tags.get("code_hash") == Bundle(script).code_hash:
        return None, repository, (f"the code that measures is that of run {run.short_id}, on both sides",)
    if not recorded:
        problem = f"run {run.short_id} does not say on which commit it was made, and the code here is another"
        raise ConfigError(problem, where="command line", hint="give a commit as the baseline")
    where = repository.root if repository else script.parent
    raise ConfigError(
        f"commit {recorded[:SHORT]}, on which run {run.short_id} was made, is not in {where}",
        where="command line",
        hint=_FETCH,
    )


def _of_commit(request: Request, revision: str) -> Asked:
    """The baseline is a commit: both sides have the config of the overrides."""
    config, repository = _configured(request)
    commit = repository.commit(revision)
    if commit is None:
        store = Store.of(config.tracking).address
        problem = f"{revision} is neither a run in {store} nor a commit in {repository.root}"
        raise ConfigError(problem, where="command line", hint=f"give {_FORMS}; {_FETCH}")
    said = commit[:SHORT] if commit.startswith(revision) else f"{revision} ({commit[:SHORT]})"
    return Asked(request, config, said, commit, repository)


def _configured(request: Request) -> tuple[Config, Repository]:
    config = composed(request.overrides, request.config_dir)
    _refuse_sweep(config)
    script = find_script(config.entrypoint.script)
    repository = Repository.around(script)
    if repository is None:
        problem = f"{script} is not in a git repository, so there is no other version to compare with"
        raise ConfigError(problem, where="entrypoint.script", hint="give a run_id as the baseline")
    return config, repository


def _last_valid(request: Request) -> Asked:
    """The baseline is the newest commit of a branch with a valid run of the experiment: as `_of_commit`."""
    from flowerexp.tracking.fetch import search

    branch = request.baseline.partition("@")[2] or "HEAD"
    config, repository = _configured(request)
    tip = repository.commit(branch)
    if tip is None:
        raise ConfigError(f"{branch} is not in {repository.root}", where="command line", hint=_FETCH)
    name, store = config.entrypoint.name, Store.of(config.tracking)
    valid = "attributes.status = 'FINISHED' and tags.`flowerexp.verdict` = 'valid'"
    for run in search(store, f"{valid} and params.`entrypoint.name` = '{name}'"):
        commit = repository.commit(run.tags.get(_COMMIT) or "-")
        if commit and run.tags.get("git_dirty") != "true" and repository.is_ancestor(commit, tip):
            said = f"{commit[:SHORT]}, on which run {run.short_id} was valid"
            return Asked(request, config, said, commit, repository)
    problem = f"{store.address} has no valid run of {name} that was made on a commit of {branch} without changes"
    raise TrackingError(problem, where="command line", hint=f"give a commit as the baseline, such as {branch}")


def _refuse_sweep(config: Config) -> None:
    if config.sweep.axes or config.sweep.zip:
        keys = ", ".join([*config.sweep.axes, *(key for group in config.sweep.zip for key in group)])
        hint = "give a single value of each instead of experiment=NAME"
        raise ConfigError(f"a gate compares runs of one config, and this one varies {keys}", where="sweep", hint=hint)
