"""The picture of models: measured against expected values, and residuals against those and against factors.

Imports matplotlib: import this module only when pictures are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flowerexp.analysis import png
from flowerexp.analysis.drawing import INK, plain, tidy
from flowerexp.analysis.model.cells import Rows
from flowerexp.analysis.model.predicting import Model
from flowerexp.analysis.words import PALETTE
from flowerexp.measurements.table import Array

FILE = "residuals.png"
MOST_DOTS = 2_000
"""The most measurements that are drawn; of more, a seeded sample."""
MOST_PANELS = 4
TONE = PALETTE[1]


def plot_residuals(models: Sequence[tuple[Model, Rows]], folder: Path) -> Path:
    """Draw `FILE`, a line of panels for each model.

    Args:
        models: at least one, with the rows that it was fitted to.
        folder: where the picture goes.

    Raises:
        MachineError: the file cannot be written.
    """
    columns = min(MOST_PANELS, 2 + max(len(model.design.factors) for model, _ in models))
    height = 0.7 + 2.7 * len(models)
    most = max(len(rows.values) for _, rows in models)
    sampled = f": {MOST_DOTS:,} of {most:,} drawn" if most > MOST_DOTS else ""
    figure = png.figure(height, f"What the model expects, and its residuals{sampled}")
    figure.set_layout_engine(None)  # laying out this many panels takes longer than drawing them
    figure.subplots_adjust(0.08, 0.6 / height, 0.985, 1 - 0.6 / height, 0.3, 0.3)
    grid = figure.subplots(len(models), columns, squeeze=False)
    for line, (model, rows) in zip(grid, models, strict=True):
        _line(line, model, _some(rows))
    return png.save(figure, folder / FILE)


def _some(rows: Rows) -> Rows:
    count = len(rows.values)
    if count <= MOST_DOTS:
        return rows
    chosen = np.zeros(count, bool)
    chosen[np.random.default_rng(0).choice(count, MOST_DOTS, replace=False)] = True
    return rows.where(chosen)


def _line(panels: Any, model: Model, rows: Rows) -> None:
    columns = {name: column.each for name, column in rows.columns.items()}
    expected = model.values(columns)
    is_share = model.grows or model.scale == "log"
    rest = 100 * (rows.values / expected - 1) if is_share else rows.values - expected
    name = model.name.replace("_", " ") + (f" ({model.unit})" if model.unit else "")
    what = "residual (%)" if is_share else f"residual of {name}"
    first = panels[0]
    first.plot(expected, rows.values, "o", color=TONE, alpha=0.35, markersize=3, markeredgewidth=0)
    ends = [min(expected.min(), rows.values.min()), max(expected.max(), rows.values.max())]
    first.plot(ends, ends, "-", color=INK, linewidth=1)
    if model.positive and ends[0] > 0 and ends[1] > 20 * ends[0]:
        first.set_xscale("log")
        first.set_yscale("log")
    _finish(first, "expected", f"measured {name}")
    _residuals(panels[1], expected, rest, "expected", what)
    factors = sorted(model.design.factors, key=lambda factor: not factor.is_number)
    for panel, factor in zip(panels[2:], factors, strict=False):
        column = columns[factor.name]
        places = column if factor.is_number else np.array([factor.values.index(value) for value in column.tolist()])
        _residuals(panel, places, rest, factor.name.replace("_", " "), "")
        if not factor.is_number:
            panel.set_xticks(range(len(factor.values)), [str(value)[:12] for value in factor.values], rotation=30)
    for panel in panels[2 + len(factors) :]:
        panel.set_visible(False)


def _residuals(panel: Any, xs: Array, rest: Array, below: str, beside: str) -> None:
    panel.axhline(0, color=INK, linewidth=1)
    panel.plot(xs, rest, "o", color=TONE, alpha=0.35, markersize=3, markeredgewidth=0)
    _finish(panel, below, beside)


def _finish(panel: Any, below: str, beside: str) -> None:
    tidy(panel, thousands="both")
    panel.tick_params(labelsize=7.5)
    panel.set_xlabel(plain(below), color=INK, fontsize=8.5)
    panel.set_ylabel(plain(beside), color=INK, fontsize=8.5)
