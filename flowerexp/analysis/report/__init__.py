"""The report of a sweep or a run: one HTML file that needs nothing else, Markdown, and a tidy table.

Imported only when a report is made: it needs matplotlib, pandas and statsmodels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from flowerexp.analysis.regression import fit_all
from flowerexp.analysis.report import model, page
from flowerexp.analysis.report.cells import cells
from flowerexp.analysis.report.derive import slowdowns_of
from flowerexp.analysis.report.findings import sure, times
from flowerexp.analysis.report.gather import load
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.timing import time_models
from flowerexp.escape import csv_cell
from flowerexp.measurements import write_whole
from flowerexp.measurements.table import Measurements

FILES = ("report.html", "report.md", "cells.csv", "cells.parquet")
"""The files that `make_report` writes."""

MOST_FITTED = 5_000
"""The most measurements of a series that models are fitted to; of more, a seeded sample, which is precise enough."""


def make_report(folder: Path, warn: Callable[[str], object] = lambda _: None) -> list[Path]:
    """Write the report of a sweep or a run, into the sweep's folder or the run's ``analysis`` folder.

    Args:
        folder: a sweep's folder, finished or not, or a run's.
        warn: called with a line for each damaged file; its run is shown without results.

    Returns:
        The files, in the order of `FILES`.

    Raises:
        DataError: it is no such folder, or one of its files is damaged.
        MachineError: a file cannot be written.
    """
    material = load(folder)
    for line in material.complaints:
        warn(line)
    # Without copies of a table that nobody changes: of a million rows each is 200 MB.
    with pd.option_context("mode.copy_on_write", True):
        return _write(material)


def _write(material: Material) -> list[Path]:
    some, table = sample(material), cells(material)
    model.make(material)
    findings, sections = page.sections(material, table, some, fit_all(some), time_models(some))
    folder = material.folder if material.is_sweep else material.folder / "analysis"
    texts = {
        "report.html": page.html(material, findings, sections),
        "report.md": page.markdown(material, findings, sections),
    }
    texts["cells.csv"] = table.rename(columns=csv_cell).map(csv_cell).to_csv(index=False)
    paths = [write_whole(folder / name, _writer(text)) for name, text in texts.items()]
    # Values of one column may be of several kinds, as those of a parameter that is a number or null.
    typed = table.convert_dtypes().map(lambda value: value, na_action="ignore")
    mixed = [name for name in typed.columns if typed[name].dtype == object]
    typed[mixed] = typed[mixed].astype("string")
    return [*paths, write_whole(folder / "cells.parquet", lambda aside: typed.to_parquet(aside, index=False))]


def interference(folder: Path) -> str:
    """How much measurements slow each other down, in a line for the screen; empty for a sweep that does not vary it.

    Args:
        folder: a sweep's, or a run's.
    """
    material = load(folder)
    return "; ".join(
        f"{material.label(slowdown.series)} {times(slowdown.ratio.value)} {sure(slowdown.ratio)}, "
        f"{slowdown.at_once} at once"
        for slowdown in slowdowns_of(material)
    )


def _writer(text: str) -> Any:
    return lambda aside: aside.write_text(text, encoding="utf-8")


def sample(material: Material) -> Measurements:
    """Timed measurements, of each series at most `MOST_FITTED`."""
    parts = [
        rows.sample(MOST_FITTED, random_state=0) if len(rows) > MOST_FITTED else rows
        for _, rows in material.timed.groupby("series")
    ]
    return material.table_of(pd.concat([material.timed.iloc[:0], *parts]))
