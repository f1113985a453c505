"""The result of a search: the cluster to rent, how certain that is, and the expected value of every other cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from flowerexp.search.candidate import Array, Candidate
from flowerexp.search.surrogate import Posterior
from flowerexp.search.trials import Status, Trials

BAND = 0.9
"""The probability that a value lies in its band."""

SAMPLES = 32
"""Joint samples for each of the model's draws: about 2,000 in all, for probabilities precise to about 0.01."""

ALIKE = 0.05
"""A cluster is better than the winner if it is cheaper by more than this share. With no such margin the probability
that none is better would be near 0 wherever many clusters are the same but for noise."""


@dataclass(frozen=True)
class Prediction:
    """What is known of one candidate; values are in the unit of the objective, dollars or seconds."""

    candidate: Candidate
    status: Status | None  # of its last run; None if it never ran
    order: int | None  # 0 for the first that was tried
    value: float | None  # of its finished runs
    median: float | None  # of the next run, by the model; None without a model
    low: float | None  # the band around the median
    high: float | None
    chance_allowed: float | None  # that it keeps to the constraints
    probability_best: float  # that no other one is better, see ALIKE


@dataclass(frozen=True)
class Recommendation:
    """The result of a search, final or so far."""

    winner: Candidate | None  # the cheapest that finished within the constraints
    value: float | None  # of its runs
    runner_up: Candidate | None
    runner_up_value: float | None
    probability_best: float  # of the winner: that no untried cluster is better, see ALIKE
    spent: float  # by the search itself, without runs that were known before, in the objective's unit
    runs: int
    typical: float | None  # value of the median candidate that keeps to the constraints
    pays_after: float | None  # production runs after which the search has paid for itself, against the typical one
    predictions: tuple[Prediction, ...]  # of all candidates


def recommend(trials: Trials, *, model: bool = True) -> Recommendation:
    """Recommend a cluster by what is known.

    Args:
        trials: all observations.
        model: whether to predict untried candidates; without, only observations count.
    """
    evidence = trials.evidence()
    posterior = trials.surrogate.posterior(evidence) if model and evidence else None
    feasible = list(trials.feasible().items())
    best = _chances(trials) if posterior is not None else np.zeros(len(trials.candidates))
    predictions = _predictions(trials, posterior, best)
    winner, runner_up = (feasible[place] if len(feasible) > place else None for place in (0, 1))
    spent = sum(trials.value(trial) for trial in trials.observations if not trial.prior)
    typical = _typical(predictions)
    saves = typical - winner[1] if typical is not None and winner else 0.0
    return Recommendation(
        winner=trials.candidates[winner[0]] if winner else None,
        value=winner[1] if winner else None,
        runner_up=trials.candidates[runner_up[0]] if runner_up else None,
        runner_up_value=runner_up[1] if runner_up else None,
        probability_best=float(best[winner[0]]) if winner else 0.0,
        spent=spent,
        runs=trials.runs,
        typical=typical,
        pays_after=spent / saves if saves > 0 else None,
        predictions=predictions,
    )


def band(posterior: Posterior) -> tuple[Array, Array, Array]:
    """The median of each candidate, and the ends of its band."""
    low, middle, high = (posterior.quantile(q) for q in ((1 - BAND) / 2, 0.5, (1 + BAND) / 2))
    return middle, low, high


def _chances(trials: Trials) -> Array:
    """The probability of each candidate to be the cheapest that keeps to the constraints.

    Only untried ones are uncertain: those that were aborted had already passed the best, and failed ones are excluded.
    """
    feasible = trials.feasible()
    rivals = [*list(feasible)[:1], *trials.open]
    chances = np.zeros(len(trials.candidates))
    if not trials.open:
        chances[rivals] = 1.0
        return chances
    weights, logs = trials.surrogate.sample(trials.evidence(), trials.open, SAMPLES)
    logs = np.where(logs <= np.log(trials.ceilings()[trials.open]), logs, np.inf)
    if feasible:
        logs = np.concatenate([np.full((len(logs), 1), np.log(trials.best * (1 - ALIKE))), logs], axis=1)
    any_allowed = np.isfinite(logs).any(axis=1)
    np.add.at(chances, np.array(rivals)[logs.argmin(axis=1)], weights * any_allowed)
    return chances


def _predictions(trials: Trials, posterior: Posterior | None, best: Array) -> tuple[Prediction, ...]:
    count, finished, tried = len(trials.candidates), trials.finished(), trials.tried
    status = {trial.index: trial.observation.status for trial in trials.observations}
    status |= dict.fromkeys(finished, Status.FINISHED)
    columns: Sequence[Sequence[float | None]] = [[None] * count] * 4
    if posterior is not None:
        columns = [column.tolist() for column in (*band(posterior), posterior.chance(trials.ceilings()))]
    return tuple(
        Prediction(
            candidate=candidate,
            status=status.get(index),
            order=tried.index(index) if index in tried else None,
            value=finished.get(index),
            median=columns[0][index],
            low=columns[1][index],
            high=columns[2][index],
            chance_allowed=columns[3][index],
            probability_best=float(best[index]),
        )
        for index, candidate in enumerate(trials.candidates)
    )


def _typical(predictions: Sequence[Prediction]) -> float | None:
    """The median over the candidates that may be rented, each as observed or else as predicted."""
    out = (Status.FAILED, Status.REFUSED, Status.DROPPED)
    values = [
        prediction.value if prediction.value is not None else prediction.median
        for prediction in predictions
        if prediction.status not in out and (prediction.chance_allowed is None or prediction.chance_allowed >= 0.5)
    ]
    known = [value for value in values if value is not None and isfinite(value)]
    return float(np.median(known)) if known else None
