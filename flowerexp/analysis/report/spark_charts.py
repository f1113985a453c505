"""The picture of what Spark did: a row of small panels for each number, a column for each parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flowerexp.analysis.report.charts import MOST_TICKS, MOST_VALUES, shown_value
from flowerexp.analysis.report.gather import Material
from flowerexp.analysis.report.runs import short
from flowerexp.analysis.report.svg import INK, PAPER, WIDTH, colours, figure, name_of, plain, tidy, title

if TYPE_CHECKING:
    import pandas

MOST_PARAMETERS = 4
"""Columns of panels; further parameters are in the table alone."""


def by_parameter(material: Material, metrics: pandas.DataFrame, names: Sequence[str]) -> Figure | None:
    """Medians of each number by what runs and grids vary; None where neither varies.

    Args:
        material: the material.
        metrics: a column a number, a row a measurement of `material.timed`.
        names: the numbers to draw.
    """
    rows = material.timed.loc[metrics.index]
    parameters = _parameters(material, rows)
    if not names or not parameters:
        return None
    series = sorted(rows["series"].unique())
    tones = colours(series)
    made = figure(0.7 + 1.75 * len(names), WIDTH if len(parameters) > 1 else WIDTH * 0.6)
    grid = made.subplots(len(names), len(parameters), sharey="row", squeeze=False)
    for panel, label in zip(grid[0], parameters, strict=True):
        title(panel, f"by {label}")
    for line, name in zip(grid, names, strict=True):
        for panel, values in zip(line, parameters.values(), strict=True):
            _panel(panel, metrics[name], values, rows["series"], tones)
        line[0].set_ylabel(plain(name))
        line[0].set_ylim(bottom=0)
    if len(series) > 1:
        marks = [Line2D([], [], color=tones[one], marker="o", ms=6, lw=2, label=name_of(one)) for one in series]
        made.legend(handles=marks, loc="outside upper left", ncols=4, frameon=False, labelcolor=INK, fontsize=9.5)
    return made


def _parameters(material: Material, rows: pandas.DataFrame) -> dict[str, pandas.Series[Any]]:
    """What varies, by its label: what a sweep does first, then the numeric parameters."""
    found = {
        short(key): rows["run"].map({run.name: run.varied.get(key) for run in material.measured})
        for key in material.varied
    }
    found |= {material.experiment.label_of(name): rows[name] for name in material.experiment.numeric}
    varied = [(label, values) for label, values in found.items() if values.nunique() > 1]
    return dict(varied[:MOST_PARAMETERS])


def _panel(
    panel: Any,
    numbers: pandas.Series[Any],
    values: pandas.Series[Any],
    series: pandas.Series[Any],
    tones: Mapping[str, str],
) -> None:
    """Each series' medians and middle halves, at each value of a parameter or group of neighbouring ones."""
    ordered = sorted(values.dropna().unique().tolist(), key=lambda value: (isinstance(value, str), value))
    edges = np.linspace(0, len(ordered), min(len(ordered), MOST_VALUES) + 1).round().astype(int)
    starts = [ordered[edge] for edge in edges[:-1]]
    groups = values.map({value: np.searchsorted(edges, place, "right") - 1 for place, value in enumerate(ordered)})
    are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in ordered)
    for shift, (name, own) in enumerate(numbers.groupby(series)):
        quartiles = own.groupby(groups).quantile(np.array([0.25, 0.5, 0.75])).unstack().dropna()
        places = quartiles.index.to_numpy(float) + 0.1 * (shift - (series.nunique() - 1) / 2)
        tone = tones[str(name)]
        panel.vlines(places, quartiles[0.25], quartiles[0.75], color=tone, lw=2, alpha=0.5)
        line = "-" if are_numbers else ""
        panel.plot(
            places,
            quartiles[0.5],
            line,
            color=tone,
            lw=1.2,
            marker="o",
            ms=6,
            mec=PAPER,
            mew=1,
            zorder=3,
            clip_on=False,
        )
    tidy(panel)
    step = -(-len(starts) // MOST_TICKS)
    labels = [shown_value(value) for value in starts[::step]]
    turned = 30 if sum(map(len, labels)) > 30 else 0
    panel.set_xticks(range(0, len(starts), step), labels, rotation=turned, ha="right" if turned else "center")
    panel.set_xlim(-0.6, len(starts) - 0.4)
