"""Which combinations of values a sweep runs: all of them, or those of a fractional design (`sweep.fraction`)."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flowerexp.config.fields import MOST_SEEDS
from flowerexp.errors import ConfigError
from flowerexp.sweep import hadamard

PLACKETT_BURMAN, LATIN_HYPERCUBE = "plackett_burman", "latin_hypercube"
FRACTIONS = (PLACKETT_BURMAN, LATIN_HYPERCUBE)

Row = tuple[int, ...]
MOST_RUNS = 1_000
"""That a design may have: more are a grid."""
_SWAPS = 10_000  # tries to make runs of a Latin hypercube differ


@dataclass(frozen=True)
class Design:
    """A fractional design, as a sweep's plan records it.

    Attributes:
        name: one of `FRACTIONS`.
        factors: the keys that vary; of keys that move together, all in one text.
        runs: how many runs it has, in each repeat.
        combinations: how many the full grid has.
        resolution: III or IV of a two-level design, as 3 or 4; None of a Latin hypercube.
        left_out: how many of its runs, over all repeats, `sweep.exclude` leaves out.
    """

    name: str
    factors: tuple[str, ...]
    runs: int
    combinations: int
    resolution: int | None = None
    left_out: int = 0

    @property
    def recorded(self) -> dict[str, Any]:
        """What a sweep's plan remembers of it."""
        return {**asdict(self), "said": self.said}

    @property
    def said(self) -> str:
        """What it is, and what can be learned from it."""
        chosen = f"{self.runs:,} of {self.combinations:,} combinations"
        if self.name == LATIN_HYPERCUBE:
            out = f", of which sweep.exclude leaves {self.left_out:,} runs out" if self.left_out else ""
            told = "each value occurs about equally often, main effects can be told apart as far as their intervals say"
            return f"{chosen} (Latin hypercube{out}): {told}, interactions are mixed into them"
        if self.resolution == 4:
            told = "main effects can be told apart, interactions of two factors are mixed with each other only"
            return f"{chosen} (Plackett-Burman, folded over, resolution IV): {told}"
        told = "main effects can be told apart, interactions are mixed into them"
        return f"{chosen} (Plackett-Burman, resolution III): {told}"


def fraction(axes: Sequence[tuple[str, int]], sweep: Mapping[str, Any]) -> tuple[list[Row], Design] | None:
    """The combinations that a fractional design takes.

    Args:
        axes: the name of each axis, and how many values it has.
        sweep: the config's `sweep` node, as plain values.

    Returns:
        For each combination, in the order of the full grid, which value each axis has; and the design. None where the
        full grid is wanted.

    Raises:
        ConfigError: there is no such design for these axes.
    """
    name, wanted = sweep.get("fraction"), _whole(sweep, "runs", 1, MOST_RUNS)
    if name is None:
        if wanted is not None:
            hint = f"choose the design: sweep.fraction={' or '.join(FRACTIONS)}"
            raise ConfigError("without a design, a sweep runs the full grid", where="sweep.runs", hint=hint)
        return None
    if name not in FRACTIONS:
        raise ConfigError(f"{name} must be one of {', '.join(FRACTIONS)}, or null", where="sweep.fraction")
    factors = [axis for axis in axes if axis[1] > 1]
    combinations = math.prod(values for _, values in factors)
    resolution = None
    if name == PLACKETT_BURMAN:
        runs = _runs_of_two_levels(factors, sweep, wanted)
        resolution = 4 if hadamard.is_folded(len(factors), runs) else 3
    elif wanted is None:
        raise ConfigError("a Latin hypercube needs a number of runs", where="sweep.runs", hint="set sweep.runs=NUMBER")
    else:
        runs = wanted
    if runs >= combinations:
        problem = f"{name} of {runs:,} runs is not a fraction: the full grid has {combinations:,}"
        raise ConfigError(problem, where="sweep.fraction", hint="leave sweep.fraction and sweep.runs out")
    if resolution is None:
        rows = _latin_hypercube(factors, runs, _whole(sweep, "seed", 0, MOST_SEEDS) or 0)
    else:
        rows = _two_levels(factors, runs)
    own = [iter(row) for row in rows]
    whole = sorted(tuple(next(row) if values > 1 else 0 for _, values in axes) for row in own)
    return whole, Design(name, tuple(axis for axis, _ in factors), runs, combinations, resolution)


