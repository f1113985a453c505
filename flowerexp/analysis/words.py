"""The names of parameters and series for people to read, and the colours of series."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence

from flowerexp.experiment import Experiment

PALETTE = ("#d55e00", "#0072b2", "#009e73", "#b5508f", "#8a6d00", "#4c9fd6", "#882255", "#5f6a72")
"""Colours of series, by Okabe and Ito and by Tol or close to them, which also colour-blind people can distinguish."""
_ALONE = 1  # the colour where there are no series


def product(parameters: Iterable[str]) -> str:
    """The name of a product of parameters in files."""
    return " x ".join(parameters)


def parameter(experiment: Experiment, name: str, unit: bool = False) -> str:
    """The name of a parameter, or of a product of parameters, for people to read.

    Args:
        experiment: whose.
        name: its name, or that of a `product`.
        unit: with its unit, as for an axis.
    """
    for factors in experiment.products:
        if product(factors) == name:
            return " × ".join(parameter(experiment, factor) for factor in factors)
    declared = experiment.parameters.get(name)
    if unit:
        return experiment.label_of(name)
    return (declared.label if declared else None) or name.replace("_", " ")


def head(experiment: Experiment) -> str:
    """The head of a column that holds series."""
    return " and ".join(parameter(experiment, name) for name in experiment.categorical) or "series"


def series(experiment: Experiment, name: str) -> str:
    """The name of a series for people to read: the labels of its values."""
    return ", ".join(_label(experiment, *part) for part in _split(experiment, name)) or name.replace("_", " ")


def inside(label: str) -> str:
    """A label within a sentence: its first letter is small, unless it begins with an abbreviation or a name."""
    first = label.partition(" ")[0].rstrip(",")
    return label[:1].lower() + label[1:] if len(first) == 1 or first[1:].islower() else label


def ordered(experiment: Experiment, names: Iterable[str]) -> list[str]:
    """Names of series in the declared order of their values; others follow by name."""
    known = [_values(experiment, name) for name in experiment.categorical]

    def place(name: str) -> tuple[list[int], str]:
        parts = dict(_split(experiment, name))
        values = [parts.get(parameter) for parameter in experiment.categorical]
        places = [all_.index(value) if value in all_ else len(all_) for all_, value in zip(known, values, strict=True)]
        return places, name

    return sorted(dict.fromkeys(names), key=place)


def colours(experiment: Experiment, names: Iterable[str]) -> dict[str, str]:
    """A colour for each series, in the declared order of the values.

    If there are enough colours for all declared values, a series has the same colour in every run.

    Args:
        experiment: whose series.
        names: all series that are shown together.
    """
    known = [_values(experiment, name) for name in experiment.categorical]
    declared = [" ".join(values) for values in itertools.product(*known)] if known and all(known) else []
    shown = ordered(experiment, names)
    if len(declared) > len(PALETTE):
        declared = [name for name in declared if name in shown]
    every = dict.fromkeys([*declared, *shown])
    first = 0 if experiment.categorical else _ALONE
    return {name: PALETTE[(first + place) % len(PALETTE)] for place, name in enumerate(every)}


def values(experiment: Experiment, name: str) -> dict[str, str]:
    """The values in the name of a series, as text, by parameter; empty if the name is not made of values."""
    optional = {key: experiment.parameters[key].default for key in experiment.categorical}
    defaults = {key: _text(default) for key, default in optional.items() if default is not None}
    found = {key: _value(experiment, key, text) for key, text in _split(experiment, name)}
    return {key: value for key in experiment.categorical if (value := found.get(key) or defaults.get(key)) is not None}


def _value(experiment: Experiment, name: str, text: str) -> str:
    """The value in a part of a series' name."""
    return text.partition("=")[2] if experiment.parameters[name].is_named else text


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _values(experiment: Experiment, name: str) -> list[str]:
    """The values of a categorical parameter, as the names of series have them; none if it takes any text."""
    known = experiment.parameters[name]
    choices = known.choices or ((False, True) if known.type == "bool" else ())
    return [f"{name}={_text(value)}" if known.is_named else _text(value) for value in choices]


def _split(experiment: Experiment, name: str) -> Sequence[tuple[str, str]]:
    """The parts of a series' name, by parameter."""
    parts, rest = [], name
    for parameter in experiment.categorical:
        known = _values(experiment, parameter)
        fitting = [value for value in known if f"{rest} ".startswith(f"{value} ")]
        is_there = rest.startswith(f"{parameter}=") or not experiment.parameters[parameter].is_named
        if not rest or (known and not fitting) or not is_there:
            continue  # rows that lack this parameter, or have its default
        is_last = parameter == experiment.categorical[-1]
        value = max(fitting, key=len) if fitting else rest if is_last else rest.partition(" ")[0]
        parts.append((parameter, value))
        rest = rest[len(value) :].lstrip()
    return [] if rest else parts


def value(experiment: Experiment, name: str, text: str) -> str:
    """The name of a value of a parameter that takes texts, within a table."""
    return inside(experiment.parameters[name].labels.get(text) or text.replace("_", " "))


def _label(experiment: Experiment, name: str, value: str) -> str:
    known, text = experiment.parameters[name], _value(experiment, name, value)
    shown = f"{parameter(experiment, name)}={text}" if known.is_named else text.replace("_", " ")
    return known.labels.get(text) or shown
