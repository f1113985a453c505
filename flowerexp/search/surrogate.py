"""The model of all clusters, from the runs so far: an average of Gaussian processes on the logarithm of cost (or time).

Six to twenty runs do not determine the settings of a Gaussian process, and the likeliest ones are often overconfident.
So 128 fixed settings are all kept, each with the weight of its marginal likelihood (Rasmussen and Williams,
"Gaussian Processes for Machine Learning", 2006, equations 2.25, 2.26 and 2.30). What is predicted is a mixture of 128
normals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from flowerexp.search.candidate import Array

DRAWS = 128
"""Settings of the hyper-parameters, a power of two; the same in every search. With 64, results still depended on which
64 they were; 256 gave the same as 128."""

LENGTH = (0.7, 1.4)
"""Length scales: the mean and the standard deviation of their logarithm; a column is 1 long. The priors below have
the same form. Long ones are likely enough for a few runs to show which column does not matter."""

AMPLITUDE = (-0.2, 0.45)
"""How far clusters differ, in units of log cost: a factor of about two. Not too wide: if a small amplitude is likely
enough, a few clusters with similar costs make the model certain that there is no cliff among the others."""

NOISE = (float(np.log(0.08)), 0.7)
"""What no column explains, in units of log cost: the noise of a run, and properties of a single cluster."""

MEAN_SD = 10.0
"""The prior of the overall level, wide: a job may cost a cent or a hundred dollars."""


@dataclass(frozen=True)
class Evidence:
    """An observation of a candidate."""

    index: int  # of the candidate
    log_value: float
    extra_sd: float = 0.0  # of log_value, beyond the noise: for guessed values


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


class Surrogate:
    """Gaussian processes with a Matern 5/2 kernel and a length scale for each column, over fixed candidates."""

    def __init__(self, points: Array) -> None:
        columns = points.shape[1]
        uniform = qmc.Sobol(columns + 2, scramble=True, rng=0).random(DRAWS)
        normal = ndtri(np.clip(uniform, 1e-4, 1 - 1e-4))
        self._points = points
        self._lengths = np.exp(LENGTH[0] + LENGTH[1] * normal[:, :columns])
        self._variance = np.exp(AMPLITUDE[0] + AMPLITUDE[1] * normal[:, columns]) ** 2
        self._noise = np.exp(NOISE[0] + NOISE[1] * normal[:, columns + 1])

    def posterior(self, evidence: Sequence[Evidence]) -> Posterior:
        """The prediction for every candidate by the evidence, of which there must be some."""
        known = [each.index for each in evidence]
        factor, weights, whitened = self._condition(evidence)
        across = np.linalg.solve(factor, self._kernel(self._points[known], self._points))
        mean = np.einsum("snm,sn->sm", across, whitened) + _level(evidence)
        prior = self._variance + MEAN_SD**2 + self._noise**2
        variance = prior[:, None] - np.einsum("snm,snm->sm", across, across)
        return Posterior(weights[:, None], mean, np.sqrt(np.maximum(variance, 1e-12)))

    def sample(self, evidence: Sequence[Evidence], indices: Sequence[int], each: int) -> tuple[Array, Array]:
        """Joint samples of the next runs on some candidates.

        Args:
            evidence: as for posterior.
            indices: of the candidates.
            each: samples of each draw.

        Returns:
            Weights (draws * each,), which sum to 1, and log values (draws * each, indices).
        """
        rng = np.random.default_rng(0)
        known, wanted = [item.index for item in evidence], list(indices)
        factor, weights, whitened = self._condition(evidence)
        samples = []
        for draw in range(DRAWS):  # one at a time: the joint covariances of all at once would not fit
            part = slice(draw, draw + 1)
            across = np.linalg.solve(factor[draw], self._kernel(self._points[known], self._points[wanted], part)[0])
            covariance = self._kernel(self._points[wanted], self._points[wanted], part)[0] - across.T @ across
            covariance[np.diag_indices(len(wanted))] += self._noise[draw] ** 2
            root = np.linalg.cholesky(covariance)
            samples.append(across.T @ whitened[draw] + rng.standard_normal((each, len(wanted))) @ root.T)
        return np.repeat(weights / each, each), np.concatenate(samples) + _level(evidence)

    def _condition(self, evidence: Sequence[Evidence]) -> tuple[Array, Array, Array]:
        """Cholesky factors (draws, n, n), weights (draws,), and the whitened evidence (draws, n)."""
        known = self._points[[each.index for each in evidence]]
        values = np.array([each.log_value for each in evidence]) - _level(evidence)
        extra = np.array([each.extra_sd for each in evidence])
        covariance = self._kernel(known, known)
        diagonal = np.arange(len(evidence))
        covariance[:, diagonal, diagonal] += self._noise[:, None] ** 2 + extra**2
        factor = np.linalg.cholesky(covariance)
        whitened = np.linalg.solve(factor, np.broadcast_to(values[:, None], (DRAWS, len(values), 1)))[:, :, 0]
        likelihood = -0.5 * (whitened**2).sum(axis=1) - np.log(factor[:, diagonal, diagonal]).sum(axis=1)
        weights = np.exp(likelihood - likelihood.max())
        return np.asarray(factor), weights / weights.sum(), np.asarray(whitened)

    def _kernel(self, left: Array, right: Array, draws: slice = slice(None)) -> Array:
        """Covariances of log values, the unknown overall level included, (draws, left, right)."""
        squares = (left[:, None, :] - right[None, :, :]) ** 2
        scaled = np.tensordot(1 / self._lengths[draws] ** 2, squares, axes=(1, 2))
        distance = np.sqrt(5 * scaled)
        matern = (1 + distance + distance**2 / 3) * np.exp(-distance)
        return np.asarray(self._variance[draws, None, None] * matern + MEAN_SD**2)


def _level(evidence: Sequence[Evidence]) -> float:
    """The mean of the evidence; it is subtracted first, so that the wide prior of the level loses no digits."""
    return float(np.mean([each.log_value for each in evidence]))
