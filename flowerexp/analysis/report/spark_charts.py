"""The picture of what Spark did: a row of small panels for each metric, a column for each parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from flowerexp.analysis import words
from flowerexp.analysis.drawing import PAPER, legend, plain, tidy, title
from flowerexp.analysis.report.charts import are_numbers, bundles, parameters, ticks
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.svg import WIDTH, figure

if TYPE_CHECKING:
    import pandas

MOST_PARAMETERS = 4
"""The most columns of panels; further parameters are only in the table."""


def by_parameter(material: Material, metrics: pandas.DataFrame, names: Sequence[str]) -> Figure | None:
    """Medians of each metric by what runs and grids vary; None where neither varies.

    Args:
        material: the material.
        metrics: a column for each metric, a row for each measurement of `material.timed`.
        names: the metrics to draw.
    """
    rows = material.timed.loc[metrics.index]
    columns = dict([*parameters(material, rows).items()][:MOST_PARAMETERS])
    if not names or not columns:
        return None
    drawn = figure(0.7 + 1.75 * len(names), WIDTH if len(columns) > 1 else WIDTH * 0.6)
    grid = drawn.subplots(len(names), len(columns), sharey="row", squeeze=False)
    series = words.ordered(material.experiment, rows["series"].unique())
    tones = {name: material.tones[name] for name in series}
    for panel, label in zip(grid[0], columns, strict=True):
        title(panel, f"by {label}")
    for line, name in zip(grid, names, strict=True):
        for panel, values in zip(line, columns.values(), strict=True):
            _panel(panel, metrics[name], values, rows["series"], tones)
        line[0].set_ylabel(plain(name))
        line[0].set_ylim(bottom=0)
    if len(series) > 1:
        legend(drawn, {words.series(material.experiment, name): tone for name, tone in tones.items()})
    return drawn


def _panel(
    panel: Any,
    numbers: pandas.Series[Any],
    values: pandas.Series[Any],
    series: pandas.Series[Any],
    tones: Mapping[str, str],
) -> None:
    """Each series' medians and middle halves, at each value of a parameter or group of neighbouring ones."""
    groups = bundles(values)
    places = values.map({value: place for place, group in enumerate(groups) for value in group})
    for shift, (name, tone) in enumerate(tones.items()):
        by_place = numbers[series == name].groupby(places)
        quartiles = by_place.quantile(np.array([0.25, 0.5, 0.75])).unstack().dropna()
        spots = quartiles.index.to_numpy(float) + 0.1 * (shift - (len(tones) - 1) / 2)
        panel.vlines(spots, quartiles[0.25], quartiles[0.75], color=tone, lw=2, alpha=0.5)
        style = {"color": tone, "lw": 1.2, "marker": "o", "ms": 6, "mec": PAPER, "mew": 1}
        panel.plot(spots, quartiles[0.5], "-" if are_numbers(groups) else "", zorder=3, clip_on=False, **style)
    tidy(panel)
    ticks(panel, groups)
