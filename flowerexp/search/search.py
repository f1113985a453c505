"""A search for the cluster to rent: ask for the next one, run it, tell what it came to; in the end ask for the winner.

It starts nothing, waits for nothing and keeps no file. All that it answers follows from its settings and from what it
was told, so that telling the same again, in the same order, is all that a resume needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from flowerexp.search.candidate import Candidate
from flowerexp.search.recommend import Recommendation, band, recommend
from flowerexp.search.rules import Pick, Why, pick
from flowerexp.search.trials import Objective, Observation, Rule, SearchSettings, Status, Trials


@dataclass(frozen=True)
class RunLimits:
    """Where the next run is aborted, whichever comes first; None where there is no limit, or no price to tell it by."""

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
    median: float | None = None  # of what it will come to, and the band around that
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Stop:
    """There is nothing left to try, or nothing that would be worth it."""

    why: Why
    explanation: str
    expected_saving: float | None = None  # of the most promising one that is left
    expected_spend: float | None = None


class Search:
    """Chooses one cluster after the other.

    Args:
        candidates: what to choose from, in any order.
        settings: what is searched for.

    Raises:
        ConfigError: candidates that cannot be compared, or a constraint that needs prices which are not given.
    """

    def __init__(self, candidates: Sequence[Candidate], settings: SearchSettings | None = None) -> None:
        self.settings = settings or SearchSettings()
        self._trials = Trials(candidates, self.settings)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What it chooses from, in the order given."""
        return self._trials.candidates

    def suggest(self) -> Suggestion | Stop:
        """What to do next. Asking again, with nothing told in between, gives the same answer."""
        chosen = pick(self._trials)
        explanation = _explain(chosen, self._trials)
        if chosen.index is None:
            return Stop(chosen.why, explanation, chosen.saving, chosen.spend)
        middle = low = high = None
        if chosen.posterior is not None:
            middle, low, high = (float(column[0]) for column in band(chosen.posterior.only(chosen.index)))
        candidate = self._trials.candidates[chosen.index]
        limits = self._limits(chosen.index)
        return Suggestion(candidate, chosen.why, explanation, limits, chosen.saving, chosen.spend, middle, low, high)

    def tell(self, candidate: Candidate, observation: Observation, *, prior: bool = False) -> None:
        """Take note of what a run came to; one on a candidate that was never suggested is as welcome.

        Args:
            candidate: where it ran; it is known by its name.
            observation: what it came to.
            prior: it was known before this search, so it is no part of what the search spends.

        Raises:
            ConfigError: not one of the candidates, or a finished run without cost (or time, if that is the objective).
        """
        self._trials.tell(candidate.name, observation, prior=prior)

    def recommendation(self) -> Recommendation:
        """The cluster to rent by what is known now, how sure that is, and what the others would come to."""
        return recommend(self._trials)

    def best(self) -> tuple[Candidate, float] | None:
        """The winner so far and what it came to, in the objective's unit; cheaper to ask than a recommendation."""
        for index, value in self._trials.feasible().items():
            return self._trials.candidates[index], value
        return None

    def _limits(self, index: int) -> RunLimits:
        """Only our own rule aborts runs: the others have no use for what an aborted run says."""
        limit = float(self._trials.limits()[index])
        if self.settings.rule is not Rule.SAVING or not isfinite(limit):
            return RunLimits()
        rate = self._trials.usd_per_second(index)
        if self.settings.objective is Objective.COST:
            return RunLimits(usd=limit, seconds=limit / rate if rate else None)
        return RunLimits(usd=limit * rate if rate else None, seconds=limit)


def amount(value: float, objective: Objective) -> str:
    """Dollars or seconds as people write them, with three digits or all before the point."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"${text}" if objective is Objective.COST else f"{text} s"


def _explain(chosen: Pick, trials: Trials) -> str:
    settings = trials.settings
    runs = f"over {settings.expected_runs:g} runs"
    saving = amount(chosen.saving or 0.0, settings.objective)
    spend = amount(chosen.spend or 0.0, settings.objective)
    dropped = sum(trial.observation.status is Status.DROPPED for trial in trials.observations)
    texts = {
        Why.FIRST: "nothing is known yet",
        Why.SAVING: f"expected to save {saving} {runs}, for {spend}",
        Why.LEARN: f"expected to save {saving} {runs}, for {spend}; too few have run to stop",
        Why.IMPROVEMENT: f"expected to save {saving} {runs}"
        if chosen.saving is not None
        else "likeliest to be allowed",
        Why.LISTED: f"rule={settings.rule}",
        Why.NOT_WORTH_IT: f"no other is expected to save more than {saving} {runs}"
        + (f", and would cost {spend} to try" if chosen.spend is not None else ""),
        Why.HOPELESS: "none of the others is likely to keep to the constraints",
        Why.MAX_RUNS: f"max_runs={settings.max_runs} have run",
        Why.ALL_TRIED: "all clusters were tried" + (f", without the {dropped} dropped before" if dropped else ""),
    }
    return texts[chosen.why]
