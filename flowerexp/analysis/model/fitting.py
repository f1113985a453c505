"""Fit a model of a value: gather its measurements into cells, choose a form, and estimate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowerexp.analysis.model.cells import Cells, Rows, cells_of, factors_of
from flowerexp.analysis.model.choosing import Trial, choose
from flowerexp.analysis.model.factors import Design, Factor, terms_of
from flowerexp.analysis.model.noise import divisors, grows
from flowerexp.analysis.model.predicting import Model, Quality
from flowerexp.analysis.model.variance import Fitted, fit
from flowerexp.measurements.table import Array

_MOST_CELLS = 5_000
"""The most cells by which the form of a model is chosen; of more, a seeded sample. Coefficients are fitted to all."""


def fit_model(
    name: str,
    unit: str,
    rows: Rows,
    products: Sequence[Sequence[str]] = (),
    censored: int = 0,
    incomplete: int = 0,
) -> Model | None:
    """Fit a model of a value.

    Args:
        name: of the value.
        unit: its unit; may be empty.
        rows: the measurements.
        products: names of numbers whose product is a term.
        censored: how many measurements are not among the rows because they were stopped.
        incomplete: how many are not because they lack a factor.

    Returns:
        The model; None if no factor varies.
    """
    factors, left_out = factors_of(rows)
    if not factors:
        return None
    positive = bool((rows.values > 0).all())
    chosen, modelled, growing = _choose(rows, factors, products, positive)
    matrix = chosen.design.matrix(modelled.columns)
    size = divisors(matrix, modelled, growing)
    means, squares = modelled.means / size, modelled.squares / size**2
    fitted = fit(matrix / size[:, None], means, modelled.counts, modelled.runs, squares)
    wanted = Design(chosen.design.factors, tuple(terms_of(chosen.design.factors, products, chosen.degree)))
    return Model(
        name=name,
        unit=unit,
        scale=chosen.scale,
        degree=chosen.degree,
        grows=growing,
        positive=positive,
        design=chosen.design,
        fitted=fitted,
        quality=_quality(chosen, modelled, matrix @ fitted.coefficients, fitted, (censored, incomplete)),
        left_out=left_out,
        aliased=tuple(term for term in wanted.names if term not in chosen.design.names),
    )


def _choose(
    rows: Rows, factors: Sequence[Factor], products: Sequence[Sequence[str]], positive: bool
) -> tuple[Trial, Cells, bool]:
    """Choose a form: returns it, the cells to fit on its scale, and whether their noise grows with the value."""
    cells = cells_of(rows)
    logs = cells.of(np.log(rows.values)) if positive else None
    growing, together = positive and grows(cells), cells.together()
    groups, some = cells.settings(together), together.some(_MOST_CELLS)
    log_cells = logs.together().at(some) if logs else None
    chosen = choose(factors, products, together.at(some), log_cells, groups[some], growing)
    return (chosen, logs, False) if chosen.scale == "log" and logs else (chosen, cells, growing)


def _quality(chosen: Trial, cells: Cells, expected: Array, fitted: Fitted, missing: tuple[int, int]) -> Quality:
    from scipy.special import fdtrc

    middle = cells.counts @ cells.means / cells.counts.sum()
    within, whole = float(cells.squares.sum()), float(cells.counts @ (cells.means - middle) ** 2)
    rest = float(cells.counts @ (cells.means - expected) ** 2)
    lack = fitted.lack
    return Quality(
        measurements=int(cells.counts.sum()),
        cells=len(cells.together().means),
        runs=len(np.unique(cells.runs)),
        censored=missing[0],
        incomplete=missing[1],
        error=_typical(chosen.off),
        between=_typical(chosen.between),
        predicted_cells=int(np.count_nonzero(~np.isnan(chosen.off))),
        r2=1 - (within + rest) / (within + whole) if within + whole else 0.0,
        lack_of_fit_f=lack[0] if lack else None,
        lack_of_fit_p=float(fdtrc(lack[1], lack[2], lack[0])) if lack else None,
    )


def _typical(off: Array) -> float | None:
    known = off[~np.isnan(off)]
    return float(np.sqrt((known**2).mean())) if len(known) else None
