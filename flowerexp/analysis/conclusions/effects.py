"""The effects of factors: their levels from the best to the worst, and how much better each is than the others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from flowerexp.analysis.conclusions.contrasts import (
    Estimate,
    Side,
    Trend,
    between_runs,
    repeats_needed,
    trend,
    within_runs,
)
from flowerexp.analysis.conclusions.evidence import Evidence, Factor
from flowerexp.analysis.estimate import Interval, stratified_error
from flowerexp.measurements.coded import Array, firsts, joined, numbered

Outcome = Literal["differs", "same", "open", "unknown"]

DRIFT = 0.05
"""A change of the values over the runs of a sweep by more than this share is a drift, unless chance explains it."""

DRIFT_CHANCE = 0.01
"""Chance explains a drift if it makes one as large with more than this probability."""


@dataclass(frozen=True)
class Level:
    """A value of a factor, and the experiment's value there."""

    name: str
    value: float


@dataclass(frozen=True)
class Effect:
    """What a factor changes, in one context.

    Attributes:
        factor: the factor.
        context: the values of the categorical parameters for which this holds, by parameter; empty for all.
        levels: from the best to the worst.
        estimates: how much better each level is than each later one, on the logarithm, by their places in `levels`.
        basis: whether its levels were measured within the same runs, or by different runs.
        families: how many effects are looked at together.
        margin: the share by which values may differ without a difference that matters.
    """

    factor: Factor
    context: Mapping[str, str]
    levels: Sequence[Level]
    estimates: Mapping[tuple[int, int], Estimate]
    basis: Literal["repetitions", "runs"]
    families: int
    margin: float

    def gain(self, better: int, worse: int) -> Interval:
        """How many times as good a level is as another one, with its interval; without one if nothing is repeated."""
        estimate = self.estimates.get((better, worse))
        if estimate is None:
            return Interval(math.nan)
        if math.isnan(estimate.error):
            return Interval(math.exp(estimate.difference))
        return estimate.ratio(len(self.levels), self.families)

    @property
    def worst(self) -> int:
        """The place of the worst level that is shown to be worse than the best; of the last one if none is."""
        shown = [place for place in range(1, len(self.levels)) if self.gain(0, place).excludes_one]
        return max(shown, default=len(self.levels) - 1)

    @property
    def widest(self) -> Interval:
        """How many times as good the best level is as the worst."""
        return self.gain(0, self.worst)

    @property
    def winners(self) -> list[Level]:
        """The best level, and those that are not shown to be worse."""
        return [level for place, level in enumerate(self.levels) if not (place and self.gain(0, place).excludes_one)]

    @property
    def bound(self) -> float | None:
        """The share by which any two levels differ at most; None if that is unknown."""
        gains = [self.gain(*pair) for pair in self.estimates]
        ends = [max(gain.high, 1 / gain.low) for gain in gains if gain.low and gain.high]
        return max(ends) - 1 if ends and len(ends) == len(self.levels) * (len(self.levels) - 1) // 2 else None

    @property
    def outcome(self) -> Outcome:
        """Whether levels differ, differ by no more than the margin, may or may not differ, or nothing is known."""
        if any(self.gain(*pair).excludes_one for pair in self.estimates):
            return "differs"
        if self.bound is None:
            return "unknown"
        return "same" if self.bound <= self.margin else "open"

    @property
    def repeats(self) -> int | None:
        """How many runs of each setting would settle what is open; None for very many, or if that is unknown."""
        known = [each for each in self.estimates.values() if not math.isnan(each.error)]
        if self.basis != "runs" or not known:
            return None
        needed = [repeats_needed(each, self.margin, len(self.levels), self.families) for each in known]
        return None if None in needed else max(count for count in needed if count)


def effects_of(evidence: Evidence, margin: float, more_families: int = 0) -> list[Effect]:
    """All effects, in the order of the factors.

    Args:
        evidence: what was measured; of valid runs, if a finding is to rest on it.
        margin: see `Effect`.
        more_families: how many further comparisons are made beside these.
    """
    parts = list(_parts(evidence))
    families = len(parts) + more_families
    effects = (_effect(part, factor, context, families, margin) for part, factor, context in parts)
    return [effect for effect in effects if effect is not None]


def _parts(evidence: Evidence) -> Iterator[tuple[Evidence, Factor, Mapping[str, str]]]:
    """The rows for each factor in each context; without contexts whose results do not depend on the factor."""
    for factor in evidence.factors:
        names = evidence.contexts[factor.key]
        places = joined([evidence.columns[name].places for name in names], len(evidence))
        first = firsts(places)
        contexts = {name: evidence.columns[name].at(first) for name in names}
        for place in range(len(first)):
            part = evidence.where(places == place)
            context = {name: str(values[place]) for name, values in contexts.items()}
            if part.columns[factor.key].varies and not _independent(evidence, factor, part):
                yield part, factor, context


def _independent(evidence: Evidence, factor: Factor, part: Evidence) -> bool:
    """Whether a declared parameter says that results at its value do not depend on a factor."""
    for name, parameter in evidence.experiment.parameters.items():
        values = {str(value) for value in part.columns[name].present.values} if parameter.independent else set()
        if values and all(factor.key in parameter.independent.get(value, ()) for value in values):
            return True
    return False


