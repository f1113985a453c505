"""A search for the cluster to rent: ask for the next one, run it, add its result; in the end ask for the winner.

It starts nothing, waits for nothing and writes no file. Its answers depend only on its settings and on the observations
that were added, so a resumed search needs no more than the same observations in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

from flowerexp.search.candidate import Candidate
from flowerexp.search.recommend import Recommendation, band, recommend
from flowerexp.search.rules import Pick, Why, pick
from flowerexp.search.trials import Objective, Observation, Rule, SearchSettings, Status, Trials


@dataclass(frozen=True)
class RunLimits:
    """Where the next run is aborted, whichever is first; None without a limit, or without the price to compute it."""

    usd: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Suggestion:
    """The next cluster to try; values are in the unit of the objective, dollars or seconds."""

    candidate: Candidate
    why: Why
    explanation: str  # the reason, for a line of progress
    limits: RunLimits
    expected_saving: float | None = None  # over all production runs
    expected_spend: float | None = None  # for this run
    median: float | None = None  # of its predicted value, with the band around it
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Stop:
    """Nothing is left to try, or nothing that would be worth its cost."""

    why: Why
    explanation: str
    expected_saving: float | None = None  # of the most promising candidate that is left
    expected_spend: float | None = None
    instead: Candidate | None = None  # to rent without a search, which would cost more than it saves


class Search:
    """Chooses the clusters to try, one after the other.

    Args:
        candidates: what to choose from, in any order.
        settings: what is searched for.

    Raises:
        ConfigError: candidates that cannot be compared, or a constraint that needs prices which are not given.
    """

    def __init__(self, candidates: Sequence[Candidate], settings: SearchSettings | None = None) -> None:
        self.settings = settings or SearchSettings()
        self._trials = Trials(candidates, self.settings)
        self.candidates = tuple(candidates)

    @property
    def needs_gb(self) -> float | None:
        """The memory that the job is expected to need; None without an estimate."""
        return self._trials.needs_gb

    def expect_memory(self, needs_gb: float | None) -> None:
        """Say how much memory the job should need on all nodes together; with less, it may be much slower.

        Args:
            needs_gb: in GB, by an estimate that may be wrong; None takes it back.

        Raises:
            ConfigError: it is not a number above 0.
        """
        self._trials.expect_memory(needs_gb)

    def suggest(self) -> Suggestion | Stop:
        """The next step. Asking again without a new observation gives the same answer."""
        chosen = pick(self._trials)
        explanation = _explain(chosen, self._trials)
        if chosen.index is None:
            instead = None if chosen.instead is None else self._trials.candidates[chosen.instead]
            return Stop(chosen.why, explanation, chosen.saving, chosen.spend, instead)
        middle = low = high = None
        if chosen.posterior is not None:
            middle, low, high = (float(column[0]) for column in band(chosen.posterior.only(chosen.index)))
        candidate = self._trials.candidates[chosen.index]
        limits = self._limits(chosen.index)
        return Suggestion(candidate, chosen.why, explanation, limits, chosen.saving, chosen.spend, middle, low, high)

    def tell(self, candidate: Candidate, observation: Observation, *, prior: bool = False) -> None:
        """Add the result of a run; its candidate need not have been suggested.

        Args:
            candidate: where it ran; identified by its name.
            observation: its result.
            prior: whether it was known before this search, so that it does not count as spent.

        Raises:
            ConfigError: not one of the candidates, or a finished run without cost (or time, if that is the objective).
        """
        self._trials.tell(candidate.name, observation, prior=prior)

    def recommendation(self) -> Recommendation:
        """The cluster to rent by what is known now, how certain that is, and the predicted values of the others."""
        found = recommend(self._trials)
        of = {prediction.candidate.name: prediction for prediction in found.predictions}
        return replace(found, predictions=tuple(of[candidate.name] for candidate in self.candidates))

    def best(self) -> tuple[Candidate, float] | None:
        """The winner so far and its value, in the objective's unit; faster than a recommendation."""
        for index, value in self._trials.feasible().items():
            return self._trials.candidates[index], value
        return None

    def _limits(self, index: int) -> RunLimits:
        """Only the saving rule aborts runs: the others cannot use the result of an aborted run."""
        limit = float(self._trials.limits()[index])
        if self.settings.rule is not Rule.SAVING or not isfinite(limit):
            return RunLimits()
        rate = self._trials.usd_per_second(index)
        if self.settings.objective is Objective.COST:
            return RunLimits(usd=limit, seconds=limit / rate if rate else None)
        return RunLimits(usd=limit * rate if rate else None, seconds=limit)


def amount(value: float, objective: Objective) -> str:
    """Dollars or seconds with three digits, or all digits before the point."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"${text}" if objective is Objective.COST else f"{text} s"


def _explain(chosen: Pick, trials: Trials) -> str:
    settings = trials.settings
    runs = f"over {settings.expected_runs:g} runs"
    saving = amount(chosen.saving or 0.0, settings.objective)
    spend = amount(chosen.spend or 0.0, settings.objective)
    instead = "" if chosen.instead is None else trials.candidates[chosen.instead].name
    dropped = sum(trial.observation.status is Status.DROPPED for trial in trials.observations)
    texts = {
        Why.FIRST: "nothing is known yet",
        Why.SAVING: f"expected to save {saving} {runs}, for {spend}",
        Why.LEARN: f"expected to save {saving} {runs}, for {spend}; too few have run to stop",
        Why.IMPROVEMENT: f"expected to save {saving} {runs}"
        if chosen.saving is not None
        else "most likely to keep to the constraints",
        Why.LISTED: f"rule={settings.rule}",
        Why.NOT_WORTH_IT: f"no other cluster is expected to save more than {saving} {runs}"
        + (f", and would cost {spend} to try" if chosen.spend is not None else ""),
        Why.NOT_WORTH_STARTING: f"a search would cost about {chosen.spend or 0.0:.2g} times a run on {instead}, which "
        f"should be the cheapest by its size and price, and save {chosen.saving or 0.0:.2g} times that {runs}",
        Why.HOPELESS: "no other cluster is likely to keep to the constraints",
        Why.ALL_FAIL: f"all {trials.runs} runs failed, so that the job is probably at fault, and not the clusters",
        Why.MAX_RUNS: f"max_runs={settings.max_runs} have run",
        Why.ALL_TRIED: "all clusters were tried"
        + (f", except {dropped} that their smoke runs ruled out" if dropped else ""),
    }
    return texts[chosen.why]
