"""How well a cell is known: the interval that decides whether it is measured once more."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

FEWEST = 6
"""The measurements that a cell has at least before it can count as known.

Whoever stops as soon as an interval is narrow stops too often at one that is narrow by chance, and most of all where
the first look comes early. With a first look at the 6th measurement, at least 92.8 of 100 intervals of independent
measurements held the true mean, where 95 were asked for; at the 3rd one, 90.4 (simulated: goals of 5 %, measurements
that vary by 1 to 20 %, a look after each).
"""

_NORMAL = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Value:
    """The number that an experiment is about, as it follows from a row.

    Attributes:
        name: `rate`, `steady_rate` (after the first part), `seconds`, or a column.
        count: the column with the number of counted units.
        first_count: the column with that of the first part; None without parts.
        first_seconds: the column with the first part's seconds; None without parts.
    """

    name: str
    count: str
    first_count: str | None = None
    first_seconds: str | None = None

    def of(self, row: Mapping[str, Any]) -> float | None:
        """A row's value; None if it has none above 0."""
        if self.name == "rate":
            return self.rate(row)
        if self.name != "steady_rate":
            return _positive(row.get(self.name))
        later = [
            self._later(row, *names) for names in ((self.count, self.first_count), ("seconds", self.first_seconds))
        ]
        return later[0] / later[1] if later[0] and later[1] else None

    def _later(self, row: Mapping[str, Any], whole: str, first: str | None) -> float | None:
        """What is left of a column without its first part."""
        known = [_positive(row.get(name)) for name in (whole, first) if name]
        return _positive(known[0] - known[1]) if len(known) == 2 and known[0] and known[1] else None

    def rate(self, row: Mapping[str, Any]) -> float | None:
        """A row's units a second; None if nothing was counted or timed."""
        count, seconds = _positive(row.get(self.count)), _positive(row.get("seconds"))
        return count / seconds if count and seconds else None


def _positive(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    return float(value) if known else None


def reach_of(rows: Iterable[Mapping[str, Any]], value: Value) -> float | None:
    """How far the 95 % interval of a cell's value reaches to each side, as a share of it.

    It is the interval of the value; of the rate, where some measurement has no value above 0, such as a steady rate of
    a single part.

    Args:
        rows: the cell's measurements that were not stopped.
        value: what the experiment is about.

    Returns:
        None below two measurements.
    """
    rows = list(rows)
    for of in (value.of, value.rate):
        values = [found for found in map(of, rows) if found is not None]
        if values and len(values) == len(rows):
            return reach(values)
    return None


def reach(values: Sequence[float]) -> float | None:
    """How far the 95 % interval of the mean reaches to each side, as a share of it.

    The interval is Student's of the mean of the logarithms (Hahn and Meeker, Statistical Intervals, 1991, 4.2 and
    4.9), and the share is that of its upper side, which is the longer one. It takes the measurements for independent:
    it does not know how far the speed of a machine wanders from one hour to the next.

    Args:
        values: above 0.

    Returns:
        None below two values.
    """
    count = len(values)
    if count < 2:
        return None
    logs = [math.log(value) for value in values]
    mean = math.fsum(logs) / count
    variance = math.fsum((log - mean) ** 2 for log in logs) / (count - 1)
    return math.expm1(student(count - 1) * math.sqrt(variance / count))


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's distribution.

    An expansion about the normal quantile (Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.7.5),
    since clusters need not have SciPy: within 0.2 % from 3 degrees of freedom on.
    """
    x = _NORMAL
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + math.fsum(term / freedom**power for power, term in enumerate(terms, start=1))
