"""The tables of runs and sweeps as data frames, and their pictures as figures."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow

from flowerexp.analysis.regression import fit_all
from flowerexp.analysis.report import sample
from flowerexp.analysis.report.cells import cells as cells_of
from flowerexp.analysis.report.cells import typed_cells
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.ranking import rank
from flowerexp.analysis.report.run_table import as_arrow, run_table, swept_columns
from flowerexp.analysis.report.varied import column_of
from flowerexp.errors import DataError
from flowerexp.lookup.saved import name_of
from flowerexp.measurements.parquet import read_parquet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def measurements(material: Material) -> pd.DataFrame:
    """All measurements: of a sweep, with the run and what the sweep varies."""
    path = material.folder / ("measurements.parquet" if material.is_sweep else "analysis/measurements.parquet")
    return _frame(read_parquet(path) if path.exists() else swept_columns(material).slice(0, 0))


def cells(material: Material) -> pd.DataFrame:
    """A row for each run, series and cell."""
    return _frame(pyarrow.Table.from_pandas(typed_cells(cells_of(material)), preserve_index=False))


def short_cells(material: Material) -> pd.DataFrame:
    """The columns of the cells that say which cell it is, what it reached, and how sure that is."""
    experiment = material.experiment
    wanted = [*experiment.parameters, experiment.rate, f"steady_{experiment.rate}", "low", "high", "value"]
    table = cells(material)
    return table[[name for name in wanted if name in table.columns]]


def runs(material: Material) -> pd.DataFrame:
    """A row for each run."""
    path = material.folder / "runs.parquet"
    return _frame(read_parquet(path) if path.exists() else as_arrow(run_table(material)))


def _frame(table: pyarrow.Table) -> pd.DataFrame:
    """Whole numbers, truth values and texts keep their types where none is missing."""
    found: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return found


def ranking(material: Material) -> pd.DataFrame:
    """The settings of a sweep from the best to the worst."""
    lines = rank(material)
    experiment, rows = material.experiment, []
    for line in lines:
        row: dict[str, Any] = {"run": line.runs[0].name, **line.context}
        row |= {column_of(key, experiment): value for key, value in line.values.items()}
        value, ratio = line.value, line.ratio
        row |= {"runs": len(line.runs), experiment.value_name: value and value.value}
        row |= {"low": value and value.low, "high": value and value.high, "ratio": ratio and ratio.value}
        row |= {"ratio_low": ratio and ratio.low, "ratio_high": ratio and ratio.high}
        rows.append({**row, "seconds": line.seconds, "dollars": line.dollars, "verdict": line.verdict})
    return _frame(as_arrow(rows)).dropna(axis="columns", how="all")


def regression(material: Material) -> pd.DataFrame:
    """The straight lines that a report fits, a row each."""
    return pd.DataFrame([asdict(fit) for fit in fit_all(sample(material))])


def figure(material: Material, picture: str | None) -> Figure:
    """A picture of a report as a figure that a notebook shows.

    Raises:
        DataError: there is nothing to draw.
    """
    from flowerexp.analysis.report import charts

    known = {"settings": charts.overview, "parameters": charts.by_parameter}
    if picture is not None and picture not in known:
        raise DataError(f"there is no picture '{picture}'", where="plot", hint=f"choose from {', '.join(known)}")
    for draw in [known[picture]] if picture else known.values():
        if drawn := draw(material):
            _show_in_notebooks()
            return drawn
    hint = "measure two values of something at least"
    raise DataError(f"{name_of(material.folder)} has nothing to draw: nothing was varied", where="plot", hint=hint)


def _show_in_notebooks() -> None:
    """IPython shows figures that were made without pyplot only if it is told so."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        from IPython.core.pylabtools import select_figure_formats

        select_figure_formats(shell, {"png"})