def _effect(part: Evidence, factor: Factor, context: Mapping[str, str], families: int, margin: float) -> Effect | None:
    """One effect; None if no two levels share a cell."""
    within = part.is_within(factor.key)
    rest = [name for name in part.experiment.numeric if name != factor.key]
    cells = joined([part.columns[name].places for name in rest], len(part))
    part, cells = _common(part, cells, part.columns[factor.key].places if within else part.runs)
    found = part.columns[factor.key].present
    names, places = found.values, found.places
    if len(names) < 2 or not (part.top > 0).all():
        return None
    sign = 1.0 if part.experiment.value.better == "higher" else -1.0
    values = [part.where(places == place).value for place in range(len(names))]
    order = sorted(range(len(names)), key=lambda place: -sign * values[place])
    ranks = np.argsort(order)[places]
    estimates = _within(part, ranks, cells, sign) if within else _between(part, factor, ranks, sign)
    levels = [Level(_shown(names[place]), values[place]) for place in order]
    return Effect(factor, context, levels, estimates, "repetitions" if within else "runs", families, margin)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _common(part: Evidence, cells: Array, groups: Array) -> tuple[Evidence, Array]:
    """The rows of cells that all groups have measured."""
    groups = numbered(groups)
    count = int(groups.max(initial=-1)) + 1
    found = np.bincount(np.unique(cells * count + groups) // max(count, 1))
    chosen = found[cells] == count
    return part.where(chosen), cells[chosen]


def _within(part: Evidence, ranks: Array, cells: Array, sign: float) -> dict[tuple[int, int], Estimate]:
    """Levels that were measured side by side: compared in each repetition, over the cells that both have there."""
    estimates = {}
    measured = joined([part.repetitions, cells], len(part))
    keys = joined([part.runs, measured], len(part))
    met = np.zeros((int(ranks.max()) + 1, int(keys.max()) + 1), bool)
    met[ranks, keys] = True
    for better, worse in itertools.combinations(range(len(met)), 2):
        shared = (met[better] & met[worse])[keys]
        sides = [
            _side(
                part, cells, measured, [shared & (part.runs == run) & (ranks == rank) for rank in (better, worse)], sign
            )
            for run in np.unique(part.runs[shared])
        ]
        if sides:
            means = float(np.mean([side.repetitions.mean() for side in sides]))
            estimates[better, worse] = within_runs(sides) or Estimate(means, math.nan, 0, math.nan)
    return estimates


def _side(part: Evidence, cells: Array, places: Array, chosen: Sequence[Array], sign: float) -> Side:
    """How two levels differed in one run.

    Args:
        part: the rows of all runs.
        cells: the cell of each.
        places: its cell and repetition, as one number.
        chosen: the rows of either level in this run, of the same cells in each repetition.
        sign: 1 if a higher value is better, else -1.
    """
    better, worse = (_logs(part, part.repetitions, rows) for rows in chosen)
    by_cell = np.subtract(*(_logs(part, places, rows) for rows in chosen))
    first = firsts(numbered(places[chosen[0]]))
    of_cell, of_repetition = (numbered(values[chosen[0]][first]) for values in (cells, part.repetitions))
    numbers = [int(each.max()) + 1 for each in (of_cell, of_repetition)]
    if len(by_cell) < math.prod(numbers) or min(numbers) < 2:  # some cells lack a repetition
        return Side(sign * (better - worse))
    table = np.zeros(numbers)
    table[of_cell, of_repetition] = by_cell
    left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    freedom = (numbers[0] - 1) * (numbers[1] - 1)
    shares = np.bincount(numbered(cells[chosen[0]]), part.bottom[chosen[0]])
    shares = shares / shares.sum()
    return Side(sign * (better - worse), float((left**2).sum()) / freedom * float((shares**2).sum()), freedom)


def _logs(part: Evidence, groups: Array, chosen: Array) -> Array:
    """The logarithm of the value in each group of the chosen rows, in the order of the groups."""
    places = numbered(groups[chosen])
    return np.asarray(np.log(np.bincount(places, part.top[chosen]) / np.bincount(places, part.bottom[chosen])))


def _between(part: Evidence, factor: Factor, ranks: Array, sign: float) -> dict[tuple[int, int], Estimate]:
    """Levels that different runs have: each run counts once."""
    everything = np.ones(len(part), bool)
    first = firsts(numbered(part.runs))
    numbers = part.runs[first]
    others = [part.columns[key].at(first) for key in part.varied_by_runs(factor.key)]
    blocks = None if part.blocks is None else part.blocks[numbers]
    within = float(np.mean([_variance_of(part.where(part.runs == run)) for run in numbers]))
    logs = sign * _logs(part, part.runs, everything)
    return between_runs(logs, ranks[first], others, blocks, within)


def _variance_of(run: Evidence) -> float:
    """The variance of the logarithm of a run's value, by its own repetitions; 0 if it has none."""
    names = [*run.experiment.numeric, *run.experiment.categorical]
    found = stratified_error(run.top, run.bottom, joined([run.columns[name].places for name in names], len(run)))
    return found[0] ** 2 if found else 0.0


def drift_of(evidence: Evidence) -> Trend | None:
    """How the values of all runs moved while a sweep ran; None if that is little, or may be chance."""
    first = firsts(numbered(evidence.runs))
    numbers = evidence.runs[first]
    if len(numbers) < 4 or not (evidence.top > 0).all():
        return None
    keys = [factor.key for factor in evidence.factors if not evidence.is_within(factor.key)]
    settings = joined([evidence.columns[key].places[first] for key in keys], len(numbers))
    logs = _logs(evidence, evidence.runs, np.ones(len(evidence), bool))
    found = trend(logs, settings, evidence.order[numbers])
    return found if found and abs(found.change) > DRIFT and found.chance < DRIFT_CHANCE else None
