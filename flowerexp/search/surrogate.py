"""The model of all clusters, from the runs so far: an average of Gaussian processes on the logarithm of a run's time.

The time is unknown; the price is not. So the model predicts the time, and adds the logarithm of the price. Clusters of
one shape at two prices (spot and on demand) have one time.

The mean of each Gaussian process is a model of the work (`flowerexp.search.prior`), and a Matern 5/2 kernel holds what
that leaves unexplained. Six to twenty runs do not determine the parameters, and the likeliest ones are often
overconfident. So many draws of them are weighted by their marginal likelihood (Rasmussen and Williams, "Gaussian
Processes for Machine Learning", 2006, equations 2.25, 2.26 and 2.30), and some are kept, as often as they
weigh, and predict: a mixture of normals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from flowerexp.search.candidate import Array, Space
from flowerexp.search.prior import Draws, draws_of, normals

KEPT = 192
"""How many draws predict: systematic resampling keeps each draw as often as it weighs (Kitagawa, "Monte Carlo Filter
and Smoother for Non-Gaussian Nonlinear State Space Models", JCGS 1996), and few are kept twice after few runs. To keep
the heaviest instead would favour those that happen to fit."""

SAMPLED = 64
"""Of how many draws joint samples are taken, which takes longer."""

SHAPE_SHARE = 0.75
"""The part of the noise's variance that belongs to a shape rather than to one run: two clusters of one shape share it.
A choice: in the tables at hand no cluster ran twice."""

LEVEL_SD = 1.5
"""The prior of the overall level, around the mean of the evidence. Wider than what the clusters of a job differ by, but
not much: where all runs were aborted, a wide one would say that the job takes a hundred times as long."""


@dataclass(frozen=True)
class Evidence:
    """An observation of a candidate."""

    index: int  # of the candidate
    log_value: float
    exact: bool = True  # otherwise it is at least this: the run was aborted, or failed


@dataclass(frozen=True)
class Posterior:
    """The predicted value of the next run on each candidate: a weighted mixture of normals of its logarithm.

    Arrays have the shape (draws, candidates), the weights (draws, 1).
    """

    weights: Array
    mean: Array
    sd: Array

    def gain(self, best: float, ceiling: Array) -> Array:
        """How much cheaper than ``best`` a candidate is expected to be, counted only where it keeps to its ceiling.

        For a log-normal C this is E[(best - C) 1(C <= top)] with top = min(best, ceiling): others are not rented.

        Args:
            best: the cheapest so far, in dollars or seconds.
            ceiling: the largest value allowed for each candidate, (candidates,).
        """
        z = (np.log(np.minimum(best, ceiling)) - self.mean) / self.sd
        return self._average(best * ndtr(z) - np.exp(self.mean + self.sd**2 / 2) * ndtr(z - self.sd))

    def spend(self, limit: Array) -> Array:
        """The expected value of a run that is aborted at its limit: E[min(C, limit)], (candidates,)."""
        finite = np.minimum(limit, 1e300)
        z = (np.log(finite) - self.mean) / self.sd
        return self._average(np.exp(self.mean + self.sd**2 / 2) * ndtr(z - self.sd) + finite * ndtr(-z))

    def chance(self, ceiling: Array) -> Array:
        """The probability that each candidate keeps to its ceiling."""
        return self._average(ndtr((np.log(ceiling) - self.mean) / self.sd))

    def quantile(self, q: float) -> Array:
        """A quantile of each candidate, in dollars or seconds."""
        low = (self.mean + self.sd * ndtri(q)).min(axis=0)
        high = (self.mean + self.sd * ndtri(q)).max(axis=0)
        for _ in range(40):  # bisection: the quantile of a mixture lies between those of its parts
            middle = (low + high) / 2
            below = self.chance(np.exp(middle)) < q
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(np.exp((low + high) / 2))

    def only(self, index: int) -> Posterior:
        """The same for one candidate, which is faster than for all."""
        return Posterior(self.weights, self.mean[:, [index]], self.sd[:, [index]])

    def _average(self, values: Array) -> Array:
        return np.asarray((self.weights * values).sum(axis=0))


@dataclass(frozen=True)
class _Conditioned:
    """Draws that were kept by some evidence."""

    draws: Draws
    weights: Array  # (draws,), they sum to 1
    factor: Array  # Cholesky factors of the evidence's covariance, (draws, n, n)
    whitened: Array  # the evidence, (draws, n)


class Surrogate:
    """Gaussian processes with a Matern 5/2 kernel and a length scale for each column, over fixed candidates.

    Args:
        space: the candidates.
        which: of several sets of draws.
        needs_gb: the memory that the job needs in total, by an estimate; None without one.
    """

    def __init__(self, space: Space, which: int = 0, needs_gb: float | None = None) -> None:
        self._log_prices = space.log_prices
        self._squares = (space.points[:, None, :] - space.points[None, :, :]) ** 2
        self._alike = (self._squares.sum(axis=2) < 1e-18).astype(float)
        self._draws = draws_of(space, normals(space, which), needs_gb)

    def prior(self) -> Array:
        """The expected log value of each candidate before any run, but for its overall level, (candidates,)."""
        return np.asarray(self._draws.mean.mean(axis=0) + self._log_prices)

    def posterior(self, evidence: Sequence[Evidence]) -> Posterior:
        """The prediction for every candidate by the evidence, of which there must be some."""
        known, everyone = [each.index for each in evidence], list(range(len(self._log_prices)))
        given = self._condition(evidence, KEPT)
        across = np.linalg.inv(given.factor) @ self._kernel(given.draws, known, everyone)  # faster than solve
        mean = np.einsum("snm,sn->sm", across, given.whitened) + given.draws.mean + self._log_prices
        own = (given.draws.variance + given.draws.noise**2 + LEVEL_SD**2)[:, None] + given.draws.cliff**2
        variance = own - np.einsum("snm,snm->sm", across, across)
        return Posterior(given.weights[:, None], mean + self._level(evidence), np.sqrt(np.maximum(variance, 1e-12)))

    def sample(
        self, evidence: Sequence[Evidence], indices: Sequence[int], each: int, kept: int = SAMPLED
    ) -> tuple[Array, Array]:
        """Joint samples of the next runs on some candidates.

        Args:
            evidence: as for posterior; there may be none, and then only ratios mean something.
            indices: of the candidates.
            each: samples of each draw.
            kept: of how many draws.

        Returns:
            Weights (draws * each,), which sum to 1, and log values (draws * each, indices).
        """
        rng = np.random.default_rng(0)
        known, wanted = [item.index for item in evidence], list(indices)
        given = self._condition(evidence, kept)
        samples = []
        for place in range(len(given.weights)):  # one at a time: the joint covariances of all at once would not fit
            one = given.draws.take(np.array([place]))
            across = np.linalg.solve(given.factor[place], self._kernel(one, known, wanted)[0])
            covariance = self._kernel(one, wanted, wanted)[0] - across.T @ across
            covariance[np.diag_indices(len(wanted))] += (1 - SHAPE_SHARE) * one.noise[0] ** 2 + 1e-9
            root = np.linalg.cholesky(covariance)
            mean = across.T @ given.whitened[place] + one.mean[0, wanted]
            samples.append(mean + rng.standard_normal((each, len(wanted))) @ root.T)
        logs = np.concatenate(samples) + self._level(evidence) + self._log_prices[wanted]
        return np.repeat(given.weights / each, each), logs

    def _condition(self, evidence: Sequence[Evidence], kept: int) -> _Conditioned:
        """Weigh all draws by the likelihood of the evidence, and keep some, as often as they weigh."""
        logs, factor, whitened = self._likelihoods(self._draws, evidence)
        weights = np.exp(logs - logs.max())
        heights = np.cumsum(weights / weights.sum())
        places = np.searchsorted(heights, (np.arange(kept) + 0.5) / kept * heights[-1])
        which, counts = np.unique(places, return_counts=True)
        return _Conditioned(self._draws.take(which), counts / kept, factor[which], whitened[which])

    def _likelihoods(self, draws: Draws, evidence: Sequence[Evidence]) -> tuple[Array, Array, Array]:
        """The log likelihood of each draw, Cholesky factors (draws, n, n), and the whitened evidence (draws, n).

        What is only known to be at least some value is added one by one, as the normal observation that gives the same
        mean and variance as the truncated normal (assumed density filtering: Minka, "Expectation Propagation for
        Approximate Bayesian Inference", UAI 2001).
        """
        known, level = [each.index for each in evidence], self._level(evidence)
        off = np.array([each.log_value - level for each in evidence]) - self._log_prices[known] - draws.mean[:, known]
        covariance = self._kernel(draws, known, known)
        diagonal = np.arange(len(known))
        covariance[:, diagonal, diagonal] += (1 - SHAPE_SHARE) * draws.noise[:, None] ** 2
        exact = sum(each.exact for each in evidence)
        factor, whitened = np.zeros_like(covariance), np.zeros_like(off)
        factor[:, :exact, :exact] = np.linalg.cholesky(covariance[:, :exact, :exact])
        whitened[:, :exact] = np.linalg.solve(factor[:, :exact, :exact], off[:, :exact, None])[:, :, 0]
        logs = -0.5 * (whitened**2).sum(axis=1) - np.log(factor[:, diagonal[:exact], diagonal[:exact]]).sum(axis=1)
        for row in range(exact, len(known)):
            part = np.linalg.solve(factor[:, :row, :row], covariance[:, :row, row, None])[:, :, 0]
            variance = np.maximum(covariance[:, row, row] - (part**2).sum(axis=1), 1e-12)
            z = (off[:, row] - (part * whitened[:, :row]).sum(axis=1)) / np.sqrt(variance)
            chance = log_ndtr(-z)
            hazard = np.exp(-(z**2) / 2 - chance) / np.sqrt(2 * np.pi)
            lost = np.clip(hazard * (hazard - z), 1e-6, 1 - 1e-6)  # the share of the variance
            factor[:, row, :row] = part
            factor[:, row, row] = np.sqrt(variance / lost)
            whitened[:, row] = hazard / np.sqrt(lost)
            logs += chance
        return logs, factor, whitened

    def _kernel(self, draws: Draws, left: Sequence[int], right: Sequence[int]) -> Array:
        """Covariances of log times: residual, cliff, shape and overall level, (draws, left, right)."""
        pairs = np.ix_(left, right)
        distance = np.sqrt(np.tensordot(5 * draws.shrink, self._squares[pairs], axes=(1, 2)))
        total = distance / 3  # in place from here on: new arrays of this size take half of the time
        total += 1
        total *= distance
        total += 1
        total *= np.exp(np.negative(distance, out=distance), out=distance)
        total *= draws.variance[:, None, None]
        total += LEVEL_SD**2
        total += draws.cliff[:, left, None] * draws.cliff[:, None, right]
        alike = self._alike[pairs]
        rows, columns = np.nonzero(alike)
        total[:, rows, columns] += SHAPE_SHARE * draws.noise[:, None] ** 2
        return np.asarray(total)

    def _level(self, evidence: Sequence[Evidence]) -> float:
        """The mean of the evidence; it is subtracted first, so that the wide prior of the level loses no digits."""
        logs = [each.log_value - float(self._log_prices[each.index]) for each in evidence]
        return float(np.mean(logs)) if logs else 0.0
