"""The rows that conclusions rest on, as columns: what was measured, in which run, and at which level of each factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from flowerexp.analysis import words
from flowerexp.experiment import Experiment
from flowerexp.measurements.coded import Array, Coded, joined
from flowerexp.measurements.table import Measurements


@dataclass(frozen=True)
class Factor:
    """Something of which one alternative is to be chosen.

    Attributes:
        key: a parameter of the experiment, or a config key that a sweep varies.
        label: what to call it where people read it.
        asked: whether the question is about it; of others, the answer names only those that make a difference.
    """

    key: str
    label: str
    asked: bool = True


@dataclass(frozen=True)
class Evidence:
    """First executions that have the experiment's value, one at each place of all arrays, of shape (n,).

    Attributes:
        experiment: what was measured.
        top: the numerator of the value, see `Measurements.value`.
        bottom: its denominator.
        runs: the number of each row's run, from 0.
        repetitions: the number of each row's repetition, from 0.
        columns: by parameter and by varied config key, the rows' values: numbers, or texts. All rows have one.
        factors: what is compared.
        blocks: by run, the number of its block; None if the runs are not in blocks.
        order: by run, its place in the order of time.
    """

    experiment: Experiment
    top: Array
    bottom: Array
    runs: Array
    repetitions: Array
    columns: Mapping[str, Coded]
    factors: Sequence[Factor]
    blocks: Array | None
    order: Array

    def __len__(self) -> int:
        return len(self.top)

    def where(self, chosen: Array) -> Evidence:
        """The rows of a mask; runs keep their numbers."""
        if chosen.all():
            return self
        columns = {name: column.where(chosen) for name, column in self.columns.items()}
        parts = (self.top, self.bottom, self.runs, self.repetitions)
        top, bottom, runs, repetitions = (values[chosen] for values in parts)
        return replace(self, top=top, bottom=bottom, runs=runs, repetitions=repetitions, columns=columns)

    @property
    def value(self) -> float:
        """The experiment's value over all rows."""
        return float(self.top.sum() / self.bottom.sum())

    def is_within(self, factor: str) -> bool:
        """Whether runs have measured several levels of a factor each, side by side."""
        runs = joined([self.runs], len(self))
        pairs = joined([runs, self.columns[factor].places], len(self))
        return bool(pairs.max(initial=-1) > runs.max(initial=-1))

    def varied_by_runs(self, but: str) -> list[str]:
        """The other factors whose levels differ between runs."""
        known = (factor.key for factor in self.factors if factor.key != but)
        return [key for key in known if self.columns[key].varies and not self.is_within(key)]

    @cached_property
    def contexts(self) -> Mapping[str, Sequence[str]]:
        """By factor, the other categorical parameters: what a factor changes may differ between their values."""
        swept = {factor.key for factor in self.factors}
        names = [name for name in self.experiment.categorical if self.columns[name].varies]
        return {key: [name for name in names if name != key] for key in swept}


def columns_of(rows: Measurements) -> dict[str, Coded]:
    """The parameters of some rows: numbers, and texts; a number that is missing is -inf, and a text ``-``."""
    experiment = rows.experiment
    columns = {name: number_column(rows.numbers(name)) for name in experiment.numeric}
    for name in experiment.categorical:
        places, values = rows.texts(name)
        columns[name] = Coded.chosen(np.array([*values, "-"]), places)
    return columns


def number_column(numbers: Array) -> Coded:
    """A parameter's numbers; one that is missing, NaN, is -inf."""
    return Coded.of(np.nan_to_num(numbers, nan=-np.inf))


def parameters_of(experiment: Experiment) -> list[Factor]:
    """The parameters whose values are alternatives; if some are categorical, these are what a run is about."""
    known = [(name, parameter) for name, parameter in experiment.parameters.items() if parameter.compare]
    numeric = all(parameter.is_numeric for _, parameter in known)
    return [
        Factor(name, words.parameter(experiment, name), numeric or not parameter.is_numeric)
        for name, parameter in known
    ]


def evidence_of(rows: Measurements) -> Evidence:
    """The evidence of one run: its parameters are compared.

    Args:
        rows: of all executions.
    """
    valued = fair(rows.firsts).valued
    top, bottom = valued.value
    repetitions = Coded.of(np.nan_to_num(valued.numbers("repetition"))).places
    factors, zeros = parameters_of(rows.experiment), np.zeros(len(valued), int)
    return Evidence(
        rows.experiment, top, bottom, zeros, repetitions, columns_of(valued), factors, None, np.zeros(1, int)
    )


def fair(first: Measurements) -> Measurements:
    """First executions without those of cells in which some were stopped, in all series.

    Only the fast measurements of such a cell are left.
    """
    if not first.censored.any() or not first.experiment.numeric:
        return first.finished
    numbers = [number_column(first.numbers(name)).places for name in first.experiment.numeric]
    cells = joined(numbers, len(first))
    return first.where(~np.isin(cells, cells[first.censored]))
