"""A fitted model: its coefficients, its predictions with their intervals, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.model.factors import Design, Factor
from flowerexp.analysis.model.variance import Errors, Fitted
from flowerexp.measurements.table import Array

Scale = Literal["plain", "log"]

SURE = 0.01
"""Below this probability a model does not fit: its cells lie further from it than their repetitions explain."""


@dataclass(frozen=True)
class Quality:
    """How good a model is.

    Attributes:
        measurements: how many it was fitted to.
        cells: how many combinations of factors were measured.
        runs: how many.
        censored: measurements that are left out because they were stopped.
        incomplete: measurements that are left out because they lack the value of a factor.
        error: how far a cell typically is from what all others predict (in a sweep, from what runs of other configs
            predict, if they can): the root of the mean square of the ratio's logarithm, so 0.05 is 5 %; for values
            that are not all positive, in standard deviations of the cells. None if no cell can be predicted.
        between: the same for all cells with a value of a number, predicted from those with other values of it; for
            values that are neither the smallest nor the largest. None if the model needs all of them.
        predicted_cells: how many cells can be predicted from others (of very many, from a sample).
        r2: the share of the variance of the values (or of their logarithms) that the model explains.
        lack_of_fit_f: of the test whether cells lie further from the model than their repetitions explain.
        lack_of_fit_p: the probability of an F as large by chance; None if no cell is repeated.
    """

    measurements: int
    cells: int
    runs: int
    censored: int
    incomplete: int
    error: float | None
    between: float | None
    predicted_cells: int
    r2: float
    lack_of_fit_f: float | None
    lack_of_fit_p: float | None

    @property
    def fits(self) -> bool:
        """Whether chance can explain how far cells lie from the model; also true if there is no test."""
        return self.lack_of_fit_p is None or self.lack_of_fit_p >= SURE


@dataclass(frozen=True)
class Prediction:
    """The prediction for a cell: for the mean of its measurements, and for one more measurement.

    The value is the same for both; by a logarithmic model it is a geometric mean.
    """

    mean: Interval
    one: Interval


@dataclass(frozen=True)
class Model:
    """A linear model of a value.

    Attributes:
        name: of the value.
        unit: its unit.
        scale: `plain`, or `log` where the value's logarithm is modelled.
        degree: 1 or 2; a product that the experiment declares is a term with both.
        grows: whether noise is proportional to a plain value, rather than the same everywhere.
        positive: whether the value cannot be below 0.
        design: factors and terms.
        fitted: coefficients and errors.
        quality: how good it is.
        left_out: columns that are not factors, with the reasons.
        aliased: terms that are left out because the measurements cannot separate them from others.
    """

    name: str
    unit: str
    scale: Scale
    degree: int
    grows: bool
    positive: bool
    design: Design
    fitted: Fitted
    quality: Quality
    left_out: Mapping[str, str]
    aliased: tuple[str, ...]

    @property
    def coefficients(self) -> dict[str, Interval]:
        """The coefficient of each term with its 95 % interval, in the factors' own units."""
        values, sizes = self.fitted.coefficients, self.design.sizes
        reaches = self._reaches(np.diagonal(self.fitted.shares, axis1=1, axis2=2).T)
        ends = zip(self.design.names, values / sizes, reaches / sizes, strict=True)
        return {name: _around(float(value), float(reach)) for name, value, reach in ends}

    def values(self, columns: Mapping[str, Array]) -> Array:
        """The expected values of n cells, of shape (n,).

        Args:
            columns: n values of each factor.
        """
        expected = self.design.matrix(columns) @ self.fitted.coefficients
        return np.asarray(np.exp(expected) if self.scale == "log" else expected)

    def predict(self, columns: Mapping[str, Array]) -> list[Prediction]:
        """Predict n cells with 95 % intervals.

        Args:
            columns: n values of each factor.
        """
        matrix = self.design.matrix(columns)
        expected = matrix @ self.fitted.coefficients
        # An error that grows with the value is a share of the expected value.
        size = np.maximum(np.abs(expected), 1e-300) if self.grows else np.ones(len(expected))
        scaled = matrix / size[:, None]
        shares = np.einsum("ni,kij,nj->nk", scaled, self.fitted.shares, scaled)
        means, ones = (self._reaches(shares + more) * size for more in ([0, 1, 1], [1, 1, 1]))
        ones = np.maximum(means, ones)  # with fewer degrees of freedom the mean's can be wider, which makes no sense
        return [
            Prediction(self._interval(value, mean), self._interval(value, one))
            for value, mean, one in zip(expected.tolist(), means.tolist(), ones.tolist(), strict=True)
        ]

    def _reaches(self, shares: Array) -> Array:
        return self.fitted.errors.reach(shares) if self.fitted.errors else np.full(len(shares), np.nan)

    def _interval(self, value: float, reach: float) -> Interval:
        interval = _around(value, reach)
        if self.scale == "log":
            low, high = (None if end is None else float(np.exp(end)) for end in (interval.low, interval.high))
            return Interval(float(np.exp(value)), low, high)
        if self.positive and interval.low is not None:
            return replace(interval, low=max(interval.low, 0.0))
        return interval

    def plain(self) -> dict[str, Any]:
        """The model as lists, dicts, numbers and None, as JSON can hold it."""
        terms = zip(self.design.names, self.design.terms, self.coefficients.items(), strict=True)
        return {
            "value": self.name,
            "unit": self.unit,
            "scale": self.scale,
            "degree": self.degree,
            "noise": "proportional" if self.grows or self.scale == "log" else "constant",
            "positive": self.positive,
            "quality": asdict(self.quality),
            "coefficients": [
                {"term": name, "features": list(term), **asdict(interval)} for name, term, (_, interval) in terms
            ],
            "factors": [asdict(factor) for factor in self.design.factors],
            "errors": asdict(self.fitted.errors) if self.fitted.errors else None,
            "scaled_coefficients": self.fitted.coefficients.tolist(),
            "covariances": self.fitted.shares.tolist(),
            "left_out": dict(self.left_out),
            "aliased": list(self.aliased),
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Model:
        """The model from the result of `plain`.

        Raises:
            LookupError, TypeError, ValueError: it is something else.
        """
        factors = tuple(Factor(**{**factor, "values": tuple(factor["values"])}) for factor in plain["factors"])
        errors = plain["errors"] and Errors(
            **{**plain["errors"], "mixture": tuple(map(tuple, plain["errors"]["mixture"]))}
        )
        return cls(
            name=str(plain["value"]),
            unit=str(plain["unit"]),
            scale=plain["scale"],
            degree=int(plain["degree"]),
            grows=plain["noise"] == "proportional" and plain["scale"] == "plain",
            positive=bool(plain["positive"]),
            design=Design(factors, tuple(tuple(term["features"]) for term in plain["coefficients"])),
            fitted=Fitted(
                np.array(plain["scaled_coefficients"], float), errors, np.array(plain["covariances"], float), None
            ),
            quality=Quality(**plain["quality"]),
            left_out=plain["left_out"],
            aliased=tuple(plain["aliased"]),
        )


def _around(value: float, reach: float) -> Interval:
    return Interval(value) if np.isnan(reach) else Interval(value, value - reach, value + reach)