def _whole(sweep: Mapping[str, Any], key: str, least: int, most: int) -> int | None:
    """One of the numbers of the `sweep` node, which is not checked yet."""
    value: Any = sweep.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and least <= value <= most):
        return value
    raise ConfigError(f"{value} must be a whole number of {least} to {most:,}", where=f"sweep.{key}")


def _runs_of_two_levels(factors: Sequence[tuple[str, int]], sweep: Mapping[str, Any], wanted: int | None) -> int:
    """How many runs a two-level design has, once it is known that there is one."""
    for axis, values in factors:
        if values > 2:
            hint = f"give {axis} its lowest and its highest, or set sweep.fraction={LATIN_HYPERCUBE} sweep.runs=NUMBER"
            raise ConfigError(
                f"{axis} has {values} values, and {PLACKETT_BURMAN} takes two", where="sweep.fraction", hint=hint
            )
    if sweep.get("exclude"):
        problem = f"{PLACKETT_BURMAN} needs all of its runs, so none can be excluded"
        raise ConfigError(problem, where="sweep.exclude", hint=f"leave it out, or set sweep.fraction={LATIN_HYPERCUBE}")
    least = max(wanted or 0, len(factors) + 1)
    if least > MOST_RUNS:
        raise ConfigError(f"{len(factors):,} factors need more than {MOST_RUNS:,} runs", where="sweep.fraction")
    runs = hadamard.smallest(least)
    if wanted not in (None, runs):
        problem = f"there is no {PLACKETT_BURMAN} design of {wanted} runs for {len(factors)} factors"
        raise ConfigError(problem, where="sweep.runs", hint=f"the next one has {runs} runs")
    return runs


def _two_levels(factors: Sequence[tuple[str, int]], runs: int) -> list[Row]:
    rows = hadamard.design(len(factors), runs)
    if len(set(rows)) < runs:
        hint = f"leave it out: {hadamard.smallest(len(factors) + 1)} runs are enough"
        problem = f"{PLACKETT_BURMAN} of {runs} runs has the same run twice with {len(factors)} factors"
        raise ConfigError(problem, where="sweep.runs", hint=hint)
    return rows


def _latin_hypercube(factors: Sequence[tuple[str, int]], runs: int, seed: int) -> list[Row]:
    """A Latin hypercube without equal runs, in which the values of an axis are in as many runs each, or in one more.

    On each axis it has a place for each run, spread out by its centred discrepancy; neighbouring places share a value.
    """
    import numpy as np
    from scipy.stats import qmc  # heavy: a sweep over all combinations does without it

    for axis, values in factors:
        if values > runs:
            problem = f"{runs} runs cannot have each of the {values} values of {axis}"
            raise ConfigError(problem, where="sweep.runs", hint=f"set sweep.runs={values} or more")
    generator = np.random.default_rng(seed)
    sampler = qmc.LatinHypercube(len(factors), scramble=False, optimization="random-cd", rng=generator)
    places = (sampler.random(runs) * runs).astype(int).T.tolist()
    columns = [[place * values // runs for place in own] for own, (_, values) in zip(places, factors, strict=True)]
    return _made_different(columns, random.Random(seed))


def _made_different(columns: Sequence[list[int]], chance: random.Random) -> list[Row]:
    """The rows of these columns; equal ones exchange values with others, so that every column keeps its balance."""
    for _ in range(_SWAPS):
        rows = list(zip(*columns, strict=True))
        first = {row: place for place, row in reversed(list(enumerate(rows)))}
        equal = next((place for place, row in enumerate(rows) if first[row] != place), None)
        if equal is None:
            return rows
        column, other = chance.choice(columns), chance.randrange(len(rows))
        column[equal], column[other] = column[other], column[equal]
    problem = f"{len(columns[0])} runs cannot all differ and have each value equally often"
    raise ConfigError(problem, where="sweep.runs", hint="take fewer, or leave sweep.fraction out")
