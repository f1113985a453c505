"""The runs of a sweep as clusters to choose from, and what a search among them is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from enum import StrEnum
from typing import Any, TypeVar

from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
from flowerexp.config import key_of, measured_part
from flowerexp.errors import ConfigError, did_you_mean
from flowerexp.plan import PlannedRun
from flowerexp.search import Candidate, Objective, Rule, Search, SearchSettings, Shape

SWEEPER = "hydra.sweeper"
PER_VCPU = "usd_per_vcpu_hour"
_Word = TypeVar("_Word", bound=StrEnum)


def settings_of(search: Mapping[str, Any]) -> SearchSettings:
    """The settings of a search.

    Args:
        search: the sweeper's settings by their keys.

    Raises:
        ConfigError: a value is none of those that there are, or out of its range.
    """
    names = {field.name for field in fields(SearchSettings)}
    words = {
        "rule": _word("rule", search["rule"], Rule),
        "objective": _word("objective", search["objective"], Objective),
    }
    try:
        return SearchSettings(**{key: value for key, value in search.items() if key in names} | words)
    except ConfigError as error:
        raise _of_the_sweeper(error) from error


def _of_the_sweeper(error: ConfigError) -> ConfigError:
    """A search's error, naming the key as it is set here."""
    where = str(error.where or "").replace("search: ", f"{SWEEPER}.") or SWEEPER
    return ConfigError(error.problem, where=where, hint=error.hint)


def _word(key: str, value: Any, words: type[_Word]) -> _Word:
    try:
        return words(str(value))
    except ValueError as error:
        hint = did_you_mean(str(value), [str(word) for word in words]) or f"choose from {', '.join(words)}"
        raise ConfigError(f"there is no {key} {value}", where=f"{SWEEPER}.{key}", hint=hint) from error


def make_search(runs: Sequence[PlannedRun], search: Mapping[str, Any]) -> Search:
    """The search among the clusters of a sweep's runs.

    Args:
        runs: one a cluster; each candidate has the name that `name_of` gives its run.
        search: the sweeper's settings by their keys.

    Raises:
        ConfigError: the runs differ in more than their clusters, or not in them; the size of a cluster is not known;
            or its price, where the search needs it.
    """
    _check_alike(runs)
    settings = settings_of(search)
    per_vcpu = search[PER_VCPU]
    if per_vcpu is not None and not per_vcpu > 0:
        raise ConfigError(f"{PER_VCPU} is {per_vcpu}", where=f"{SWEEPER}.{PER_VCPU}", hint="give a number above 0")
    candidates = [_candidate(run, per_vcpu) for run in runs]
    free = [candidate.name for candidate in candidates if candidate.usd_per_hour is None]
    if free and settings.objective is Objective.COST:
        problem = f"{free[0]} has no price, and the search is for the cheapest"
        hint = f"search for the fastest, {SWEEPER}.objective=time, or set {SWEEPER}.{PER_VCPU} for such clusters"
        raise ConfigError(problem, where=f"{SWEEPER}.objective", hint=hint)
    try:
        return Search(candidates, settings)
    except ConfigError as error:
        raise _of_the_sweeper(error) from error


def name_of(run: PlannedRun) -> str:
    """A candidate's name: the values of its run that others have not, such as `four_nodes` or `workers.count=4`."""
    return " ".join(part.removeprefix("cluster=").removeprefix("cluster.") for part in run.label.split(" "))


def _check_alike(runs: Sequence[PlannedRun]) -> None:
    """Refuse runs that differ in what is measured: their times would not compare clusters."""
    first = measured_part(runs[0].config, "cluster")
    if not runs[0].config.entrypoint.repeatable:
        problem = f"a search compares runs on clusters, but only the first run of {runs[0].entrypoint} does the work"
        hint = "choose another entrypoint; this one declares repeatable: false"
        raise ConfigError(problem, where="entrypoint", hint=hint)
    seen: dict[str, str] = {}
    for run in runs:
        own = measured_part(run.config, "cluster")
        other = next((key for key in first if own.get(key) != first[key]), None)
        if other is not None:
            problem = f"the runs of a search for a cluster may differ only in the cluster, and {other} differs"
            raise ConfigError(problem, where=other, hint="give it one value, or sweep over it without the search")
        cluster = key_of(run.config.cluster)
        if cluster in seen:
            problem = f"{seen[cluster]} and {name_of(run)} are the same cluster"
            raise ConfigError(problem, where="cluster", hint="name each cluster once")
        seen[cluster] = name_of(run)


def _candidate(run: PlannedRun, per_vcpu: float | None) -> Candidate:
    """A run's cluster; one without a list price costs what the user says of a vCPU, if anything."""
    kind = kind_of(run.config.cluster)
    prices = Prices.of(run.config.budget, run.config.cluster)
    size = kind.size(prices)
    if size is None:
        problem = f"only its own master knows how large {name_of(run)} is"
        raise ConfigError(problem, where="cluster", hint="search among clusters of another kind")
    shape = Shape(**asdict(size))
    listed = kind.rate(prices)
    usd = listed.total if listed and listed.total > 0 else None
    if usd is None and per_vcpu is not None:
        usd = per_vcpu * shape.vcpus_per_node * shape.nodes
    return Candidate(name_of(run), shape, usd)
