"""How all pictures look: their colours, axes, numbers and legends, and how a straight line is drawn.

Imports matplotlib: import this module only when pictures are wanted. Figures are drawn through matplotlib's objects,
never pyplot, so nothing here is global and no display is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flowerexp.analysis import words
from flowerexp.analysis.regression import Fit, averages_of, band, points
from flowerexp.measurements.table import Array, Measurements

INK, MUTED, LINE, PAPER = "#1d2733", "#5c6876", "#dde2e8", "#fefefe"
ACCENT, GOOD, WARN = "#3b5bdb", "#2b8a3e", "#b35c00"

MOST_TICKS = 8
"""Values of a parameter that get a tick each."""
MOST_DOTS = 400
"""Measurements that are drawn as dots; of more, each value shows the span of its middle half and of most of them."""


def tidy(panel: Any, grid: str = "y", thousands: str = "y") -> None:
    """Give axes the page's look: few lines, pale ones.

    Args:
        panel: the axes.
        grid: which axis has grid lines: x, y or both.
        thousands: which axes hold plain numbers: x, y or both.
    """
    panel.set_facecolor("none")
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color(LINE)
    panel.grid(axis=grid, color=LINE, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(which="both", length=0, labelcolor=MUTED, labelsize=9, pad=5)
    panel.xaxis.label.set(color=MUTED, fontsize=9)
    panel.yaxis.label.set(color=MUTED, fontsize=9)
    for axis, letter in ((panel.xaxis, "x"), (panel.yaxis, "y")):
        if thousands in (letter, "both") and axis.get_scale() == "linear":
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
            axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def title(panel: Any, text: str) -> None:
    """A panel's title, at its left."""
    panel.set_title(plain(text), loc="left", color=INK, fontsize=10, fontweight="bold", pad=9)


def number(value: float, digits: int = 3) -> str:
    """A number as people write it: at least three digits, and thousands apart."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"
    return text.replace("-", "−")


def legend(made: Figure, tones: Mapping[str, str]) -> None:
    """Say above a figure which colour is what; by label."""
    marks = [Line2D([], [], color=tone, marker="o", ms=6.5, lw=2, label=plain(label)) for label, tone in tones.items()]
    made.legend(handles=marks, loc="outside upper left", ncols=4, frameon=False, labelcolor=INK, fontsize=9.5)


def plain(text: str) -> str:
    """Text in which matplotlib looks for no formulas."""
    return text.replace("$", r"\$")


def apart(ticks: Array) -> list[float]:
    """Those of the sorted ticks that do not run into each other; the first and the last are among them."""
    kept = [ticks[-1]]
    for tick in reversed(ticks[:-1]):
        if kept[-1] - tick >= 0.05 * (ticks[-1] - ticks[0]):
            kept.append(tick)
    return [ticks[0], *kept[-2::-1]]


def draw_line(panel: Any, group: Measurements, fit: Fit, colour: str) -> None:
    """Draw a straight line with its 95 % band, the measurements that it is fitted to, and their averages.

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
    for level in np.unique(xs):
        ends = np.quantile(ys[xs == level], [0.025, 0.25, 0.75, 0.975])
        panel.plot([level] * 2, ends[[0, 3]], "-", color=colour, alpha=0.3, lw=1.5, zorder=2)
        panel.plot([level] * 2, ends[[1, 2]], "-", color=colour, alpha=0.3, lw=5, zorder=2)
