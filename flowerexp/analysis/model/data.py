"""The rows that a model is fitted to: measurements of a run, or those of all runs of a sweep with their factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flowerexp.analysis.model.cells import Rows
from flowerexp.experiment import Experiment
from flowerexp.measurements.coded import Array, Coded
from flowerexp.measurements.table import Measurements

Part = tuple[Measurements, Mapping[str, Any]]
"""A run's measurements of first executions, and its factors: plain values by name."""


def outcomes(experiment: Experiment) -> dict[str, str]:
    """The values that are modelled, with their units: the experiment's own, and seconds."""
    units = {"rate": experiment.rate_unit, "steady_rate": experiment.rate_unit, "seconds": "s"}
    return {experiment.value.name: units.get(experiment.value.name, ""), "seconds": "s"}


def is_censored(measurements: Measurements) -> Array:
    """Which rows were stopped at their time limit."""
    return np.asarray(measurements.truths("censored") == 1)


def rows_of(parts: Sequence[Part], outcome: str) -> tuple[Rows, int]:
    """The rows of one or more runs of an experiment, and how many are left out because they lack a factor."""
    values = np.concatenate([_values(measured, outcome) for measured, _ in parts])
    runs = np.repeat(np.arange(len(parts)), [len(measured) for measured, _ in parts])
    chosen = ~np.isnan(values) & ~np.concatenate([is_censored(measured) for measured, _ in parts])
    parameters = parts[0][0].experiment.parameters
    tables = [measured for measured, _ in parts]
    columns = {name: _column(tables, name) for name in parameters}
    columns |= {name: _repeated([factors[name] for _, factors in parts], runs) for name in parts[0][1]}
    columns = {name: column for name, column in columns.items() if (column.known & chosen).any()}
    whole = np.all([column.known for column in columns.values()], axis=0) if columns else np.ones(len(values), bool)
    units = {name: parameter.unit for name, parameter in parameters.items() if parameter.unit}
    counted = {name for name, parameter in parameters.items() if parameter.type == "int"}
    counted |= {name for name in parts[0][1] if all(isinstance(factors[name], int) for _, factors in parts)}
    rows = Rows(columns, values, runs, units, frozenset(counted)).where(chosen & whole)
    return rows, int(np.count_nonzero(chosen & ~whole))


def _values(rows: Measurements, outcome: str) -> Array:
    if outcome == "rate":
        return rows.rates
    if outcome != "steady_rate":
        values = rows.numbers(outcome)
        return np.where(values > 0, values, np.nan) if outcome == "seconds" else values
    more, longer = rows.later
    rates = np.full(len(rows), np.nan)
    np.divide(more, longer, out=rates, where=longer > 0)
    return rates


def _column(tables: Sequence[Measurements], name: str) -> Coded:
    """A parameter of each row of some tables: numbers, or true, false and texts."""
    parameter = tables[0].experiment.parameters[name]
    if parameter.is_numeric:
        return Coded.of(np.concatenate([rows.numbers(name) for rows in tables]))
    found = [rows.texts(name) for rows in tables]
    texts = [text for _, own in found for text in own]
    levels = [text == "true" for text in texts] if parameter.type == "bool" else texts
    starts = np.cumsum([0, *(len(own) for _, own in found)])
    places = [np.where(rows < 0, -1, start + rows) for start, (rows, _) in zip(starts, found, strict=False)]
    return Coded.chosen(np.array(levels, object), np.concatenate(places))


def _repeated(values: Sequence[Any], runs: Array) -> Coded:
    """The value of a run's factor in each of its rows."""
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return Coded.chosen(np.array(values, float if is_number else object), runs)
