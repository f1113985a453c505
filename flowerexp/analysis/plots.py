"""The pictures of a run: a line for each parameter and series, and the rates of the series side by side.

Imports matplotlib: import this module only when pictures are wanted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flowerexp.analysis import png, words
from flowerexp.analysis.drawing import INK, LINE, MUTED, number, plain, tidy
from flowerexp.analysis.estimate import grouped_quantiles
from flowerexp.analysis.lines import MOST_DOTS, SPANS, draw_line, spans
from flowerexp.analysis.regression import Fit, points
from flowerexp.experiment import Experiment
from flowerexp.measurements.table import Array, Measurements

MOST_APART = 100  # if the fastest cell is more times as fast as the slowest, the scale is logarithmic
LONGEST_NAME = 12  # letters of a parameter's name in the title of a panel; a longer one is x
MOST_LABELS = 24  # the most cells that get a label each
MOST_POINTS = 10_000  # the most measurements that get a point each; of more, cells show spans
LEGEND: dict[str, Any] = {"frameon": False, "labelcolor": INK, "fontsize": 8.5}
BELOW: dict[str, Any] = {"loc": "outside lower center", "ncols": 3, **LEGEND}


def plot_regressions(measurements: Measurements, fits: Sequence[Fit], folder: Path) -> list[Path]:
    """Draw ``regression_<series>.png`` for each series that has lines, and ``rates.png`` of two or more cells.

    Args:
        measurements: of all executions; first ones are drawn.
        fits: the lines, from `fit_all` on the same measurements.
        folder: where the pictures go.

    Returns:
        The files, 1200 px wide.
    """
    groups, which = measurements.firsts.finished.by_series, measurements.experiment
    colours = words.colours(which, measurements.series_names)
    paths = []
    for name, value in dict.fromkeys((fit.series, fit.value) for fit in fits):
        of_value = [fit for fit in fits if (fit.series, fit.value) == (name, value)]
        figure = _regression_figure(groups[name], of_value, colours[name])
        suffix = "" if value == which.rate else f"_{value}"
        paths.append(png.save(figure, folder / f"{_slug(f'regression_{name}{suffix}')}.png"))
    gridded = {name: groups[name].gridded.rated for name in words.ordered(which, groups)}
    rated = {name: group for name, group in gridded.items() if len(group)}
    if len({key[1:] for group in rated.values() for key in group.cell_keys}) > 1:
        paths.append(png.save(_rates_figure(rated, colours), folder / "rates.png"))
    return paths


def _regression_figure(group: Measurements, fits: Sequence[Fit], colour: str) -> Figure:
    columns = min(2, len(fits))
    lines = -(-len(fits) // columns)
    value, which = fits[0].value, group.experiment
    is_rate = value == which.rate
    what = which.rate_unit if is_rate else value.replace("_", " ")
    title = f"{words.series(which, fits[0].series)}: {what} against each parameter"
    figure = png.figure(1.5 + 2.6 * lines, title)
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for panel, fit in zip(grid.flat, fits, strict=False):
        draw_line(panel, group, fit, colour)
        panel.set_title(equation(fit, which), color=INK, fontsize=9.5, loc="left")
    for panel in grid.flat[len(fits) :]:
        panel.set_visible(False)
    for panel in grid[:, 0]:
        panel.set_ylabel(plain(_unit(which) if is_rate else value.replace("_", " ")), color=INK)
    if points(group, fits[0].parameter, value)[1].min() >= 0:
        grid[0, 0].set_ylim(bottom=0)  # of all panels, and only now that all of them are drawn
    many = max(len(points(group, fit.parameter, value)[0]) for fit in fits) > MOST_DOTS
    legend = figure.legend(handles=_legend(colour, which, is_rate, many), **BELOW)
    if is_rate:
        legend.set_title(
            f"Long measurements weigh more in an average of {which.unit} over time; in the line all weigh the same."
        )
        legend.get_title().set(color=MUTED, fontsize=8)
    return figure


def equation(fit: Fit, experiment: Experiment) -> str:
    """A line in words, such as ``1,012 + 3.2 × batch size,  R² = 0.41,  n = 48``."""
    is_product = fit.parameter in map(words.product, experiment.products)
    name = "product" if is_product else plain(words.inside(words.parameter(experiment, fit.parameter)))
    name = name if len(name) <= LONGEST_NAME else "x"
    sign = "−" if fit.slope < 0 else "+"
    line = f"{number(fit.intercept)} {sign} {number(abs(fit.slope))} × {name}"
    gap = "   " if fit.n < 100_000 else " "  # so that it does not get wider than the panel
    return f"{line},{gap}R² = {fit.r2:.2f},{gap}n = {fit.n}"


def _rates_figure(groups: dict[str, Measurements], colours: dict[str, str]) -> Figure:
    places = {
        key: x for x, key in enumerate(sorted({_place(key) for group in groups.values() for key in group.cell_keys}))
    }
    which = next(iter(groups.values())).experiment
    figure = png.figure(4.6, f"{which.rate_unit} in each cell of the grid")
    panel = figure.subplots()
    room, speeds, many = 0.8 / len(groups), [], sum(map(len, groups.values())) > MOST_POINTS
    for turn, (name, group) in enumerate(groups.items()):
        shift = (turn - (len(groups) - 1) / 2) * room
        xs = np.array([places[_place(key)] + shift for key in group.cell_keys])
        (_spans if many else _strips)(panel, xs, room, group, colours[name])
        totals = np.bincount(group.cells, group.counts) / np.bincount(group.cells, group.seconds)
        speeds += totals[totals != 0].tolist()
    tidy(panel, thousands="both")
    if speeds and max(speeds) > MOST_APART * min(speeds):
        panel.set_yscale("log")
    else:
        panel.set_ylim(bottom=0)
    panel.set_ylabel(plain(_unit(which)), color=INK)
    _cell_axis(panel, list(places), [plain(words.parameter(which, name)) for name in which.numeric])
    said, marker = (f"a line is the {SPANS} of a cell", "") if many else ("a point is a measurement", "o")
    panel.set_title(f"{said}, a bar the median of its cell", color=MUTED, fontsize=9, loc="left")
    handles = [
        Line2D([], [], color=colours[name], lw=2.2, marker=marker, ms=4, label=plain(words.series(which, name)))
        for name in groups
    ]
    # There is room for three beside the title.
    figure.legend(handles=handles, **BELOW | ({"loc": "outside upper right"} if len(groups) <= 3 else {}))
    return figure


def _strips(panel: Any, xs: Array, room: float, group: Measurements, colour: str) -> None:
    """The measurements of a series, cell by cell: a point each, and a bar at the median."""
    order, sizes = np.argsort(group.cells, kind="stable"), np.bincount(group.cells)
    half = min(room * 0.4, 0.15)
    for x, rates in zip(xs, np.split(group.rates[order], np.cumsum(sizes)[:-1]), strict=True):
        panel.plot([x] * len(rates), rates, "o", color=colour, alpha=0.4, markersize=4, markeredgewidth=0, zorder=2)
        panel.plot([x - half, x + half], [np.median(rates)] * 2, "-", color=colour, linewidth=2.2, zorder=3)


def _spans(panel: Any, xs: Array, room: float, group: Measurements, colour: str) -> None:
    """The same of many measurements: the spans of most of them, and a bar at the median."""
    half = min(room * 0.4, 0.15)
    spans(panel, xs, group.rates, group.cells, colour, min(5.0, max(1.0, 200 * room / len(xs))))
    (middles,) = grouped_quantiles(group.rates, group.cells, len(xs), (0.5,))
    panel.hlines(middles, xs - half, xs + half, color=colour, linewidth=2.2, zorder=3)


def _cell_axis(panel: Any, places: Sequence[tuple[float, ...]], parameters: Sequence[str]) -> None:
    """Label the cells with their last parameter, and below it with the others."""
    step = -(-len(places) // MOST_LABELS)
    panel.set_xticks(range(0, len(places), step), [_short(place[-1]) for place in places[::step]])
    panel.set_xlim(-0.6, len(places) - 0.4)
    *above, last = parameters
    if not above:
        panel.set_xlabel(last, color=INK, fontsize=9)
        return
    outer = [place[:-1] for place in places]
    starts = [outer.index(place) for place in dict.fromkeys(outer)]
    ends = [*starts[1:], len(places)]
    for start in starts[1:]:
        panel.axvline(start - 0.5, color=LINE, linewidth=0.8, zorder=1)
    step = -(-len(starts) // MOST_LABELS)
    labels = [", ".join(map(_short, outer[start])) for start in starts]
    if len(starts) <= 6:
        labels = [f"{', '.join(above)} {label}" for label in labels]
    below = panel.secondary_xaxis(location=-0.07)
    middles = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
    below.set_xticks(middles[::step], labels[::step])
    below.tick_params(length=0, labelcolor=INK, labelsize=9)
    below.spines["bottom"].set_visible(False)
    below.set_xlabel(f"{last}, and below it the {', '.join(above)}", color=INK, fontsize=9)


def _place(key: Sequence[Any]) -> tuple[float, ...]:
    return tuple(-math.inf if value is None else value for value in key[1:])


def _legend(colour: str, experiment: Experiment, is_rate: bool, many: bool) -> list[Line2D]:
    dot: dict[str, Any] = {"marker": "o", "ls": "", "ms": 4, "markeredgewidth": 0, "label": "one measurement"}
    shown = {"lw": 5, "label": SPANS} if many else dot
    average = f"average (sum of {experiment.unit} / sum of seconds)" if is_rate else "average"
    return [
        Line2D([], [], color=colour, alpha=0.4, **shown),
        Line2D([], [], marker="D", ls="", color=colour, ms=6, markeredgecolor="white", label=average),
        Line2D([], [], color=INK, lw=1.4, label="straight line, with its 95 % band"),
    ]


def _unit(experiment: Experiment) -> str:
    return f"{experiment.unit} per second"


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)


def _short(value: float) -> str:
    """A parameter's number below a cell; nothing where the cell has none."""
    return "" if math.isinf(value) else number(value)
