"""The clusters to choose from, and their encoding as points that a model can compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from flowerexp.errors import ConfigError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """The properties of a cluster that decide how fast it is."""

    vcpus_per_node: float
    memory_gb_per_node: float
    nodes: float  # that do the work
    cpu_class: str = ""  # such as n2 or c4; empty if unknown
    disk_class: str = ""  # such as pd-ssd


@dataclass(frozen=True)
class Candidate:
    """One cluster that may be rented."""

    name: str
    shape: Shape
    usd_per_hour: float | None = None  # of the whole cluster; None if it is free, or its price is unknown


@dataclass(frozen=True)
class Space:
    """All candidates, as the model sees them."""

    points: Array  # (candidates, columns), see encode
    cores: Array  # vCPUs in total, (candidates,)
    memory_gb: Array  # in total, (candidates,)
    log_prices: Array  # what a second costs in the unit of the objective, (candidates,)


_SIZES: tuple[Callable[[Shape], float], ...] = (
    lambda shape: shape.vcpus_per_node * shape.nodes,
    lambda shape: shape.vcpus_per_node,
    lambda shape: shape.memory_gb_per_node / shape.vcpus_per_node,
    lambda shape: shape.memory_gb_per_node * shape.nodes,
)


def encode(candidates: Sequence[Candidate]) -> Array:
    """Candidates as points of the unit cube; similar ones are close to each other.

    Columns are the log2 of total vCPUs, of vCPUs a node, of memory a vCPU and of total memory, and a flag for each CPU
    class and each disk class but the first. Each is scaled to [0, 1]; columns without differences are left out.
    Logarithms, because doubling a cluster is one step whatever its size; total memory, because a job slows down
    suddenly once its data no longer fits.

    Returns:
        Shape (candidates, columns), without columns if all candidates look alike.
    """
    shapes = [candidate.shape for candidate in candidates]
    columns = [np.log2([size(shape) for shape in shapes]) for size in _SIZES]
    columns += _flags([shape.cpu_class for shape in shapes]) + _flags([shape.disk_class for shape in shapes])
    scaled = [(column - column.min()) / np.ptp(column) for column in columns if np.ptp(column) > 1e-9]
    return np.stack(scaled, axis=1) if scaled else np.zeros((len(shapes), 0))


def in_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates from the smallest to the largest, so that a search does not depend on the order it was given."""

    def key(candidate: Candidate) -> tuple[float | str, ...]:
        shape = candidate.shape
        sizes = shape.vcpus_per_node * shape.nodes, shape.memory_gb_per_node * shape.nodes, shape.nodes
        return (*sizes, shape.cpu_class, shape.disk_class, candidate.usd_per_hour or 0.0, candidate.name)

    return sorted(candidates, key=key)


def _flags(values: Sequence[str]) -> list[Array]:
    """A column of zeros and ones for each value but the first, which follows from the others."""
    return [np.array([float(value == known) for value in values]) for known in sorted(set(values))[1:]]


def check(candidates: Sequence[Candidate]) -> None:
    """Refuse candidates that share a name, or that have no size.

    Raises:
        ConfigError: it names the candidate.
    """
    if not candidates:
        raise ConfigError("there are no clusters to choose from", hint="name at least two")
    names = [candidate.name for candidate in candidates]
    for candidate in candidates:
        if names.count(candidate.name) > 1:
            raise ConfigError(f"two clusters are called {candidate.name}", hint="name each one once")
        shape = candidate.shape
        sizes = {"vCPUs": shape.vcpus_per_node, "memory": shape.memory_gb_per_node, "nodes": shape.nodes}
        for what, size in sizes.items():
            if not (isfinite(size) and size > 0):
                raise ConfigError(f"cluster {candidate.name} has {size} as its {what}", hint="give a number above 0")
        price = candidate.usd_per_hour
        if price is not None and not (isfinite(price) and price > 0):
            raise ConfigError(f"cluster {candidate.name} has a price of {price}", hint="leave it out if it is free")
