"""Two-level designs of few runs for many factors: Plackett and Burman's, and those folded over."""

from __future__ import annotations

import itertools
import math

Matrix = list[list[int]]


def smallest(least: int) -> int:
    """The smallest number of runs, of `least` or more, for which there is a design here."""
    return next(runs for runs in itertools.count(-(-least // 4) * 4, 4) if _hadamard(runs))


def is_folded(factors: int, runs: int) -> bool:
    """Is the design a folded one: do so many factors have a design of half as many runs, with a column for each?"""
    return factors <= runs // 2 and bool(_hadamard(runs // 2))


def design(factors: int, runs: int) -> list[tuple[int, ...]]:
    """A design in which every two factors have each of their four combinations of levels equally often.

    Where half as many runs have a column for each factor, they are folded over (Box and Wilson 1951: the same again
    with all levels exchanged), which makes main effects free of effects of pairs of factors (resolution IV). All other
    ones are those of Plackett and Burman (1946), of resolution III.

    Args:
        factors: how many.
        runs: one that `smallest` gives, and more than there are factors.

    Returns:
        A row for each run: 0 or 1 for each factor. In the first row, all are 0.
    """
    if is_folded(factors, runs):
        half = _hadamard(runs // 2)
        # Columns that are no products of others come first, then products of many: so that few rows are equal.
        columns = sorted(range(runs // 2), key=lambda column: (column.bit_count() > 1, -column.bit_count(), column))
        signs = [[sign * row[column] for column in columns[:factors]] for sign in (1, -1) for row in half]
    else:
        signs = [row[1 : factors + 1] for row in _hadamard(runs)]
    return [tuple(int(sign < 0) for sign in row) for row in signs]


def _hadamard(order: int) -> Matrix:
    """A matrix of 1 and -1 with orthogonal columns, of which the first row and the first column are 1.

    Plackett and Burman's generators for 12, 20 and 24 runs are 1 where the place is 0 or a square modulo the prime
    `order - 1`; powers of 2, and twice an order that there is, are Sylvester's doubling.

    Returns:
        The matrix; nothing where neither construction has one.
    """
    if order == 1:
        return [[1]]
    power_of_two = order & (order - 1) == 0
    if order % 4 == 0 and not power_of_two and _is_prime(order - 1):
        squares = {place * place % (order - 1) for place in range(order - 1)}
        generator = [-1 if place in squares else 1 for place in range(order - 1)]
        return [[1] * order, *([1, *generator[-shift:], *generator[:-shift]] for shift in range(order - 1))]
    half = _hadamard(order // 2) if order % 2 == 0 else []
    return [[*row, *row] for row in half] + [[*row, *(-sign for sign in row)] for row in half]


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, math.isqrt(number) + 1))
