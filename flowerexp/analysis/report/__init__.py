"""The report of a sweep or a run: one HTML file that needs nothing else, Markdown, and a tidy table.

Imported only when a report is made: it needs matplotlib, pandas and statsmodels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from flowerexp import records
from flowerexp.analysis.regression import fit_all
from flowerexp.analysis.report import model, page
from flowerexp.analysis.report.cells import cells, typed_cells
from flowerexp.analysis.report.gather import load
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.timing import time_models
from flowerexp.escape import csv_cell
from flowerexp.measurements import write_whole
from flowerexp.measurements.table import Measurements

CONCLUSIONS = "conclusions.json"
"""The question, the answer and the findings, for who reads them by program."""

FILES = ("report.html", "report.md", "cells.csv", "cells.parquet", CONCLUSIONS)
"""The files that `make_report` writes."""

MOST_FITTED = 5_000
"""The most measurements of a series that models are fitted to; of more, a seeded sample, which is precise enough."""


@dataclass(frozen=True)
class Report:
    """The files of a report, in the order of `FILES`, and the answer to its question."""

    paths: Sequence[Path]
    answer: str


def make_report(folder: Path, warn: Callable[[str], object] = lambda _: None) -> Report:
    """Write the report of a sweep or a run, into the sweep's folder or the run's ``analysis`` folder.

    Args:
        folder: a sweep's folder, finished or not, or a run's.
        warn: called with a line for each damaged file; its run is shown without results.

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


def _write(material: Material) -> Report:
    some, table = sample(material), cells(material)
    model.make(material)
    content = page.content(material, table, some, fit_all(some), time_models(some))
    folder = material.folder if material.is_sweep else material.folder / "analysis"
    texts = {
        "report.html": page.html(content),
        "report.md": page.markdown(content),
    }
    texts["cells.csv"] = _harmless(table).to_csv(index=False)
    paths = [write_whole(folder / name, _writer(text)) for name, text in texts.items()]
    typed = typed_cells(table)
    paths.append(write_whole(folder / "cells.parquet", lambda aside: typed.to_parquet(aside, index=False)))
    findings = [f"{finding.figure} {finding.text}" for finding in content.findings]
    concluded = {"question": content.question, "answer": content.answer, "findings": findings}
    records.write(folder / CONCLUSIONS, concluded)
    return Report([*paths, folder / CONCLUSIONS], content.answer)


def _harmless(table: pd.DataFrame) -> pd.DataFrame:
    """The table as a spreadsheet may read it; only columns of text can hold what it would run."""
    shown = table.copy(deep=False)
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            shown[name] = table[name].map(csv_cell)
    return shown.rename(columns=csv_cell)


def _writer(text: str) -> Any:
    return lambda aside: aside.write_text(text, encoding="utf-8")


def sample(material: Material) -> Measurements:
    """Timed measurements, of each series at most `MOST_FITTED`."""
    timed = material.timed
    # The rows' places are drawn and not the rows, since those of a series would be copied.
    places = pd.Series(range(len(timed)))
    parts = [
        rows.sample(MOST_FITTED, random_state=0) if len(rows) > MOST_FITTED else rows
        for _, rows in places.groupby(timed["series"].cat.codes.to_numpy())
    ]
    return material.table_of(timed.iloc[pd.concat([places.iloc[:0], *parts]).to_numpy()])
