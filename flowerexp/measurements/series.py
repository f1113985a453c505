"""The series of measurements: the values of their categorical parameters, as one name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from flowerexp.experiment import Experiment
from flowerexp.measurements.coded import Array


class Rows(Protocol):
    """Measurements, as far as their series need them."""

    @property
    def experiment(self) -> Experiment:
        """What was measured."""

    def __len__(self) -> int: ...

    def texts(self, name: str) -> tuple[Array, list[str]]:
        """A column as text, see `Measurements.texts`."""


def series_of(rows: Rows) -> tuple[Array, list[str]]:
    """The place of each row's series among their names, and the names, sorted.

    A parameter that has a default is in a name only where it differs from that, and then with its own name, as one
    that is true or false is.
    """
    labels: list[tuple[str, ...]] = [()]
    places = np.zeros(len(rows), int)
    for name in rows.experiment.categorical:
        texts, values = rows.texts(name)
        parts = _parts(rows.experiment, name, values)
        labels = [(*label, *part) for label in labels for part in (*parts, ())]
        places = places * (len(values) + 1) + np.where(texts < 0, len(values), texts)
    named = [" ".join(label) if label else rows.experiment.name for label in labels]
    names = sorted({named[place] for place in np.unique(places)})
    order = np.array([names.index(name) if name in names else -1 for name in named], int)
    return order[places], names


def _parts(experiment: Experiment, name: str, values: Sequence[str]) -> list[tuple[str, ...]]:
    """What each value adds to the name of a series."""
    known = experiment.parameters[name]
    if not known.is_named:
        return [(value,) for value in values]
    default = json.dumps(known.default) if isinstance(known.default, bool) else str(known.default)
    return [() if value == default else (f"{name}={value}",) for value in values]
