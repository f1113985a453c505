"""Predict cells: read the values of factors, and refuse those that are too far from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from flowerexp.analysis.model.factors import Factor, text
from flowerexp.analysis.model.predicting import Model, Prediction
from flowerexp.errors import ConfigError, did_you_mean

_WHERE = "command line"
_MOST_LISTED = 12


@dataclass(frozen=True)
class Answer:
    """The prediction for a cell.

    Attributes:
        cell: the value of each factor.
        predictions: by the value's name.
        beyond: the factors that are beyond what was measured, within the limits of prediction.
    """

    cell: Mapping[str, Any]
    predictions: Mapping[str, Prediction]
    beyond: tuple[str, ...]


def ask(models: Sequence[Model], given: Mapping[str, str]) -> list[Answer]:
    """Predict cells.

    Args:
        models: of one run or sweep, at least one.
        given: values of factors as text; a number may be several, with commas. If a factor with levels is left out,
            there is an answer for each level.

    Raises:
        ConfigError: a factor or a level is unknown, or a number is missing or beyond `Factor.limits`.
    """
    factors = {factor.name: factor for model in models for factor in model.design.factors}
    named = _named(factors, {key: why for model in models for key, why in model.left_out.items()}, given)
    values = {name: _values(factor, named.get(name)) for name, factor in factors.items()}
    cells = [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
    columns = {
        name: np.array([cell[name] for cell in cells], float if factor.is_number else object)
        for name, factor in factors.items()
    }
    predicted = {model.name: model.predict(columns) for model in models}
    return [
        Answer(
            cell,
            {name: each[place] for name, each in predicted.items()},
            tuple(name for name, value in cell.items() if _is_beyond(factors[name], value)),
        )
        for place, cell in enumerate(cells)
    ]


def _named(factors: Mapping[str, Factor], left_out: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The given values by the full names of factors; the last part of a config key is enough if it is unique."""
    ends: dict[str, list[str]] = {}
    for name in factors:
        ends.setdefault(name.rpartition(".")[2], []).append(name)
    named = {}
    for key, value in given.items():
        short = key.removeprefix("grid.")
        matching = [short] if short in factors else ends.get(short, [])
        if len(matching) == 1:
            named[matching[0]] = value
        elif left_out.get(short) != f"it is always {value}":
            raise _unknown(key, matching, factors, left_out.get(short))
    return named


def _unknown(key: str, several: Sequence[str], factors: Mapping[str, Factor], why: str | None) -> ConfigError:
    if several:
        return ConfigError(f"several factors are called {key}", where=_WHERE, hint=f"name one: {', '.join(several)}")
    if why:
        return ConfigError(f"{key} is not a factor of the model: {why}", where=_WHERE, hint="leave it out")
    hint = did_you_mean(key, factors) or f"factors are {', '.join(factors)}"
    return ConfigError(f"{key} is not a factor of the model", where=_WHERE, hint=hint)


def _values(factor: Factor, given: str | None) -> list[Any]:
    """The values of a factor to predict."""
    if not factor.is_number:
        known = {text(level): level for level in factor.values}
        texts = [*known] if given is None else [given] if given in known else given.split(",")
        return [_level(factor, level, known) for level in texts]
    if given is None:
        hint = f"add {factor.name}=VALUE; {_measured(factor)}"
        raise ConfigError(f"{factor.name} is not given", where=_WHERE, hint=hint)
    return [_number(factor, number) for number in given.split(",")]


def _level(factor: Factor, given: str, known: Mapping[str, Any]) -> Any:
    if given not in known:
        hint = did_you_mean(given, known) or _measured(factor)
        raise ConfigError(f"{factor.name}={given} was never measured", where=_WHERE, hint=hint)
    return known[given]


def _number(factor: Factor, given: str) -> float:
    try:
        value = float(given)
    except ValueError:
        value = float("nan")
    kind = "a whole number" if factor.whole else "a number"
    if not np.isfinite(value) or (factor.whole and not value.is_integer()):
        raise ConfigError(f"{factor.name}={given} is not {kind}", where=_WHERE, hint=_measured(factor))
    low, high = factor.limits
    if not low <= value <= high:
        ends = f"the model reaches from {text(low)} to {text(high)}"
        problem = f"{factor.name}={given} is too far from what was measured, {_span(factor)}"
        raise ConfigError(problem, where=_WHERE, hint=f"{ends}; measure it instead")
    return value


def _is_beyond(factor: Factor, value: Any) -> bool:
    return factor.is_number and not factor.range[0] <= value <= factor.range[1]


def _span(factor: Factor) -> str:
    return " to ".join(map(text, factor.range))


def _measured(factor: Factor) -> str:
    if len(factor.values) > _MOST_LISTED:
        return f"{_span(factor)} was measured" if factor.is_number else f"{len(factor.values)} levels were measured"
    return f"these were measured: {', '.join(map(text, factor.values))}"
