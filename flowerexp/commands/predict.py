"""`flowerexp predict RUN KEY=VALUE ...`: what would a cell give that was not measured?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowerexp.errors import ConfigError, DataError
from flowerexp.escape import printable
from flowerexp.lookup.place import KEYS, Place
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from flowerexp.analysis.estimate import Interval
    from flowerexp.analysis.model.asking import Answer
    from flowerexp.analysis.model.predicting import Model

_LEGEND = "95 % intervals: of the mean of many measurements of such a cell, and of one measurement"


def main(arguments: Sequence[str]) -> int:
    """Print what is expected, with the intervals of a cell's mean and of one measurement."""
    parser = argparse.ArgumentParser(
        prog="flowerexp predict",
        description="What would a cell give that was not measured? Uses the model of a run, or of all runs of a sweep.",
        epilog="A number may have several values, with commas. If a factor with levels is left out, there is a line "
        "for each level. tracking.uri=... or home=... names the store.",
    )
    parser.add_argument(
        "run", metavar="RUN", help="a folder or a part of its name, SWEEP/RUN, an MLflow run_id or name, last"
    )
    parser.add_argument("values", nargs="*", metavar="KEY=VALUE", help="the value of a parameter or a sweep's factor")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(arguments)
    store = [word for word in options.values if word.partition(".")[0].partition("=")[0] in KEYS]
    given = dict(_pair(word) for word in options.values if word not in store)

    from flowerexp.analysis.model.asking import ask
    from flowerexp.lookup.names import find

    found = find(options.run, Place(store))
    name, models = found.said, found.models
    if not models:
        problem = f"{name} has no model: nothing was varied that a value could depend on"
        raise DataError(problem, hint="run a grid or a sweep of at least two values")
    answers = ask(models, given)
    print(printable(json.dumps(_plain(models, answers), indent=1) if options.json else _table(name, models, answers)))
    for line in _warnings(models, answers):
        print(printable(f"flowerexp: {line}"), file=sys.stderr)
    return 0


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key or not value:
        raise ConfigError(f"{word} is not KEY=VALUE", where="command line", hint="write such as batch_size=64")
    return key, value


def _table(name: str, models: Sequence[Model], answers: Sequence[Answer]) -> str:
    factors = list(answers[0].cell)
    head = [*factors]
    for model in models:
        label = model.name.replace("_", " ") + (f" ({model.unit})" if model.unit else "")
        head += [label, "95 %", "of one"]
    lines = [head]
    for answer in answers:
        cells = [_value(answer.cell[factor]) for factor in factors]
        for model in models:
            found = answer.predictions[model.name]
            cells += [_short(found.mean.value), _ends(found.mean), _ends(found.one)]
        lines.append(cells)
    return f"{name}\n\n{text_table(lines, right=range(len(factors), len(head)))}\n{_LEGEND}\n" + "\n".join(
        map(_quality, models)
    )


def _quality(model: Model) -> str:
    quality = model.quality
    form = f"{'its logarithm' if model.scale == 'log' else 'plain'}, degree {model.degree}"
    off = [f"typically {_share(model, quality.error)} off for a new cell"] if quality.error is not None else []
    off += [f"{_share(model, quality.between)} for a number between others"] if quality.between is not None else []
    fits = [] if quality.fits else ["cells do not lie on it, which the intervals allow for"]
    left = [f"{quality.censored:,} measurements that were stopped are left out"] if quality.censored else []
    left += [f"{quality.incomplete:,} measurements without a factor are left out"] if quality.incomplete else []
    words = "; ".join([", ".join(off) or "it is not known how far off a new cell is", *fits, *left])
    name = model.name.replace("_", " ")
    return f"{name}: {form}, {quality.measurements:,} measurements in {quality.cells:,} cells; {words}"


def _share(model: Model, error: float) -> str:
    """How far it is typically off: a percentage, or in standard deviations where values may be 0."""
    return f"{error:.1%}" if model.positive else f"{error:.2f} standard deviations"


def _warnings(models: Sequence[Model], answers: Sequence[Answer]) -> list[str]:
    factors = {factor.name: factor for model in models for factor in model.design.factors}
    lines = []
    for name in dict.fromkeys(name for answer in answers for name in answer.beyond):
        low, high = factors[name].range
        lines.append(f"{name} is beyond what was measured, {_value(low)} to {_value(high)}")
    if any(model.fitted.errors is None for model in models):
        lines.append("there are as many terms as measurements, so it is not known how sure the prediction is")
    return lines


def _plain(models: Sequence[Model], answers: Sequence[Answer]) -> dict[str, Any]:
    return {
        "values": [
            {"value": model.name, "unit": model.unit, "error": model.quality.error, "between": model.quality.between}
            for model in models
        ],
        "cells": [
            {
                "factors": _numbers(answer.cell),
                "beyond": list(answer.beyond),
                "predictions": {
                    name: {
                        "value": found.mean.value,
                        "mean": [found.mean.low, found.mean.high],
                        "one": [found.one.low, found.one.high],
                    }
                    for name, found in answer.predictions.items()
                },
            }
            for answer in answers
        ],
    }


def _numbers(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {name: int(v) if isinstance(v, float) and v.is_integer() else v for name, v in cell.items()}


def _value(value: Any) -> str:
    from flowerexp.analysis.model.factors import text

    return text(value)


def _ends(interval: Interval) -> str:
    return (
        "-" if interval.low is None or interval.high is None else f"{_short(interval.low)} to {_short(interval.high)}"
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
