"""The rules that choose the next cluster to try and decide when to stop: a function for each."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite

import numpy as np

from flowerexp.search.candidate import Array
from flowerexp.search.prior import DRAWS
from flowerexp.search.surrogate import Posterior
from flowerexp.search.trials import OVERRUN, Rule, Status, Trials

IMPROVEMENT = 0.1
"""CherryPick stops when the expected improvement is below this share of the best."""

CHERRYPICK_RUNS = 6
"""But not before this many runs, unless ``min_runs`` says otherwise."""

FIRST = 3
"""The number of picks of CherryPick before its model chooses."""

FIRST_SHARE = 0.2
"""The first run is on one of this share of the candidates."""

TRIES = 8
"""Candidates by which a search that has not begun is judged."""

HOPELESS = 0.01
"""The saving rule gives up if no candidate has this probability of keeping to the constraints, and none did."""


FAILURES = 5
"""If this many runs fail and none ends otherwise, the job is probably at fault, and not the clusters. A choice: more
than for smoke runs, since a cluster with too little memory fails on all of the data only."""


class Why(StrEnum):
    """The reason of a pick or of a stop."""

    FIRST = "first"  # nothing is known yet
    SAVING = "saving"  # it is expected to save more than it costs
    LEARN = "learn"  # too few have run to judge that
    IMPROVEMENT = "improvement"  # it is expected to improve on the best
    LISTED = "listed"  # drawn at random, or next on the list
    NOT_WORTH_IT = "not_worth_it"
    NOT_WORTH_STARTING = "not_worth_starting"  # a search would cost more than it saves
    HOPELESS = "hopeless"
    ALL_FAIL = "all_fail"  # every run so far failed
    MAX_RUNS = "max_runs"
    ALL_TRIED = "all_tried"


@dataclass(frozen=True)
class Pick:
    """The next candidate, or with ``index`` None, the end of the search."""

    index: int | None
    why: Why
    saving: float | None = None  # expected over all production runs, in the objective's unit
    spend: float | None = None  # expected for the run itself
    posterior: Posterior | None = None
    instead: int | None = None  # the candidate to rent without a search


def saving(trials: Trials) -> Pick:
    """Maximise ``expected_runs`` times the expected saving of a run, minus the cost of trying; stop if that is below 0.

    A saving counts only where the candidate keeps to the constraints. Since one model predicts both cost and time
    (they differ by a known price), that is exact, without a product of two probabilities.
    """
    evidence = trials.evidence()
    if not evidence:
        return _not_worth_starting(trials) or _first(trials)
    posterior = trials.surrogate.posterior(evidence)
    best, ceilings = trials.best, trials.ceilings()
    # Without a winner there is no value to improve on: any candidate that keeps to the constraints is useful.
    reference = best if isfinite(best) else 2 * float(np.exp(max(each.log_value for each in evidence)))
    saved = trials.settings.expected_runs * posterior.gain(reference, ceilings)
    spend = posterior.spend(np.minimum(trials.limits(), 2 * reference))
    chosen = _argmax(trials, saved - spend)
    known = float(saved[chosen]), float(spend[chosen]), posterior
    if len(trials.tried) < (trials.settings.min_runs or 0):
        return Pick(chosen, Why.SAVING if saved[chosen] > spend[chosen] else Why.LEARN, *known)
    if not isfinite(best):
        lost = posterior.chance(ceilings)[trials.open].max() < HOPELESS
        return Pick(None, Why.HOPELESS, *known) if lost else Pick(chosen, Why.SAVING, *known)
    if saved[chosen] > spend[chosen]:
        return Pick(chosen, Why.SAVING, *known)
    return Pick(None, Why.NOT_WORTH_IT, *known)


def cherrypick(trials: Trials) -> Pick:
    """CherryPick: expected improvement under one fitted Gaussian process; stop below 10 %, after at least 6 runs.

    As in the paper, the improvement is multiplied by the probability of keeping to the constraints, and the logarithm
    of costs is modelled. No run is aborted.
    """
    if len(trials.tried) < FIRST or not trials.evidence():
        return Pick(_farthest(trials), Why.FIRST)
    posterior = _fitted(trials)
    best, ceilings = trials.best, trials.ceilings()
    chance = posterior.chance(ceilings)
    if not isfinite(best):
        return Pick(_argmax(trials, chance), Why.IMPROVEMENT, posterior=posterior)
    improvement = posterior.gain(best, np.full(len(chance), inf)) * chance
    chosen = _argmax(trials, improvement)
    known = float(trials.settings.expected_runs * improvement[chosen]), None, posterior
    done = (
        len(trials.tried) >= (trials.settings.min_runs or CHERRYPICK_RUNS) and improvement[chosen] < IMPROVEMENT * best
    )
    return Pick(None, Why.NOT_WORTH_IT, *known) if done else Pick(chosen, Why.IMPROVEMENT, *known)


def random(trials: Trials) -> Pick:
    """Any candidate, drawn without replacement."""
    order = np.random.default_rng(trials.settings.seed).permutation(len(trials.candidates))
    left = set(trials.open)
    return Pick(next(int(index) for index in order if index in left), Why.LISTED)


def exhaustive(trials: Trials) -> Pick:
    """All candidates, from the smallest to the largest, whatever the order given."""
    return Pick(trials.open[0], Why.LISTED)


RULES: dict[Rule, Callable[[Trials], Pick]] = {
    Rule.SAVING: saving,
    Rule.CHERRYPICK: cherrypick,
    Rule.RANDOM: random,
    Rule.EXHAUSTIVE: exhaustive,
}


def pick(trials: Trials) -> Pick:
    """The next candidate by the rule of the settings, or the end."""
    settings = trials.settings
    if not trials.open:
        return Pick(None, Why.ALL_TRIED)
    if settings.rule is not Rule.EXHAUSTIVE and trials.runs >= settings.max_runs:
        return Pick(None, Why.MAX_RUNS)
    ended = [trial.observation.status for trial in trials.observations if trial.observation.status.ran]
    if len(ended) >= FAILURES and set(ended) == {Status.FAILED}:
        return Pick(None, Why.ALL_FAIL)
    return RULES[settings.rule](trials)


def _not_worth_starting(trials: Trials) -> Pick | None:
    """The end before the beginning, if no number of runs is expected to pay for itself; otherwise None.

    What is compared is renting the cluster that should be cheapest by size and price, untried, with the best of this
    one and some others, tried one by one. Before any run, only ratios of costs have expectations; so savings and
    spending are in units of what that cluster costs. The search itself picks the others with more knowledge.
    """
    likely = _likely(trials)
    if trials.observations or trials.settings.min_runs or len(likely) < 2:
        return None
    some = likely[:: max(1, len(likely) // TRIES)]
    weights, logs = trials.surrogate.sample([], some, 16, DRAWS)
    ratios = np.exp(logs - logs[:, :1])
    best = np.minimum.accumulate(ratios, axis=1)
    saved = trials.settings.expected_runs * (1 - weights @ best[:, 1:])
    spent = 1 + np.cumsum(weights @ np.minimum(ratios[:, 1:], OVERRUN * best[:, :-1]))
    most = int(np.argmax(saved - spent))
    if saved[most] > spent[most]:
        return None
    return Pick(None, Why.NOT_WORTH_STARTING, float(saved[most]), float(spent[most]), instead=likely[0])


def _first(trials: Trials) -> Pick:
    """One of those that should be cheapest, drawn by the seed: the first run has no limit yet."""
    return Pick(int(np.random.default_rng(trials.settings.seed).choice(_likely(trials))), Why.FIRST)


def _likely(trials: Trials) -> list[int]:
    """The fifth of the candidates that should be cheapest by their sizes and prices, one of each shape, best first."""
    prior, shapes, kept = trials.surrogate.prior(), set(), []
    for index in sorted(trials.open, key=lambda each: float(prior[each])):
        if trials.candidates[index].shape not in shapes:
            shapes.add(trials.candidates[index].shape)
            kept.append(index)
    return kept[: max(2, round(len(kept) * FIRST_SHARE))]


def _farthest(trials: Trials) -> int:
    """The candidate farthest from all that were tried, or the seed's first one."""
    if not trials.tried:
        return random(trials).index or 0
    gaps = ((trials.space.points[:, None, :] - trials.space.points[None, trials.tried, :]) ** 2).sum(axis=2).min(axis=1)
    ties = np.random.default_rng(trials.settings.seed).random(len(gaps)) * 1e-9
    return _argmax(trials, gaps + ties)


def _fitted(trials: Trials) -> Posterior:
    """One Gaussian process, Matern 5/2 with a length scale a column, at its largest marginal likelihood."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    evidence = trials.evidence()
    points = trials.space.points if trials.space.points.shape[1] else np.zeros((len(trials.space.points), 1))
    lengths = np.ones(points.shape[1])
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(lengths, (0.05, 20.0), nu=2.5) + WhiteKernel(1e-3, (1e-6, 1.0))
    model = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2, random_state=0)
    values = np.array([each.log_value for each in evidence])
    with warnings.catch_warnings():  # a length scale at its bound means that a column does not matter
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(points[[each.index for each in evidence]], values)
    mean, sd = model.predict(points, return_std=True)
    return Posterior(np.ones((1, 1)), mean[None, :], np.maximum(sd, 1e-9)[None, :])


def _argmax(trials: Trials, values: Array) -> int:
    """The open candidate with the largest value, the first of equals."""
    left = trials.open
    return left[int(np.argmax(values[left]))]
