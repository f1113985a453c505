"""What the model assumes of a job before it ran: how its time follows from the size of a cluster.

The time of a job on c cores is a serial part, a part that is shared among the cores, and an overhead that grows with
them (Amdahl, "Validity of the single processor approach", AFIPS 1967; Venkataraman et al., "Ernest: Efficient
Performance Prediction for Large-Scale Advanced Analytics", NSDI 2016): time is proportional to s + 1/c + o c, with c in
units of the middle candidate's cores. Where the data does not fit into the memory of all nodes together, the job is
slower by a factor, whatever the factor by which it does not fit (measured on scout.csv; Will, Thamsen, Bader, Scheinert
and Kao, "Ruya: Memory-Aware Iterative Optimization of Cluster Configurations for Big Data Processing", IEEE BigData
2022, tries clusters first whose total memory suffices, by an estimate from runs on small samples).

Neither s and o nor the threshold of memory are known. So each is drawn from a distribution, together with the
parameters of the Gaussian process that models what this leaves unexplained, and each draw has the weight of its
likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from flowerexp.search.candidate import Array, Space

DRAWS = 1024
"""Draws of all parameters, a power of two, from a scrambled Sobol sequence."""

LENGTH = (0.3, 1.0)
"""Length scales: the mean and the standard deviation of their logarithm; a column is 1 long. The priors below have
the same form. Long ones are likely enough for a few runs to show which column does not matter."""

AMPLITUDE = (-0.3, 0.7)
"""How far clusters are from the work model, in units of log time. Not too narrow: with a small amplitude a few
clusters of similar costs make the model certain that there is no cliff among the others."""

NOISE = (-2.8, 0.6)
"""What no column explains, in units of log time: the noise of a run, and properties of a single shape."""

SERIAL = (-1.5, 2.0)
"""The serial part's time, relative to that of the parallel part on the middle number of cores."""

OVERHEAD = (-4.0, 0.6)
"""The overhead on the middle number of cores, likewise."""

CLIFF = 0.75
"""The probability that the job is slower below some total memory. Any threshold between the smallest and the largest
candidate is equally likely, on a logarithmic scale."""

NEEDED = 0.7
"""Where the memory that the job needs was estimated, the probability that the threshold is near that. Otherwise the
estimate says nothing: a smoke run may use memory in another way than the whole run."""

ESTIMATE = 0.3
"""The standard deviation of the logarithm of such an estimate. Chosen, as `NEEDED`, on half of the jobs of scout.csv
with the estimates that the authors of Ruya made of them."""

HEIGHT = (1.2, 0.4)
"""The logarithm of the factor by which it is slower: mean and standard deviation. It enters the Gaussian process as a
linear term, so that it need not be drawn."""


@dataclass(frozen=True)
class Draws:
    """Draws of all parameters; the first axis of each array."""

    shrink: Array  # 1 / squared length scale, (draws, columns)
    variance: Array  # of the Gaussian process, (draws,)
    noise: Array  # standard deviation, (draws,)
    mean: Array  # of log time, but for its overall level, (draws, candidates)
    cliff: Array  # standard deviation of the factor's logarithm, 0 above the threshold, (draws, candidates)

    def take(self, which: Array) -> Draws:
        """Some of them."""
        return Draws(*(getattr(self, field.name)[which] for field in fields(self)))


def normals(space: Space, which: int) -> Array:
    """Standard normal numbers that draws are made of, (DRAWS, parameters), from a scrambled Sobol sequence.

    Args:
        space: the candidates.
        which: of several sets.
    """
    uniform = qmc.Sobol(space.points.shape[1] + 6, scramble=True, rng=which).random(DRAWS)
    return np.asarray(ndtri(np.clip(uniform, 1e-4, 1 - 1e-4)))


def draws_of(space: Space, normal: Array, needs_gb: float | None = None) -> Draws:
    """The draws that are made of some normal numbers.

    Args:
        space: the candidates.
        normal: the numbers, (draws, parameters).
        needs_gb: the memory that the job needs in total, by an estimate; None without one.
    """
    columns = space.points.shape[1]

    def lognormal(parameters: tuple[float, float], column: int | slice | list[int]) -> Array:
        return np.asarray(np.exp(parameters[0] + parameters[1] * normal[:, column]))

    cores = space.cores / np.exp(np.log(space.cores).mean())
    serial, overhead = lognormal(SERIAL, [columns + 2]), lognormal(OVERHEAD, [columns + 3])
    memory = np.log(space.memory_gb)
    below = (memory < _thresholds(memory, ndtr(normal[:, [columns + 5]]), needs_gb)) & (
        ndtr(normal[:, [columns + 4]]) < CLIFF
    )
    return Draws(
        shrink=lognormal(LENGTH, slice(columns)) ** -2,
        variance=lognormal(AMPLITUDE, columns) ** 2,
        noise=lognormal(NOISE, columns + 1),
        mean=np.log(serial + 1 / cores + overhead * cores) + HEIGHT[0] * below,
        cliff=HEIGHT[1] * below,
    )


def _thresholds(memory: Array, uniform: Array, needs_gb: float | None) -> Array:
    """The logarithm of the memory below which the job is slower, in the shape of the uniform numbers.

    One beyond all candidates has all of them on the same side, and so no cliff among them.
    """
    if needs_gb is None:
        return np.asarray(memory.min() + np.ptp(memory) * uniform)
    near = np.log(needs_gb) + ESTIMATE * ndtri(np.clip(uniform / NEEDED, 1e-4, 1 - 1e-4))
    anywhere = memory.min() + np.ptp(memory) * (uniform - NEEDED) / (1 - NEEDED)
    return np.asarray(np.where(uniform < NEEDED, near, anywhere))
