"""Straight lines through the measurements: images per second against each parameter, as in the notebook.

Each measurement is a point. The product batch_size x batch_number is collinear with its factors: read the lines one by
one, not as parts of one model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowerexp.analysis.summary import by_reader, measured_columns
from flowerexp.measurements import PARAMETERS, Row, first_executions, number, rate

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

RATE = "images_per_second"
PRODUCT = " x ".join(PARAMETERS)
AGAINST = (*PARAMETERS, PRODUCT, "repetition")
"""What lines are fitted against. Repetition comes last: a slope there is drift, not an effect."""

FEWEST = 3
"""Points below which no line is fitted: through two points a line is always perfect."""


@dataclass(frozen=True)
class Fit:
    """A line ``value = intercept + slope * parameter``, by ordinary least squares."""

    reader: str
    parameter: str
    slope: float  # of the value's unit, for each unit of the parameter
    intercept: float  # of the value's unit
    r2: float  # the share of the variance that the line explains, 0 to 1
    n: int  # measurements
    value: str = RATE
    low: float | None = None  # the ends of the slope's 95 % interval
    high: float | None = None
    p: float | None = None  # how probable chance alone makes so steep a slope


def fit_all(rows: Sequence[Row], name: str = "all") -> list[Fit]:
    """Fit every reader's values against every parameter.

    The value is images per second. For an entrypoint that counts no images it is each numeric column that it yields.
    A parameter is left out if it has one value only, or if there are fewer than three points.

    Args:
        rows: all rows; first executions are used.
        name: what to call the rows that name no reader, such as the entrypoint.
    """
    fits = []
    for reader, group in sorted(by_reader(first_executions(rows), name).items()):
        for value in values_of(group):
            for parameter in AGAINST:
                xs, ys = points(group, parameter, value)
                if len(xs) >= FEWEST and len(set(xs)) > 1:
                    fits.append(_fit(reader, parameter, value, xs, ys))
    return fits


def values_of(rows: Sequence[Row]) -> list[str]:
    """What to fit for these rows: the rate, or without one, each column that was measured."""
    return [RATE] if any(rate(row) is not None for row in rows) else list(measured_columns(rows))


def points(rows: Sequence[Row], parameter: str, value: str = RATE) -> tuple[list[float], list[float]]:
    """The parameter and the value of each row that has both."""
    measure: Callable[[Row], float | None] = rate if value == RATE else lambda row: number(row, value)
    pairs = [(parameter_of(row, parameter), measure(row)) for row in rows]
    known = [(x, y) for x, y in pairs if x is not None and y is not None]
    return [x for x, _ in known], [y for _, y in known]


def parameter_of(row: Row, parameter: str) -> float | None:
    """A row's value of a parameter, or of the product of the parameters."""
    if parameter != PRODUCT:
        return number(row, parameter)
    size, count = (number(row, factor) for factor in PARAMETERS)
    return None if size is None or count is None else size * count


def _fit(reader: str, parameter: str, value: str, xs: list[float], ys: list[float]) -> Fit:
    line = _line(xs, ys)
    intercept, slope = (float(part) for part in line.params)
    low, high = (float(end) for end in line.conf_int()[1])
    # Values that are all equal have no variance of which a line could explain a share.
    r2 = float(line.rsquared) if max(ys) > min(ys) else 0.0
    p = float(line.pvalues[1])
    return Fit(reader, parameter, slope, intercept, r2, len(xs), value, low, high, p if math.isfinite(p) else None)


def _line(xs: Sequence[float], ys: Sequence[float]) -> Any:
    import numpy as np
    from statsmodels.regression.linear_model import OLS

    return OLS(np.array(ys, float), _design(xs)).fit()


def _design(xs: Sequence[float]) -> Array:
    import numpy as np

    return np.column_stack([np.ones(len(xs)), np.array(xs, float)])


def band(xs: Sequence[float], ys: Sequence[float], places: Sequence[float]) -> tuple[Array, Array]:
    """The 95 % confidence band of the line through some points: where the line may run, not where points may lie.

    Args:
        xs: the points' parameter, of at least three.
        ys: the points' value.
        places: where to compute the band.
    """
    ends = _line(xs, ys).get_prediction(_design(places)).conf_int()
    return ends[:, 0], ends[:, 1]
