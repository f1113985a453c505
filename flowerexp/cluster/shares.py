"""How a cluster's bill is divided: each run's own time, the start, and idle time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowerexp.cluster.cost import Rate


@dataclass(frozen=True)
class Share:
    """A run's part of its cluster's bill, in US dollars: of its own time, and of the start and of idle time."""

    own: float
    start: float
    idle: float


@dataclass(frozen=True)
class CostSplit:
    """A cluster's bill in US dollars: of each run's own time, of the start, and of idle time; `total` is their sum."""

    runs: Mapping[str, float]
    start: float
    idle: float

    @property
    def total(self) -> float:
        """The whole bill."""
        return sum(self.runs.values()) + self.start + self.idle

    def share(self, run: str) -> Share:
        """A run's own cost, and its part of the rest: in proportion to its own cost, evenly where all are zero."""
        everything = sum(self.runs.values())
        part = self.runs[run] / everything if everything else 1 / len(self.runs)
        return Share(self.runs[run], part * self.start, part * self.idle)


def shares(rate: Rate, alive: float, start: float, runs: Mapping[str, float]) -> CostSplit:
    """Split a cluster's bill over what it was spent on.

    Args:
        rate: the cluster's.
        alive: seconds from its creation to its deletion.
        start: seconds of them until it could be used.
        runs: each run's own seconds. Where they are more than the cluster had, as when runs go side by side, they
            are cut in proportion.

    Returns:
        The bill; what lies between runs, after them, or only makes up the minimum, is idle.
    """
    total = rate.usd(alive)
    usable = rate.total / 3600
    starting = min(start, alive) * usable
    wanted = {run: seconds * usable for run, seconds in runs.items()}
    most = max(0.0, total - starting)
    scale = min(1.0, most / sum(wanted.values())) if sum(wanted.values()) else 1.0
    own = {run: usd * scale for run, usd in wanted.items()}
    return CostSplit(own, starting, max(0.0, most - sum(own.values())))
