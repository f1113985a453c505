"""The model of what happens: seconds = fixed + per_batch x batches + per_image x images.

A measurement opens its files once, then does some work for each batch and each image; images per second follow from
that and bend. So beside the notebook's straight lines stands this model, and a test says which of them fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.summary import by_reader
from flowerexp.measurements import PARAMETERS, Row, by_cell, first_executions, number, rate

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

SURE = 0.01
"""Below this probability a model does not fit: its cells lie further from it than their repetitions explain."""

TERMS = ("fixed", "per_batch", "per_image")


@dataclass(frozen=True)
class Misfit:
    """The test for lack of fit: do cells lie further from a model than their own repetitions explain?"""

    f: float
    p: float
    r2: float  # of the rates: the share of their variance that the model explains

    @property
    def fits(self) -> bool:
        """Whether chance can explain how far cells lie from the model."""
        return self.p >= SURE


@dataclass(frozen=True)
class TimeModel:
    """Where a reader's seconds go.

    Attributes:
        reader: which reader.
        n: measurements.
        terms: seconds by `TERMS`; without ``per_batch`` where the grid cannot tell batches from images.
        misfit: of this model; None where no cell was repeated.
        straight: of a straight line in images/s against the images of a measurement; likewise.
        inflation: how much wider the terms' intervals are because batches and images rise together (a variance
            inflation factor; 1 is not at all).
        product_inflation: the same of batch_size x batch_number beside its two factors.
    """

    reader: str
    n: int
    terms: dict[str, Interval]
    misfit: Misfit | None
    straight: Misfit | None
    inflation: float | None
    product_inflation: float | None

    def seconds(self, batches: float, images: float) -> float:
        """How long the model expects a measurement to take."""
        sizes = {"fixed": 1.0, "per_batch": batches, "per_image": images}
        return math.fsum(term.value * sizes[name] for name, term in self.terms.items())


def time_models(rows: Sequence[Row], name: str = "all") -> list[TimeModel]:
    """Fit the model to each reader that has images, seconds and at least two cells.

    Least squares weighted by how long a cell takes, since noise grows with it.

    Args:
        rows: all rows; first executions are used.
        name: what to call the rows that name no reader.
    """
    groups = sorted(by_reader(first_executions(rows), name).items())
    return [model for reader, group in groups if (model := _model(reader, group)) is not None]


def _model(reader: str, rows: Sequence[Row]) -> TimeModel | None:
    import numpy as np
    from statsmodels.regression.linear_model import WLS

    timed = [row for row in rows if rate(row) and all(number(row, key) for key in PARAMETERS)]
    cells = list(by_cell(timed).values())
    images, batches, seconds = _columns([row for cell in cells for row in cell])
    if len(set(images)) < 2 or len(images) < 5:
        return None
    numbers = np.repeat(np.arange(len(cells)), [len(cell) for cell in cells])
    expected = (np.bincount(numbers, seconds) / np.bincount(numbers))[numbers]
    columns = {"fixed": np.ones(len(images)), "per_batch": batches, "per_image": images}
    if np.linalg.matrix_rank(np.column_stack([*columns.values()])) < 3:
        del columns["per_batch"]
    fitted = WLS(seconds, np.column_stack([*columns.values()]), weights=expected**-2).fit()
    ends = fitted.conf_int()
    terms = {
        key: Interval(float(value), float(low), float(high))
        for key, value, (low, high) in zip(columns, fitted.params, ends, strict=True)
    }
    rates = images / seconds
    straight = WLS(rates, np.column_stack([np.ones(len(images)), images]), weights=(expected / images) ** 2).fit()
    predicted = images / np.maximum(fitted.fittedvalues, 1e-9)
    return TimeModel(
        reader,
        len(images),
        terms,
        _misfit(fitted, numbers, _share(rates, predicted)),
        _misfit(straight, numbers, _share(rates, straight.fittedvalues)),
        _inflation(np.column_stack([batches, images])) if "per_batch" in columns else None,
        _product_inflation(cells),
    )


def _columns(rows: Sequence[Row]) -> tuple[Array, Array, Array]:
    import numpy as np

    images = np.array([number(row, "images") for row in rows], float)
    batches = np.array([number(row, "batches") or number(row, "batch_number") for row in rows], float)
    return images, batches, np.array([number(row, "seconds") for row in rows], float)


def _share(values: Array, predicted: Array) -> float:
    """The share of the values' variance that predictions explain; below 0 where their mean would predict better."""
    whole = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - predicted) ** 2).sum()) / whole if whole else 0.0


def _misfit(fitted: Any, cells: Array, r2: float) -> Misfit | None:
    """Compare a model with the one that has a level for each cell, which no model of the cells can beat."""
    import numpy as np
    from statsmodels.regression.linear_model import WLS

    count = int(cells.max()) + 1
    if len(cells) == count or count <= len(fitted.params):
        return None
    levels = WLS(fitted.model.endog, np.eye(count)[cells], weights=fitted.model.weights).fit()
    f, p, _ = levels.compare_f_test(fitted)
    return Misfit(float(f), float(p), r2) if math.isfinite(f) and math.isfinite(p) else None


def _inflation(factors: Array, place: int = -1) -> float:
    import numpy as np
    from statsmodels.stats.outliers_influence import variance_inflation_factor

    design = np.column_stack([np.ones(len(factors)), factors])
    return float(variance_inflation_factor(design, place % design.shape[1]))


def _product_inflation(cells: Sequence[Sequence[Row]]) -> float | None:
    import numpy as np

    grid = np.array([[number(cell[0], key) for key in PARAMETERS] for cell in cells], float)
    design = np.column_stack([grid, grid.prod(axis=1)])
    if np.linalg.matrix_rank(np.column_stack([np.ones(len(design)), design])) < 4:
        return None  # fewer than two values of one of them: the product is the other
    return _inflation(design)
