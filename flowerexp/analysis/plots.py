"""The pictures of a run: a line for each parameter and series, and the series side by side.

Imports matplotlib: import this module only when pictures are wanted. Figures are drawn through matplotlib's objects,
never pyplot, so nothing here is global and no display is needed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flowerexp.analysis import words
from flowerexp.analysis.regression import Fit, band, parameter_of, points, values
from flowerexp.experiment import Experiment
from flowerexp.measurements import write_whole
from flowerexp.measurements.table import Array, Measurements

WIDTH, DPI = 8.0, 150  # inches, dots an inch: 1200 px wide
INK, GREY, PALE = "#333333", "#666666", "#DDDDDD"
MOST_TICKS = 8  # values of a parameter that get a tick of their own
MOST_APART = 100  # the fastest cell is so many times as fast as the slowest: on a straight scale the latter would be 0
LONGEST_NAME = 12  # letters of a parameter's name in the title of a panel
MOST_LABELS = 24  # cells that get a label of their own
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
        own = [fit for fit in fits if (fit.series, fit.value) == (name, value)]
        figure = _regression_figure(groups[name], own, colours[name])
        suffix = "" if value == which.rate else f"_{value}"
        paths.append(_save(figure, folder / f"{_slug(f'regression_{name}{suffix}')}.png"))
    gridded = {name: groups[name].gridded.rated for name in words.ordered(which, groups)}
    rated = {name: group for name, group in gridded.items() if len(group)}
    if len({key[1:] for group in rated.values() for key in group.cell_keys}) > 1:
        paths.append(_save(_rates_figure(rated, colours), folder / "rates.png"))
    return paths


def _regression_figure(group: Measurements, fits: Sequence[Fit], colour: str) -> Figure:
    columns = min(2, len(fits))
    lines = -(-len(fits) // columns)
    value, which = fits[0].value, group.experiment
    is_rate = value == which.rate
    what = which.rate_unit if is_rate else value.replace("_", " ")
    title = f"{words.series(which, fits[0].series)}: {what} against each parameter"
    figure = _figure(1.5 + 2.6 * lines, title)
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for panel, fit in zip(grid.flat, fits, strict=False):
        _panel(panel, group, fit, colour)
    for panel in grid.flat[len(fits) :]:
        panel.set_visible(False)
    for panel in grid[:, 0]:
        panel.set_ylabel(_plain(_unit(which) if is_rate else value.replace("_", " ")), color=INK)
    if points(group, fits[0].parameter, value)[1].min() >= 0:
        grid[0, 0].set_ylim(bottom=0)  # of all panels, and only now that all of them are drawn
    legend = figure.legend(handles=_legend(colour, which, is_rate), **BELOW)
    if is_rate:
        legend.set_title(
            f"An average counts {which.unit} over time, so long measurements weigh more; the line counts all alike."
        )
        legend.get_title().set(color=GREY, fontsize=8)
    return figure


def _panel(panel: Any, group: Measurements, fit: Fit, colour: str) -> None:
    xs, ys = points(group, fit.parameter, fit.value)
    averages = averages_of(group, fit)
    ends = [xs.min(), xs.max()]
    across = np.linspace(ends[0], ends[1], 30)
    panel.fill_between(across, *band(xs, ys, across), color=INK, alpha=0.12, linewidth=0, zorder=1)
    panel.plot(xs, ys, "o", color=colour, alpha=0.35, markersize=4, markeredgewidth=0, zorder=2)
    panel.plot(ends, [fit.intercept + fit.slope * x for x in ends], "-", color=INK, linewidth=1.4, zorder=3)
    panel.plot(*averages, "D", color=colour, markersize=6, markeredgecolor="white", zorder=4)
    _tidy(panel)
    if len(averages[0]) <= MOST_TICKS:
        panel.set_xticks(apart(averages[0]))
    panel.set_xlabel(_plain(words.parameter(group.experiment, fit.parameter, unit=True)), color=INK)
    panel.set_title(equation(fit, group.experiment), color=INK, fontsize=9.5, loc="left")


def averages_of(group: Measurements, fit: Fit) -> tuple[Array, Array]:
    """The values of the parameter, and of each: counts over seconds, both summed; of other columns the mean."""
    xs, ys = parameter_of(group, fit.parameter), values(group, fit.value)
    known = ~np.isnan(xs) & ~np.isnan(ys)
    is_rate = fit.value == group.experiment.rate
    over, under = (group.counts, group.seconds) if is_rate else (ys, np.ones(len(ys)))
    found, places = np.unique(xs[known], return_inverse=True)
    return found, np.bincount(places, over[known]) / np.bincount(places, under[known])


def equation(fit: Fit, experiment: Experiment) -> str:
    """A line in words, such as ``1,012 + 3.2 × batch size,  R² = 0.41,  n = 48``."""
    is_product = fit.parameter in map(words.product, experiment.products)
    name = "product" if is_product else _plain(words.inside(words.parameter(experiment, fit.parameter)))
    name = name if len(name) <= LONGEST_NAME else "x"
    sign = "−" if fit.slope < 0 else "+"
    line = f"{_short(fit.intercept)} {sign} {_short(abs(fit.slope))} × {name}"
    return f"{line},   R² = {fit.r2:.2f},   n = {fit.n}"


def _rates_figure(groups: dict[str, Measurements], colours: dict[str, str]) -> Figure:
    places = {
        key: x for x, key in enumerate(sorted({_place(key) for group in groups.values() for key in group.cell_keys}))
    }
    which = next(iter(groups.values())).experiment
    figure = _figure(4.6, f"{which.rate_unit} in each cell of the grid")
    panel = figure.subplots()
    room, speeds = 0.8 / len(groups), []
    for turn, (name, group) in enumerate(groups.items()):
        shift = (turn - (len(groups) - 1) / 2) * room
        order, sizes = np.argsort(group.cells, kind="stable"), np.bincount(group.cells)
        for key, rates in zip(group.cell_keys, np.split(group.rates[order], np.cumsum(sizes)[:-1]), strict=True):
            _strip(panel, places[_place(key)] + shift, room, rates, colours[name])
        totals = np.bincount(group.cells, group.counts) / np.bincount(group.cells, group.seconds)
        speeds += totals[totals != 0].tolist()
    _tidy(panel)
    if speeds and max(speeds) > MOST_APART * min(speeds):
        panel.set_yscale("log")
    else:
        panel.set_ylim(bottom=0)
    panel.set_ylabel(_plain(_unit(which)), color=INK)
    _cell_axis(panel, list(places), [_plain(words.parameter(which, name)) for name in which.numeric])
    panel.set_title("a point is a measurement, a bar the median of its cell", color=GREY, fontsize=9, loc="left")
    handles = [
        Line2D([], [], color=colours[name], lw=2.2, marker="o", ms=4, label=_plain(words.series(which, name)))
        for name in groups
    ]
    # Beside the title there is room for three.
    figure.legend(handles=handles, **BELOW | ({"loc": "outside upper right"} if len(groups) <= 3 else {}))
    return figure


def _strip(panel: Any, x: float, room: float, rates: Array, colour: str) -> None:
    """One series' measurements in one cell: a point each, and a bar at their median."""
    panel.plot([x] * len(rates), rates, "o", color=colour, alpha=0.4, markersize=4, markeredgewidth=0, zorder=2)
    half = min(room * 0.4, 0.15)
    panel.plot([x - half, x + half], [np.median(rates)] * 2, "-", color=colour, linewidth=2.2, zorder=3)


