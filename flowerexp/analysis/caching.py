"""What does caching change? Ratios of wall times of pairs of runs that differ in nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowerexp.analysis.estimate import Interval, paired_ratio
from flowerexp.analysis.pairing import apart_from

if TYPE_CHECKING:
    from flowerexp.config import Config


@dataclass(frozen=True)
class Side:
    """One run of a pair: with caching, or without.

    Attributes:
        run: its name in the sweep.
        seconds: its wall time of measuring, all actions included; both sides do the same work, except for caching.
        executions: how often a cell was executed, on average over its measurements.
        values: the experiment's value by series, of first executions.
    """

    run: str
    seconds: float
    executions: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Pair:
    """Two runs of the same config, except for caching."""

    on: Side
    off: Side

    @property
    def ratio(self) -> float:
        """Wall time without caching over that with it: above 1, caching saves time."""
        return self.off.seconds / self.on.seconds


@dataclass(frozen=True)
class Caching:
    """All pairs of a sweep, and their ratios together.

    Attributes:
        pairs: in the order of the sweep.
        seconds: the ratio of wall times, off over on.
        values: the ratio of the experiment's values by series, off over on.
    """

    pairs: tuple[Pair, ...]
    seconds: Interval
    values: Mapping[str, Interval]


def compare_caching(runs: Sequence[tuple[Config, Side]], families: int = 1) -> Caching | None:
    """Pair the runs of a sweep and compare.

    Args:
        runs: each run's config, and what was measured, in the order in which they ran. A run pairs with the next one of
            the same config with the other caching, so that the machine was in the same state.
        families: how many intervals hold together with 95 %.

    Returns:
        The pairs with their ratios, or None if there is no pair.
    """
    pairs = tuple(_pairs(runs))
    if not pairs:
        return None
    off, on = (np.array([getattr(pair, side).seconds for pair in pairs]) for side in ("off", "on"))
    common = sorted(set.intersection(*({*pair.on.values} & {*pair.off.values} for pair in pairs)))
    values = {}
    for name in common:
        of_off, of_on = (np.array([getattr(pair, side).values[name] for pair in pairs]) for side in ("off", "on"))
        values[name] = paired_ratio(of_off, of_on, families)
    return Caching(pairs, paired_ratio(off, on, families), values)


def _pairs(runs: Sequence[tuple[Config, Side]]) -> list[Pair]:
    waiting: dict[str, tuple[bool, Side]] = {}
    pairs = []
    for config, side in runs:
        key, caching = apart_from(config, "caching"), config.caching
        if key in waiting and waiting[key][0] != caching:
            _, other = waiting.pop(key)
            pairs.append(Pair(side, other) if caching else Pair(other, side))
        else:
            waiting[key] = (caching, side)
    return [pair for pair in pairs if pair.on.seconds > 0 and pair.off.seconds > 0]
