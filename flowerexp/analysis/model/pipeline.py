"""A model as a scikit-learn pipeline, which anyone can load: it takes a DataFrame with a column for each factor.

It has only steps of scikit-learn, so that it can be saved without pickle, and the coefficients of the model: fitted to
cells again, it would weight runs and noise differently.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flowerexp.analysis.model.factors import Factor
from flowerexp.analysis.model.predicting import Model
from flowerexp.measurements.table import Array


def pipeline(model: Model) -> Any:
    """The pipeline: features of factors, products of features, those that are terms, and a linear model.

    Returns:
        A regressor. It predicts the value in its own unit, also if the model is of the logarithm.
    """
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import PolynomialFeatures

    powers = PolynomialFeatures(max(2, *map(len, model.design.terms)), include_bias=False)
    powers.fit(np.zeros((1, len(model.design.features))))
    places: dict[tuple[int, ...], int] = {
        tuple(np.repeat(np.arange(len(row)), row).tolist()): place for place, row in enumerate(powers.powers_.tolist())
    }
    terms = ColumnTransformer([("terms", "passthrough", [places[term] for term in model.design.terms if term])])
    steps = [("features", _features(model)), ("products", powers), ("terms", terms), ("linear", LinearRegression())]
    whole = Pipeline(steps)
    if model.scale == "log":
        whole = TransformedTargetRegressor(whole, func=np.log, inverse_func=np.exp, check_inverse=False)
    whole.fit(example(model), np.array([1.0, 2.0]))  # for shapes and names: the coefficients are the model's
    linear = (whole.regressor_ if model.scale == "log" else whole).named_steps["linear"]
    known = dict(zip(model.design.terms, model.fitted.coefficients.tolist(), strict=True))
    linear.intercept_ = known.get((), 0.0)
    linear.coef_ = np.array([value for term, value in known.items() if term])
    return whole


def _features(model: Model) -> Any:
    """Numbers, or logarithms of some, divided by their size; and a 1 or 0 for each level but a factor's first."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, OneHotEncoder

    numbers = [factor for factor in model.design.factors if factor.is_number]
    others = [factor for factor in model.design.factors if not factor.is_number]
    steps: list[tuple[str, Any, list[str]]] = []
    for factor in numbers:  # each by itself, in order: some are logarithms
        logarithm = [("log", FunctionTransformer(np.log))] if factor.logarithm else []
        steps.append((f"number {factor.name}", Pipeline([*logarithm, ("size", MaxAbsScaler())]), [factor.name]))
    if others:
        encoder = OneHotEncoder(categories=[_levels(factor) for factor in others], drop="first", sparse_output=False)
        steps.append(("levels", encoder, [factor.name for factor in others]))
    return ColumnTransformer(steps)


def frame(model: Model, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The input of the pipeline, with the columns and types that it needs."""
    return pd.DataFrame(
        {factor.name: np.array([row[factor.name] for row in rows], _kind(factor)) for factor in model.design.factors}
    )


def example(model: Model) -> pd.DataFrame:
    """Two rows with the smallest and the largest value of each number, by which the pipeline scales them."""
    return frame(model, [{factor.name: factor.values[place] for factor in model.design.factors} for place in (0, -1)])


def _levels(factor: Factor) -> Array:
    return np.array(factor.values, _kind(factor))


def _kind(factor: Factor) -> type:
    return {"number": float, "flag": bool, "text": object}[factor.kind]
