"""What parameters and series are called where people read them, and which colour a series has."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from flowerexp.experiment import Experiment

PALETTE = ("#d55e00", "#0072b2", "#009e73", "#b5508f", "#8a6d00", "#4c9fd6", "#882255", "#5f6a72")
"""Colours of series: those of Okabe and Ito and of Tol, or near them, which any eyes can tell apart."""
_ALONE = 1  # the colour of what has no series


def product(parameters: Iterable[str]) -> str:
    """What the product of some parameters is called in files."""
    return " x ".join(parameters)


def parameter(experiment: Experiment, name: str, unit: bool = False) -> str:
    """What to call a parameter, or a product of some.

    Args:
        experiment: whose.
        name: its name, or that of a `product`.
        unit: say in which unit it is as well, as an axis does.
    """
    for factors in experiment.products:
        if product(factors) == name:
            return " × ".join(parameter(experiment, factor) for factor in factors)
    found = experiment.parameters.get(name)
    if unit:
        return experiment.label_of(name)
    return (found.label if found else None) or name.replace("_", " ")


def head(experiment: Experiment) -> str:
    """The head of a column that holds series."""
    return " and ".join(parameter(experiment, name) for name in experiment.categorical) or "series"


def series(experiment: Experiment, name: str) -> str:
    """What to call a series: the labels of its values."""
    return ", ".join(_label(experiment, *one) for one in _split(experiment, name)) or name.replace("_", " ")


def inside(label: str) -> str:
    """A label within a sentence: its first letter is small, unless it begins with an abbreviation or a name."""
    return label[:1].lower() + label[1:] if label[1:2].islower() or label[1:2] == " " else label


def ordered(experiment: Experiment, names: Iterable[str]) -> list[str]:
    """Names of series in the declared order of the values that they stand for; others follow by name."""
    known = [_values(experiment, name) for name in experiment.categorical]

    def place(name: str) -> tuple[list[int], str]:
        own = dict(_split(experiment, name))
        values = [own.get(parameter) for parameter in experiment.categorical]
        return [each.index(one) if one in each else len(each) for each, one in zip(known, values, strict=True)], name

    return sorted(dict.fromkeys(names), key=place)


def colours(experiment: Experiment, names: Iterable[str]) -> dict[str, str]:
    """A colour for each series, in the declared order of the values.

    Where there are colours enough for all that are declared, a series has the same colour in every run.

    Args:
        experiment: whose series.
        names: all series that are seen side by side.
    """
    known = [_values(experiment, name) for name in experiment.categorical]
    declared = [" ".join(one) for one in itertools.product(*known)] if known and all(known) else []
    found = ordered(experiment, names)
    if len(declared) > len(PALETTE):
        declared = [name for name in declared if name in found]
    every = dict.fromkeys([*declared, *found])
    first = 0 if experiment.categorical else _ALONE
    return {name: PALETTE[(first + place) % len(PALETTE)] for place, name in enumerate(every)}


def values(experiment: Experiment, name: str) -> dict[str, str]:
    """The values that the name of a series holds, as text, by parameter; nothing of a name that is made otherwise."""
    return {
        key: text.rpartition("=")[2] if _is_bool(experiment, key) else text for key, text in _split(experiment, name)
    }


def _is_bool(experiment: Experiment, name: str) -> bool:
    return experiment.parameters[name].type == "bool"


def _values(experiment: Experiment, name: str) -> list[str]:
    """The values of a categorical parameter, as the names of series have them; none if it takes any text."""
    found = experiment.parameters[name]
    if _is_bool(experiment, name):
        return [f"{name}={'true' if value else 'false'}" for value in found.choices or (False, True)]
    return [str(value) for value in found.choices or ()]


def _split(experiment: Experiment, name: str) -> Sequence[tuple[str, str]]:
    """The parts of a series' name, by parameter."""
    found, rest = [], name
    for parameter in experiment.categorical:
        known = _values(experiment, parameter)
        fitting = [value for value in known if f"{rest} ".startswith(f"{value} ")]
        if not rest or (known and not fitting):
            continue  # rows that lack this parameter
        is_last = parameter == experiment.categorical[-1]
        value = max(fitting, key=len) if fitting else rest if is_last else rest.partition(" ")[0]
        found.append((parameter, value))
        rest = rest[len(value) :].lstrip()
    return [] if rest else found


def value(experiment: Experiment, name: str, text: str) -> str:
    """What to call a value of a parameter that takes texts, within a table."""
    return inside(experiment.parameters[name].labels.get(text) or text.replace("_", " "))


def _label(experiment: Experiment, name: str, value: str) -> str:
    found = experiment.parameters[name]
    if _is_bool(experiment, name):
        text = value.rpartition("=")[2]
        return found.labels.get(text) or f"{parameter(experiment, name)}={text}"
    return found.labels.get(value) or value.replace("_", " ")