def _cell_axis(panel: Any, places: Sequence[tuple[float, ...]], parameters: Sequence[str]) -> None:
    """Name the cells below: by their last parameter, and under it by the one before, if there are several."""
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
        panel.axvline(start - 0.5, color=PALE, linewidth=0.8, zorder=1)
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


def _figure(height: float, title: str) -> Figure:
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
    figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
    figure.suptitle(_plain(title), x=0.012, ha="left", color=INK, fontsize=13, weight="bold")
    return figure


def apart(ticks: Array) -> list[float]:
    """Those of the sorted ticks that do not run into each other; the first and the last are among them."""
    kept = [ticks[-1]]
    for tick in reversed(ticks[:-1]):
        if kept[-1] - tick >= 0.05 * (ticks[-1] - ticks[0]):
            kept.append(tick)
    return [ticks[0], *kept[-2::-1]]


def _tidy(panel: Any) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color("#999999")
    panel.grid(axis="y", color=PALE, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.tick_params(colors="#999999", labelcolor=INK, labelsize=9)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    panel.yaxis.set_major_locator(MaxNLocator(6))


def _legend(colour: str, experiment: Experiment, is_rate: bool) -> list[Line2D]:
    average = f"average (sum of {experiment.unit} / sum of seconds)" if is_rate else "average"
    return [
        Line2D([], [], marker="o", ls="", color=colour, alpha=0.4, ms=4, markeredgewidth=0, label="one measurement"),
        Line2D([], [], marker="D", ls="", color=colour, ms=6, markeredgecolor="white", label=average),
        Line2D([], [], color=INK, lw=1.4, label="straight line, with its 95 % band"),
    ]


def _unit(experiment: Experiment) -> str:
    return f"{experiment.unit} per second"


def _plain(text: str) -> str:
    """Text in which matplotlib looks for no formulas."""
    return text.replace("$", r"\$")


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)


def _short(value: float) -> str:
    """A number as people write it: three digits, and thousands apart; nothing where there is none."""
    if math.isinf(value):
        return ""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", "−")


def _save(figure: Figure, path: Path) -> Path:
    canvas = FigureCanvasAgg(figure)
    # Compressing well takes a third of the time of a picture, and saves a fifth of 100 kB.
    return write_whole(path, lambda aside: canvas.print_figure(aside, format="png", pil_kwargs={"compress_level": 1}))
