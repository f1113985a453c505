"""What a search was asked for, and what it has been told so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from math import inf, isfinite, log
from statistics import fmean, median

import numpy as np

from flowerexp.errors import ConfigError
from flowerexp.search.candidate import Array, Candidate, check, encode
from flowerexp.search.surrogate import Evidence, Surrogate

OVERRUN = 1.25
"""A run is aborted at this multiple of the cheapest so far, or of what the constraints allow: it can no longer win."""

CENSORED = 0.2
"""What is added to the log of what an aborted run had come to: it would have gone on for a while."""

FAILED = log(2)
"""What is added to the log of what a failed run had come to, or of the cheapest so far: nobody wants to rent it."""

GUESS_SD = 0.2
"""How far off the two guesses above may be. Without it a row of aborted runs, which all came to the same limit, reads
as proof that all clusters are alike, and the search ends too early."""


class Rule(StrEnum):
    """How the next cluster is chosen, and when to stop."""

    SAVING = "saving"  # ours: as long as looking further is expected to save more than it costs
    CHERRYPICK = "cherrypick"  # Alipourfard et al., NSDI 2017
    RANDOM = "random"
    EXHAUSTIVE = "exhaustive"


class Objective(StrEnum):
    """What the winner has least of."""

    COST = "cost"  # dollars a run
    TIME = "time"  # seconds a run


class Status(StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    ABORTED = "aborted"  # at its limits, by us
    FAILED = "failed"  # the job itself
    REFUSED = "refused"  # the cluster could not be had: a quota, an error of its creation
    DROPPED = "dropped"  # left out before it ran, as its smoke run was hopeless

    @property
    def ran(self) -> bool:
        """Did the run itself begin?"""
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
    min_runs: int = 6  # before the search may stop
    max_runs: int = 20  # new ones; an exhaustive search has no limit
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_seconds", "max_usd", "expected_runs", "min_runs", "max_runs"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} is {value}", where=f"search: {name}", hint="give a number above 0")


@dataclass(frozen=True)
class Observation:
    """What a run came to, until it ended in whatever way."""

    status: Status
    cost: float | None = None  # dollars; None where nobody knows: then seconds times the cluster's price
    seconds: float | None = None


@dataclass(frozen=True)
class Trial:
    """A run that the search was told of."""

    index: int  # of its candidate
    observation: Observation
    prior: bool  # known before the search began, so no part of what it costs


class Trials:
    """The candidates, and all that is known about them. What is asked of it depends on nothing else.

    Args:
        candidates: what to choose from.
        settings: what is searched for.

    Raises:
        ConfigError: candidates without a size, two of one name, or no price where a constraint needs one.
    """

    def __init__(self, candidates: Sequence[Candidate], settings: SearchSettings) -> None:
        check(candidates)
        self.candidates = tuple(candidates)
        self.settings = settings
        self.observations: list[Trial] = []
        self.points = encode(candidates)
        self._indices = {candidate.name: index for index, candidate in enumerate(candidates)}
        self._rates = np.array([(candidate.usd_per_hour or inf) / 3600 for candidate in candidates])
        other = settings.max_seconds if settings.objective is Objective.COST else settings.max_usd
        unpriced = [candidate.name for candidate in candidates if candidate.usd_per_hour is None]
        if other is not None and unpriced:
            what = "max_seconds" if settings.objective is Objective.COST else "max_usd"
            problem = (
                f"objective={settings.objective} with {what} needs the price of each cluster; {unpriced[0]} has none"
            )
            raise ConfigError(problem, where=f"search: {what}", hint=f"give its price, or leave out {what}")

    def tell(self, name: str, observation: Observation, *, prior: bool = False) -> None:
        """Take note of a run.

        Raises:
            ConfigError: no candidate has this name, or a finished run came to nothing that can be compared.
        """
        if name not in self._indices:
            raise ConfigError(f"{name} is none of the clusters that are searched")
        trial = Trial(self._indices[name], observation, prior)
        if observation.status is Status.FINISHED and self.value(trial) <= 0:
            what = "dollars" if self.settings.objective is Objective.COST else "seconds"
            raise ConfigError(
                f"the run on {name} came to no {what}",
                where="search: objective",
                hint="give the cluster a price, or search with objective=time",
            )
        self.observations.append(trial)

    @cached_property
    def surrogate(self) -> Surrogate:
        """The model over all candidates; made once, it holds nothing that was told."""
        return Surrogate(self.points)

    @property
    def tried(self) -> list[int]:
        """The candidates that ran, each once, in the order in which they were first told."""
        return list(dict.fromkeys(t.index for t in self.observations if t.observation.status.ran))

    @property
    def open(self) -> list[int]:
        """The candidates that neither ran nor were refused or dropped."""
        gone = {trial.index for trial in self.observations}
        return [index for index in range(len(self.candidates)) if index not in gone]

    @property
    def runs(self) -> int:
        """How many runs the search itself has had; one that was refused or dropped is none."""
        return sum(not trial.prior and trial.observation.status.ran for trial in self.observations)

    def value(self, trial: Trial) -> float:
        """What a run came to, in dollars or seconds as the objective says; 0 where nobody knows."""
        seen, rate = trial.observation, self._rates[trial.index]
        if self.settings.objective is Objective.TIME:
            return seen.seconds or 0.0
        if seen.cost is not None:
            return seen.cost
        return float(seen.seconds * rate) if seen.seconds is not None and isfinite(rate) else 0.0

    def finished(self) -> dict[int, float]:
        """What each finished candidate came to: the geometric mean of its runs, in the objective's unit."""
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
        """The least that a feasible candidate came to, or infinity."""
        return next(iter(self.feasible().values()), inf)

    def ceilings(self) -> Array:
        """The most that each candidate may come to under the constraints, in the objective's unit, (candidates,)."""
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
        """What a candidate is billed, or None where nobody knows."""
        rate = float(self._rates[index])
        return rate * self._billing() if isfinite(rate) else None

    def evidence(self) -> list[Evidence]:
        """What the runs say, for the model: the finished as they are, the others by what they must at least come to."""
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
                known.append(Evidence(trial.index, log(value) + CENSORED, GUESS_SD))
            elif status is Status.FAILED and max(value, floor) > 0:
                known.append(Evidence(trial.index, log(max(value, floor)) + FAILED, GUESS_SD))
        return known

    def _breaks(self, seen: Observation) -> bool:
        """Whether a run took longer or cost more than allowed."""
        settings = self.settings
        slow = settings.max_seconds is not None and seen.seconds is not None and seen.seconds > settings.max_seconds
        dear = settings.max_usd is not None and seen.cost is not None and seen.cost > settings.max_usd
        return slow or dear

    def _billing(self) -> float:
        """Dollars that were billed for a dollar of price times seconds: more than 1 if the start is billed too."""
        ratios = []
        for trial in self.observations:
            seen, rate = trial.observation, self._rates[trial.index]
            if seen.status is Status.FINISHED and seen.cost and seen.seconds and isfinite(rate):
                ratios.append(float(seen.cost / (seen.seconds * rate)))
        return median(ratios) if ratios else 1.0
