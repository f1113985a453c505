"""The settings of a search, and its observations so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from math import inf, isfinite, log
from statistics import fmean, median

import numpy as np

from flowerexp.errors import ConfigError
from flowerexp.search.candidate import Array, Candidate, Space, check, encode, in_order
from flowerexp.search.surrogate import Evidence, Surrogate

OVERRUN = 1.15
"""A run is aborted at this multiple of the best so far, or of what the constraints allow: it can no longer win."""

FAILED = log(2)
"""Added to the log of a failed run's value, or of the best so far: such a cluster should not be rented."""


class Rule(StrEnum):
    """How the next cluster is chosen, and when to stop."""

    SAVING = "saving"  # go on as long as that is expected to save more than it costs
    CHERRYPICK = "cherrypick"  # Alipourfard et al., NSDI 2017
    RANDOM = "random"
    EXHAUSTIVE = "exhaustive"


class Objective(StrEnum):
    """What is minimised."""

    COST = "cost"  # dollars a run
    TIME = "time"  # seconds a run


class Status(StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    ABORTED = "aborted"  # by the search, at its limits
    FAILED = "failed"  # the job itself
    REFUSED = "refused"  # the cluster was not created: a quota, or an error
    DROPPED = "dropped"  # left out before it ran, because of its smoke run

    @property
    def ran(self) -> bool:
        """Whether the run itself began."""
        return self not in (Status.REFUSED, Status.DROPPED)


@dataclass(frozen=True)
class SearchSettings:
    """What is searched for.

    Raises:
        ConfigError: a value is out of its range.
    """

    rule: Rule = Rule.SAVING
    objective: Objective = Objective.COST
    max_seconds: float | None = None  # a production run may take at most this long
    max_usd: float | None = None  # and cost at most this much
    expected_runs: float = 50  # how often the job will run in production
    min_runs: int | None = None  # before the search may stop; None: as many as the expected saving asks for
    max_runs: int = 20  # new ones; an exhaustive search has no limit
    seed: int = 0
    draws: int = 0  # which set of the model's draws; results hardly depend on it

    def __post_init__(self) -> None:
        for name in ("max_seconds", "max_usd", "expected_runs", "min_runs", "max_runs"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and isfinite(value)):
                raise ConfigError(f"{name} is {value}", where=f"search: {name}", hint="give a finite number above 0")


@dataclass(frozen=True)
class Observation:
    """The result of a run, however it ended."""

    status: Status
    cost: float | None = None  # dollars; if None, seconds times the cluster's price
    seconds: float | None = None


@dataclass(frozen=True)
class Trial:
    """A run that was added to the search."""

    index: int  # of its candidate
    observation: Observation
    prior: bool  # known before the search began, so no part of what it costs


class Trials:
    """The candidates, and all that is known about them.

    Args:
        candidates: what to choose from.
        settings: what is searched for.

    Raises:
        ConfigError: candidates without a size, two of one name, or no price where a constraint needs one.
    """

    def __init__(self, candidates: Sequence[Candidate], settings: SearchSettings) -> None:
        check(candidates)
        self.candidates = tuple(in_order(candidates))
        self.settings = settings
        self.observations: list[Trial] = []
        self.needs_gb: float | None = None  # the memory that the job needs in total, by an estimate
        self._indices = {candidate.name: index for index, candidate in enumerate(self.candidates)}
        self._rates = np.array([(candidate.usd_per_hour or inf) / 3600 for candidate in self.candidates])
        self.space = self._space()
        other = settings.max_seconds if settings.objective is Objective.COST else settings.max_usd
        unpriced = [candidate.name for candidate in candidates if candidate.usd_per_hour is None]
        if other is not None and unpriced:
            what = "max_seconds" if settings.objective is Objective.COST else "max_usd"
            problem = (
                f"objective={settings.objective} with {what} needs the price of each cluster; {unpriced[0]} has none"
            )
            raise ConfigError(problem, where=f"search: {what}", hint=f"give its price, or leave out {what}")

    def tell(self, name: str, observation: Observation, *, prior: bool = False) -> None:
        """Add the result of a run.

        Raises:
            ConfigError: no candidate has this name, a cost or a time is not a number, or a finished run has no value to
                compare.
        """
        if name not in self._indices:
            raise ConfigError(f"{name} is not one of the clusters to choose from")
        for what, value in {"cost": observation.cost, "time": observation.seconds}.items():
            if value is not None and not (isfinite(value) and value >= 0):
                problem = f"the {what} of the run on {name} is {value}"
                raise ConfigError(problem, where="search: objective", hint="tell a finite number, or none")
        trial = Trial(self._indices[name], observation, prior)
        if observation.status is Status.FINISHED and self.value(trial) <= 0:
            what = "cost" if self.settings.objective is Objective.COST else "time"
            raise ConfigError(
                f"the {what} of the run on {name} is unknown or 0",
                where="search: objective",
                hint="give the cluster a price, or search with objective=time",
            )
        self.observations.append(trial)

    def expect_memory(self, needs_gb: float | None) -> None:
        """Estimate the memory that the job needs in total, in GB; None takes an estimate back.

        Raises:
            ConfigError: it is not a number above 0.
        """
        if needs_gb is not None and not (isfinite(needs_gb) and needs_gb > 0):
            raise ConfigError(f"the memory that the job needs is {needs_gb} GB", hint="give a number above 0, or none")
        self.needs_gb = needs_gb
        self.__dict__.pop("surrogate", None)

    @cached_property
    def surrogate(self) -> Surrogate:
        """The model over all candidates; it holds no observations."""
        return Surrogate(self.space, self.settings.draws, self.needs_gb)

    @property
    def tried(self) -> list[int]:
        """The candidates that ran, each once, in the order of their first observations."""
        return list(dict.fromkeys(trial.index for trial in self.observations if trial.observation.status.ran))

    @property
    def open(self) -> list[int]:
        """The candidates that neither ran nor were refused or dropped."""
        gone = {trial.index for trial in self.observations}
        return [index for index in range(len(self.candidates)) if index not in gone]

    @property
    def runs(self) -> int:
        """How many runs the search itself has made, without those that were refused or dropped."""
        return sum(not trial.prior and trial.observation.status.ran for trial in self.observations)

    def value(self, trial: Trial) -> float:
        """A run's value, in dollars or seconds by the objective; 0 if unknown."""
        seen, rate = trial.observation, self._rates[trial.index]
        if self.settings.objective is Objective.TIME:
            return seen.seconds or 0.0
        if seen.cost is not None:
            return seen.cost
        return float(seen.seconds * rate) if seen.seconds is not None and isfinite(rate) else 0.0

    def finished(self) -> dict[int, float]:
        """The value of each finished candidate: the geometric mean of its runs, in the objective's unit."""
        values: dict[int, list[float]] = {}
        for trial in self.observations:
            if trial.observation.status is Status.FINISHED:
                values.setdefault(trial.index, []).append(log(self.value(trial)))
        return {index: float(np.exp(fmean(logs))) for index, logs in values.items()}

    def feasible(self) -> dict[int, float]:
        """The finished candidates that kept to the constraints in all their runs, the best first."""
        broken = {trial.index for trial in self.observations if self._breaks(trial.observation)}
        kept = {index: value for index, value in self.finished().items() if index not in broken}
        return dict(sorted(kept.items(), key=lambda item: item[1]))

    @property
    def best(self) -> float:
        """The smallest value of a feasible candidate, or infinity."""
        return next(iter(self.feasible().values()), inf)

    def ceilings(self) -> Array:
        """The largest value that the constraints allow for each candidate, in the objective's unit, (candidates,)."""
        settings, rates = self.settings, self._rates * self._billing()
        seconds = inf if settings.max_seconds is None else settings.max_seconds
        usd = inf if settings.max_usd is None else settings.max_usd
        if settings.objective is Objective.COST:
            return np.minimum(usd, seconds * rates)
        return np.minimum(seconds, usd / rates) if isfinite(usd) else np.full(len(rates), seconds)

    def limits(self) -> Array:
        """Where a run on each candidate is aborted, in the objective's unit, (candidates,); it may be infinite."""
        return np.asarray(OVERRUN * np.minimum(self.best, self.ceilings()))

    def usd_per_second(self, index: int) -> float | None:
        """Dollars a second that a candidate is billed; None if unknown."""
        rate = float(self._rates[index])
        return rate * self._billing() if isfinite(rate) else None

    def evidence(self) -> list[Evidence]:
        """The observations for the model: values of finished runs, and the least possible values of the others."""
        finished = self.finished()
        reached = [value for value in map(self.value, self.observations) if value > 0]
        floor = self.best if isfinite(self.best) else max(reached, default=0.0)
        known = []
        for trial in self.observations:
            status, value = trial.observation.status, self.value(trial)
            if status is Status.FINISHED:
                known.append(Evidence(trial.index, log(value)))
            elif trial.index in finished:
                continue
            elif status is Status.ABORTED and value > 0:
                known.append(Evidence(trial.index, log(value), exact=False))
            elif status is Status.FAILED and max(value, floor) > 0:
                known.append(Evidence(trial.index, log(max(value, floor)) + FAILED, exact=False))
        return sorted(known, key=lambda each: not each.exact)

    def _space(self) -> Space:
        """The candidates as the model sees them. Where a price is unknown, all are taken as those of their vCPUs."""
        shapes = [candidate.shape for candidate in self.candidates]
        cores = np.array([shape.vcpus_per_node * shape.nodes for shape in shapes])
        memory = np.array([shape.memory_gb_per_node * shape.nodes for shape in shapes])
        prices = self._rates if np.isfinite(self._rates).all() else cores
        log_prices = np.log(prices) if self.settings.objective is Objective.COST else np.zeros(len(cores))
        return Space(encode(self.candidates), cores, memory, log_prices)

    def _breaks(self, seen: Observation) -> bool:
        """Whether a run took longer or cost more than allowed."""
        settings = self.settings
        slow = settings.max_seconds is not None and seen.seconds is not None and seen.seconds > settings.max_seconds
        dear = settings.max_usd is not None and seen.cost is not None and seen.cost > settings.max_usd
        return slow or dear

    def _billing(self) -> float:
        """Dollars billed for each dollar of price times seconds: more than 1 if the start-up is billed, too."""
        ratios = []
        for trial in self.observations:
            seen, rate = trial.observation, self._rates[trial.index]
            if seen.status is Status.FINISHED and seen.cost and seen.seconds and isfinite(rate):
                ratios.append(float(seen.cost / (seen.seconds * rate)))
        return median(ratios) if ratios else 1.0
