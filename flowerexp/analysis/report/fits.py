"""The pictures of the straight lines, and of the model of a measurement's seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from flowerexp.analysis import words
from flowerexp.analysis.drawing import PAPER, legend, number, tidy, title
from flowerexp.analysis.lines import draw_line
from flowerexp.analysis.regression import Fit
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.svg import figure
from flowerexp.analysis.timing import TimeModel
from flowerexp.measurements.table import Measurements


def straight_lines(material: Material, some: Measurements, fits: Sequence[Fit]) -> Figure | None:
    """A panel for each series and parameter, with averages, the line and its band."""
    names = words.ordered(material.experiment, (fit.series for fit in fits))
    columns = max((sum(fit.series == name for fit in fits) for name in names), default=0)
    if not columns:
        return None
    drawn = figure(0.4 + 2.6 * len(names))
    grid = drawn.subplots(len(names), columns, sharey="row", squeeze=False)
    for line, name in enumerate(names):
        several = [fit for fit in fits if fit.series == name]
        for panel, fit in zip(grid[line], several, strict=False):
            _straight(panel, some.by_series[name], fit, material)
        for panel in grid[line][len(several) :]:
            panel.set_visible(False)
        grid[line, 0].set_ylabel(f"{material.label(name)}: {material.experiment.rate_unit}")
        grid[line, 0].set_ylim(bottom=0)
    return drawn


def _straight(panel: Any, group: Measurements, fit: Fit, material: Material) -> None:
    draw_line(panel, group, fit, material.tones[fit.series])
    sign = "−" if fit.slope < 0 else "+"
    title(panel, f"{number(fit.intercept)} {sign} {number(abs(fit.slope))} x,  R² {fit.r2:.2f}")


def time_model(material: Material, some: Measurements, models: Sequence[TimeModel]) -> Figure | None:
    """Seconds against what is counted, with the model's line; and beside it the rates that follow from that line."""
    if not models:
        return None
    drawn = figure(3.5)
    left, right = drawn.subplots(1, 2)
    which, tones = material.experiment, material.tones
    for model in models:
        group = some.by_series[model.series]
        sizes = np.bincount(group.cells)
        counts, parts, seconds = (
            np.bincount(group.cells, np.nan_to_num(values)) / sizes
            for values in (group.counts, group.parts, group.seconds)
        )
        # The line is drawn at the grid's typical part, since parts and units both rise along it.
        across = np.linspace(0, counts.max() * 1.03, 80)
        expected = np.array([model.seconds(x * parts.sum() / counts.sum(), x) for x in across])
        colour = tones[model.series]
        left.plot(counts, 1000 * seconds, "o", color=colour, ms=6, mec=PAPER, mew=1, zorder=3)
        left.plot(across, 1000 * expected, "-", color=colour, lw=1.8)
        right.plot(counts, counts / seconds, "o", color=colour, ms=6, mec=PAPER, mew=1, zorder=3)
        right.plot(across[1:], across[1:] / np.maximum(expected[1:], 1e-9), "-", color=colour, lw=1.8)
    for panel, text in ((left, "milliseconds of a measurement"), (right, which.rate_unit)):
        tidy(panel, thousands="both")
        title(panel, text)
        panel.set_xlabel(f"{which.unit} of a measurement")
        panel.set_xlim(left=0)
        panel.set_ylim(bottom=0)
    legend(drawn, {words.series(which, model.series): tones[model.series] for model in models})
    return drawn
