"""Draw a straight line with its 95 % band, the measurements that it is fitted to, and their averages.

Imports matplotlib: import this module only when pictures are wanted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flowerexp.analysis import words
from flowerexp.analysis.drawing import INK, PAPER, apart, plain, tidy
from flowerexp.analysis.estimate import grouped_quantiles
from flowerexp.analysis.regression import Fit, averages_of, band, points
from flowerexp.measurements.table import Array, Measurements

MOST_TICKS = 8
"""Values of a parameter that get a tick each."""
SPANS = "middle half, thinner 95 %"
"""What lines show of many measurements."""
MOST_DOTS = 400
"""Measurements that are drawn as dots; of more, each value shows the span of its middle half and of most of them."""


def draw_line(panel: Any, group: Measurements, fit: Fit, colour: str) -> None:
    """Draw a line into a panel.

    Args:
        panel: the axes.
        group: the measurements of the line's series.
        fit: the line.
        colour: of the series.
    """
    xs, ys = points(group, fit.parameter, fit.value)
    averages = averages_of(group, fit)
    ends = [xs.min(), xs.max()]
    across = np.linspace(ends[0], ends[1], 30)
    panel.fill_between(across, *band(xs, ys, across), color=INK, alpha=0.13, linewidth=0, zorder=1)
    _scatter(panel, xs, ys, colour)
    panel.plot(ends, [fit.intercept + fit.slope * x for x in ends], "-", color=INK, linewidth=1.4, zorder=3)
    panel.plot(*averages, "D", color=colour, markersize=6, markeredgecolor=PAPER, zorder=4)
    panel.set_xlabel(plain(words.parameter(group.experiment, fit.parameter, unit=True)))
    tidy(panel, thousands="both")
    if len(averages[0]) <= MOST_TICKS:
        panel.set_xticks(apart(averages[0]))


def _scatter(panel: Any, xs: Array, ys: Array, colour: str) -> None:
    """Measurements as faint dots; of many, the span of their middle half and of all but the outer 5 %."""
    if len(xs) <= MOST_DOTS:
        panel.plot(xs, ys, "o", color=colour, alpha=0.3, markersize=4, markeredgewidth=0, zorder=2)
        return
    levels, places = np.unique(xs, return_inverse=True)
    spans(panel, levels, ys, places, colour)


def spans(panel: Any, xs: Array, values: Array, groups: Array, colour: str, width: float = 5.0) -> None:
    """Draw the span of each group's middle half, and a thinner one of all but its outer 5 %.

    Args:
        panel: the axes.
        xs: where each group is, of shape (groups,).
        values: of all groups, of shape (n,).
        groups: the group of each value, from 0.
        colour: of the lines.
        width: of the wider ones, in points.
    """
    ends = grouped_quantiles(values, groups, len(xs), (0.025, 0.25, 0.75, 0.975))
    for low, high, wide in ((0, 3, 0.3 * width), (1, 2, width)):
        style = {"color": colour, "alpha": 0.3, "linewidth": wide, "capstyle": "projecting"}
        panel.vlines(xs, ends[low], ends[high], zorder=2, **style)
