"""A linear model over everything that was varied, which predicts cells that were not measured.

A run's model is over its parameters, a sweep's also over its factors. `model_run` and `model_sweep` fit models and
write them as JSON, and `read` reads them: loading a pickle runs code. `docs/model.md` has the formulas, and says where
intervals do not hold. What fits, judges, stores or draws such a model belongs here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.errors import DataError
from flowerexp.measurements import write_whole

if TYPE_CHECKING:
    from flowerexp.analysis.model.cells import Rows
    from flowerexp.analysis.model.data import Part
    from flowerexp.analysis.model.predicting import Model
    from flowerexp.measurements.table import Measurements

FILE = "model.json"
"""In a run's ``analysis`` folder, and in a sweep's folder."""


def model_run(measurements: Measurements, folder: Path) -> list[Path]:
    """Model a run's value and its seconds over its parameters, and write `FILE` and a picture of the residuals.

    Args:
        measurements: of all executions; first ones are used.
        folder: where the files go.

    Returns:
        The files; without a picture where no parameter varies, or where a model leaves no residuals.

    Raises:
        MachineError: a file cannot be written.
    """
    return _write(_fitted([(measurements.firsts, {})], {}), measurements.experiment.name, folder)


def model_sweep(
    runs: Sequence[tuple[Measurements, Mapping[str, Any]]], varied: Collection[str], folder: Path
) -> list[Path]:
    """The same for all runs of a sweep, over parameters and factors.

    Args:
        runs: the measurements and the config of each.
        varied: the config keys that were written on the command line: their names are used for factors with several.
        folder: where the files go.

    Returns:
        The files; none for runs of several experiments, which have no common value.

    Raises:
        MachineError: a file cannot be written.
    """
    from flowerexp.analysis.model.sweep import factors

    experiments = [rows.experiment for rows, _ in runs]
    if len({experiment.name for experiment in experiments}) != 1:
        return []
    factors_of_runs, aliases = factors([config for _, config in runs], experiments[0], varied)
    parts = [(rows.firsts, of_run) for (rows, _), of_run in zip(runs, factors_of_runs, strict=True)]
    return _write(_fitted(parts, aliases), experiments[0].name, folder)


def _fitted(parts: Sequence[Part], aliases: Mapping[str, str]) -> list[tuple[Model, Rows]]:
    """The models, with the rows that they were fitted to."""
    from flowerexp.analysis.model.data import is_censored, outcomes, rows_of
    from flowerexp.analysis.model.fitting import fit_model

    experiment = parts[0][0].experiment
    censored = sum(int(is_censored(rows).sum()) for rows, _ in parts)
    fitted = []
    for name, unit in outcomes(experiment).items():
        rows, incomplete = rows_of(parts, name)
        model = fit_model(name, unit, rows, experiment.products, censored, incomplete) if len(rows.values) else None
        if model:
            fitted.append((replace(model, left_out={**aliases, **model.left_out}), rows))
    return fitted


def _write(fitted: Sequence[tuple[Model, Rows]], experiment: str, folder: Path) -> list[Path]:
    content = {"experiment": experiment, "models": [model.plain() for model, _ in fitted]}
    text = json.dumps(content, allow_nan=False) + "\n"
    path = write_whole(folder / FILE, lambda aside: aside.write_text(text, encoding="utf-8"))
    # A model with as many terms as cells goes through all of them: its residuals are 0, and show nothing.
    with_residuals = [(model, rows) for model, rows in fitted if model.fitted.errors]
    if not with_residuals:
        return [path]
    from flowerexp.analysis.model.plots import plot_residuals

    return [path, plot_residuals(with_residuals, folder)]


def read(content: bytes, where: str) -> list[Model]:
    """The models in a file that `model_run` or `model_sweep` wrote.

    Args:
        content: of the file.
        where: its name in messages.

    Raises:
        DataError: it is not such a file, or it is damaged.
    """
    from flowerexp.analysis.model.predicting import Model

    try:
        return [Model.of(plain) for plain in json.loads(content)["models"]]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise DataError(
            f"{where} is not a model of flowerexp: {why}", hint="make it again: flowerexp report"
        ) from error
