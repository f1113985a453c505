"""A fitted model: what it says, what it predicts with which interval, and its JSON, from which it is made again."""

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
        measurements: that it was fitted to.
        cells: combinations of factors that were measured.
        runs: how many.
        censored: measurements that were stopped, and are left out.
        incomplete: measurements without a value of one of the factors, which are left out, too.
        error: how far a cell is typically from what all others predict (of a sweep from what runs of other configs do,
            where they can): the root of the mean square of the ratio's logarithm, so 0.05 is 5 %; of values that are
            not all positive, in standard deviations of the cells. None where no cell can be predicted from others.
        between: the same of all cells with a value of a number, predicted from those with other values of it; of values
            that are neither the smallest nor the largest. None where the model cannot do without any.
        predicted_cells: those that can (of very many, those that were tried): the only cell with some level cannot.
        r2: the share of the variance of the values (or of their logarithms) that the model explains.
        lack_of_fit_f: of the test whether cells lie further from the model than their repetitions explain.
        lack_of_fit_p: how probable chance alone makes so much; None where no cell is repeated.
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
        """Whether chance can explain how far cells lie from the model; also where nothing says so."""
        return self.lack_of_fit_p is None or self.lack_of_fit_p >= SURE


@dataclass(frozen=True)
class Prediction:
    """What is expected of a cell: of the mean of its measurements, and of one more measurement of it.

    The value is the same; of a logarithmic model it is a geometric mean.
    """

    mean: Interval
    one: Interval


@dataclass(frozen=True)
class Model:
    """A linear model of a value.

    Attributes:
        name: what the value is called.
        unit: its unit.
        scale: `plain`, or `log` where the value's logarithm is modelled.
        degree: 1 or 2; a product that the experiment declares is there with both.
        grows: whether noise is proportional to a plain value, rather than the same everywhere.
        positive: whether the value cannot be below 0.
        design: factors and terms.
        fitted: coefficients and errors.
        quality: how good it is.
        left_out: columns that are no factors, and why.
        aliased: terms that are left out, since what was measured does not tell them from others.
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
        """Of each term its coefficient with the 95 % interval, for one of the factors' own units."""
        values, sizes = self.fitted.coefficients, self.design.sizes
        reaches = self._reaches(np.diagonal(self.fitted.shares, axis1=1, axis2=2).T)
        ends = zip(self.design.names, values / sizes, reaches / sizes, strict=True)
        return {name: _around(float(value), float(reach)) for name, value, reach in ends}

    def values(self, columns: Mapping[str, Array]) -> Array:
        """What is expected of some cells, of shape (n,).

        Args:
            columns: of each factor n values.
        """
        found = self.design.matrix(columns) @ self.fitted.coefficients
        return np.asarray(np.exp(found) if self.scale == "log" else found)

    def predict(self, columns: Mapping[str, Array]) -> list[Prediction]:
        """The same with 95 % intervals."""
        matrix = self.design.matrix(columns)
        found = matrix @ self.fitted.coefficients
        # An error that grows with the value is a share of what is expected.
        size = np.maximum(np.abs(found), 1e-300) if self.grows else np.ones(len(found))
        scaled = matrix / size[:, None]
        shares = np.einsum("ni,kij,nj->nk", scaled, self.fitted.shares, scaled)
        means, ones = (self._reaches(shares + more) * size for more in ([0, 1, 1], [1, 1, 1]))
        ones = np.maximum(means, ones)  # fewer degrees of freedom can make the mean's wider, which makes no sense
        return [
            Prediction(self._interval(value, mean), self._interval(value, one))
            for value, mean, one in zip(found.tolist(), means.tolist(), ones.tolist(), strict=True)
        ]

    def _reaches(self, shares: Array) -> Array:
        return self.fitted.errors.reach(shares) if self.fitted.errors else np.full(len(shares), np.nan)

    def _interval(self, value: float, reach: float) -> Interval:
        found = _around(value, reach)
        if self.scale == "log":
            low, high = (None if end is None else float(np.exp(end)) for end in (found.low, found.high))
            return Interval(float(np.exp(value)), low, high)
        if self.positive and found.low is not None:
            return replace(found, low=max(found.low, 0.0))
        return found

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
        """The model of what `plain` has given.

        Raises:
            LookupError, TypeError, ValueError: it is no such thing.
        """
        factors = tuple(Factor(**{**one, "values": tuple(one["values"])}) for one in plain["factors"])
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
            design=Design(factors, tuple(tuple(one["features"]) for one in plain["coefficients"])),
            fitted=Fitted(
                np.array(plain["scaled_coefficients"], float), errors, np.array(plain["covariances"], float), None
            ),
            quality=Quality(**plain["quality"]),
            left_out=plain["left_out"],
            aliased=tuple(plain["aliased"]),
        )


def _around(value: float, reach: float) -> Interval:
    return Interval(value) if np.isnan(reach) else Interval(value, value - reach, value + reach)
