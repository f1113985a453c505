"""The section of the model: what a cell would give that was not measured, and how far that is to be believed."""

from __future__ import annotations

from pathlib import Path

from flowerexp.analysis.drawing import number
from flowerexp.analysis.model import FILE, model_sweep, read
from flowerexp.analysis.model.data import columns_of
from flowerexp.analysis.model.predicting import Model
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.parts import Section, Table
from flowerexp.config import plain
from flowerexp.measurements.parquet import read_parquet
from flowerexp.measurements.table import Measurements

FORMS = {"plain": "the value itself", "log": "the value's logarithm"}


def make(material: Material) -> None:
    """Fit the models of a sweep, and write them into its folder; those of a run are there since it ended."""
    if not material.is_sweep:
        return
    runs = []
    for run in material.measured:
        path = run.folder / "analysis" / "measurements.parquet"
        if run.config and run.verdict != "invalid" and path.exists():
            experiment = run.config.entrypoint
            table = read_parquet(path, columns_of(experiment))
            runs.append((Measurements(table, experiment), plain(run.config)))
    if runs:
        model_sweep(runs, material.varied, material.folder)


def section(material: Material) -> Section:
    """What models say, in words and as a table of their coefficients."""
    made = Section("model", "What a cell would give that was not measured", folded=True)
    for model in _read(material):
        made.text.append(_judged(model))
        lines = [
            [name, number(one.value), "" if one.low is None or one.high is None else f"{_ends(one.low, one.high)}"]
            for name, one in model.coefficients.items()
        ]
        of = f"{model.name.replace('_', ' ')}{f', {model.unit}' if model.unit else ''}"
        head = f"{of}: logarithm" if model.scale == "log" else of
        made.tables.append(Table([head, "coefficient", "95 % interval"], lines, frozenset({1, 2})))
    if made.text:
        made.text.append(f"Ask it: `flowerexp predict {material.place} KEY=VALUE`.")
    return made


def _read(material: Material) -> list[Model]:
    home = material.folder if material.is_sweep else material.folder / "analysis"
    path: Path = home / FILE
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
        words.append(f"What it says of a cell that it has not seen is typically {quality.error:.1%} off.")
    if quality.between is not None and model.positive:
        words.append(f"Of a value of a number that it has not seen, between others, it is {quality.between:.1%}.")
    if not quality.fits:
        words.append("Cells lie further from it than their repetitions explain, which its intervals allow for.")
    if quality.censored:
        words.append(f"{quality.censored:,} measurements that were stopped are left out.")
    if quality.incomplete:
        words.append(f"{quality.incomplete:,} measurements that lack a factor are left out.")
    if model.aliased:
        words.append(f"What was measured does not tell {', '.join(model.aliased)} from other terms.")
    return " ".join(words)


def _ends(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"
