"""The parts of a model: factors, their features, and terms, which are products of features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

import numpy as np

from flowerexp.measurements.table import Array

MOST_TERMS = 100
"""No design has more terms: each is a column in all matrices that are saved with a model."""

Kind = Literal["number", "flag", "text"]
Term = tuple[int, ...]
"""The features that are multiplied; none for the intercept."""


@dataclass(frozen=True)
class Factor:
    """An input of a model: a parameter of a run, or a value that differs between the runs of a sweep.

    Attributes:
        name: of the parameter, or a config key.
        kind: `number`, `flag` (true or false) or `text`.
        values: those that were measured, sorted; of a number with more than `MOST_VALUES`, some of them and both ends.
        whole: whether a number is a whole one.
        unit: of a number.
        logarithm: whether the model uses a number's logarithm.
        size: a number, or its logarithm, is divided by this, so that all features are about 1.
    """

    name: str
    kind: Kind
    values: tuple[Any, ...]
    whole: bool = False
    unit: str | None = None
    logarithm: bool = False
    size: float = 1.0

    @property
    def is_number(self) -> bool:
        """Whether it is a number; others have levels."""
        return self.kind == "number"

    @property
    def levels(self) -> tuple[Any, ...]:
        """The levels that have a feature: all but the first, to which the others are compared."""
        return () if self.is_number else self.values[1:]

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest number that was measured."""
        return float(self.values[0]), float(self.values[-1])

    @property
    def limits(self) -> tuple[float, float]:
        """How far a prediction may go beyond what was measured.

        By half of the range to each side, and not below half of the smallest number if all are positive.
        """
        low, high = self.range
        half = (high - low) / 2
        return max(low - half, low / 2) if low > 0 else low - half, high + half

    def features(self, values: Array) -> list[Array]:
        """The features of some values: a number divided by its size, or for each of `levels` 1 or 0."""
        if self.is_number:
            numbers = np.asarray(values, float)
            return [(np.log(numbers) if self.logarithm else numbers) / self.size]
        return [np.asarray(values == level, float) for level in self.levels]

    @property
    def names(self) -> list[str]:
        """The names of its features."""
        if self.is_number:
            return [f"log({self.name})" if self.logarithm else self.name]
        return [f"{self.name}={text(level)}" for level in self.levels]


MOST_VALUES = 50
"""The most measured values of a number that a model lists, and the most levels of a factor."""


def text(value: Any) -> str:
    """A factor's value as a command line and a config have it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:.12g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Design:
    """Factors and terms: how the values of factors become the columns of a linear model.

    Attributes:
        factors: numbers first.
        terms: the places among all features that each term multiplies.
    """

    factors: tuple[Factor, ...]
    terms: tuple[Term, ...] = field(default=((),))

    @cached_property
    def features(self) -> list[str]:
        """The names of the features."""
        return [name for factor in self.factors for name in factor.names]

    @cached_property
    def names(self) -> list[str]:
        """The names of the terms; a product is written as ``a x b``."""
        return [" x ".join(self.features[place] for place in term) or "intercept" for term in self.terms]

    @cached_property
    def sizes(self) -> Array:
        """The divisors that turn coefficients into the factors' own units, of shape (terms,)."""
        each = np.array([factor.size for factor in self.factors for _ in factor.names])
        return np.array([np.prod(each[list(term)]) for term in self.terms])

    def matrix(self, columns: Mapping[str, Array]) -> Array:
        """The columns of the model, of shape (n, terms), for n values of each factor."""
        features = [feature for factor in self.factors for feature in factor.features(columns[factor.name])]
        count = len(next(iter(columns.values())))
        return np.column_stack([product([features[place] for place in term], count) for term in self.terms])


def product(columns: Sequence[Array], count: int) -> Array:
    """The product of some columns; ones for no columns."""
    return np.asarray(np.prod(np.array([np.ones(count), *columns]), axis=0))


def terms_of(factors: Sequence[Factor], products: Iterable[Sequence[str]], degree: int) -> list[Term]:
    """The terms of a design, those of lower order first.

    Args:
        factors: numbers first.
        products: names of numbers whose product is always a term.
        degree: 1, or 2 for squares of numbers, products of two of them, and each level with all of these but squares.
    """
    places: dict[str, list[int]] = {}
    for factor in factors:
        start = sum(map(len, places.values()))
        places[factor.name] = list(range(start, start + len(factor.names)))
    numbers = [places[factor.name][0] for factor in factors if factor.is_number]
    levels = [places[factor.name] for factor in factors if not factor.is_number]
    known = {factor.name for factor in factors if factor.is_number}
    wanted = [tuple(sorted(places[name][0] for name in names)) for names in products if {*names} <= known]
    terms: list[Term] = [(), *((n,) for n in numbers), *((level,) for each in levels for level in each), *wanted]
    if degree > 1:
        terms += [*combinations(numbers, 2), *((n, n) for n in numbers)]
        terms += [
            (*number, level) for each in levels for level in each for number in [*((n,) for n in numbers), *wanted]
        ]
        terms += [(a, b) for first, second in combinations(levels, 2) for a in first for b in second]
    return list(dict.fromkeys(terms))


def independent(matrix: Array, tolerance: float = 1e-7) -> list[int]:
    """The places of columns that do not depend on those before them, by Gram and Schmidt's orthogonalisation."""
    kept: list[int] = []
    basis = np.empty((len(matrix), 0))
    for place, column in enumerate(matrix.T):
        rest = column
        for _ in range(2):  # twice, because of rounding
            rest = rest - basis @ (basis.T @ rest)
        size = float(np.linalg.norm(rest))
        if size > tolerance * float(np.linalg.norm(column)) and len(kept) < len(matrix):
            kept.append(place)
            basis = np.column_stack([basis, rest / size])
    return kept
