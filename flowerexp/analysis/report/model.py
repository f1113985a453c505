"""The section of the model: what it predicts for cells that were not measured, and how reliable that is."""

from __future__ import annotations

from pathlib import Path

from flowerexp.analysis.drawing import number
from flowerexp.analysis.model import FILE, model_sweep, read
from flowerexp.analysis.model.predicting import Model
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import Section, Table
from flowerexp.config import plain
from flowerexp.measurements import columns_of_value
from flowerexp.measurements.parquet import read_parquet
from flowerexp.measurements.table import Measurements

FORMS = {"plain": "the value itself", "log": "the value's logarithm"}


def make(material: Material) -> None:
    """Fit the models of a sweep, and write them into its folder; a run writes its own when it ends."""
    if not material.is_sweep:
        return
    runs = []
    for run in material.measured:
        path = run.folder / "analysis" / "measurements.parquet"
        if run.config and run.verdict != "invalid" and path.exists():
            experiment = material.experiment_of(run)
            table = read_parquet(path, columns_of_value(experiment), experiment.categorical)
            runs.append((Measurements(table, experiment), plain(run.config)))
    if runs:
        model_sweep(runs, material.varied, material.folder)


def section(material: Material) -> Section:
    """The models in words, and a table of their coefficients."""
    section = Section("model", "Predictions for cells that were not measured", folded=True)
    for model in _read(material):
        section.text.append(_judged(model))
        lines = [
            [name, number(value.value), "" if value.low is None or value.high is None else _ends(value.low, value.high)]
            for name, value in model.coefficients.items()
        ]
        of = f"{model.name.replace('_', ' ')}{f', {model.unit}' if model.unit else ''}"
        head = f"{of}: logarithm" if model.scale == "log" else of
        section.tables.append(Table([head, "coefficient", "95 % interval"], lines, frozenset({1, 2})))
    if section.text:
        section.text.append(f"Predict a cell: `flowerexp predict {material.place} KEY=VALUE`.")
    return section


def _read(material: Material) -> list[Model]:
    folder = material.folder if material.is_sweep else material.folder / "analysis"
    path: Path = folder / FILE
    try:
        return read(path.read_bytes(), str(path))
    except FileNotFoundError:
        return []


def _judged(model: Model) -> str:
    quality = model.quality
    words = [
        f"The model of {model.name.replace('_', ' ')} is linear in {FORMS[model.scale]}, of degree {model.degree}, "
        f"over {', '.join(factor.name for factor in model.design.factors)}: {quality.measurements:,} measurements in "
        f"{quality.cells:,} cells, R² {quality.r2:.2f}."
    ]
    if quality.error is not None and model.positive:
        words.append(f"Its prediction for a cell that it was not fitted to is typically {quality.error:.1%} off.")
    if quality.between is not None and model.positive:
        words.append(f"For a number between those that it was fitted to, it is typically {quality.between:.1%} off.")
    if not quality.fits:
        words.append(
            "Cells lie further from it than the noise of their repetitions explains; its intervals include that."
        )
    if quality.censored:
        words.append(f"{quality.censored:,} measurements that were stopped at their time limit are left out.")
    if quality.incomplete:
        words.append(f"{quality.incomplete:,} measurements that lack a factor are left out.")
    if model.aliased:
        words.append(f"The measurements cannot separate {', '.join(model.aliased)} from other terms.")
    return " ".join(words)


def _ends(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"
