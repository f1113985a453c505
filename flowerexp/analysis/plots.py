"""The pictures of a run: a line for each parameter and reader, and the readers side by side.

Imports matplotlib: import this module only when pictures are wanted. Figures are drawn through matplotlib's objects,
never pyplot, so nothing here is global and no display is needed.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flowerexp.analysis.regression import PRODUCT, RATE, Fit, band, parameter_of, points
from flowerexp.analysis.summary import Cell, by_reader, summarise
from flowerexp.measurements import Row, by_cell, first_executions, number, rate, total_rate, write_whole

WIDTH, DPI = 8.0, 150  # inches, dots an inch: 1200 px wide
COLOURS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # of others' readers; all are Okabe and Ito's, for any eyes
READER_COLOURS = {
    "tfrecords": "#0072B2",
    "image_files": "#D55E00",
    **dict(
        zip(("tfrecords_native", "image_files_native", "tfrecords_cached", "image_files_cached"), COLOURS, strict=True)
    ),
}
INK, GREY, PALE = "#333333", "#666666", "#DDDDDD"
MOST_TICKS = 8  # values of a parameter that get a tick of their own
MOST_APART = 100  # the fastest cell is so many times as fast as the slowest: on a straight scale the latter would be 0
MOST_LABELS = 24  # cells that get a label of their own
LEGEND: dict[str, Any] = {"frameon": False, "labelcolor": INK, "fontsize": 8.5}

READERS = {
    "image_files": "Image files",
    "image_files_native": "Image files, native",
    "image_files_cached": "Image files, cached",
    "tfrecords": "TFRecords",
    "tfrecords_native": "TFRecords, native",
    "tfrecords_cached": "TFRecords, cached",
}
AXES = {
    "batch_size": "batch size (images per batch)",
    "batch_number": "batch number (batches per measurement)",
    PRODUCT: "batch size × batch number (images)",
    "repetition": "repetition",
}


def plot_regressions(rows: Sequence[Row], fits: Sequence[Fit], folder: Path, name: str = "all") -> list[Path]:
    """Draw ``regression_<reader>.png`` for each reader that has lines, and ``rates.png`` of two or more cells.

    Args:
        rows: all rows; first executions are drawn.
        fits: the lines, from `fit_all` on the same rows and name.
        folder: where the pictures go.
        name: what the rows that name no reader are called.

    Returns:
        The files, 1200 px wide.
    """
    groups = by_reader(first_executions(rows), name)
    colours = _colours(groups)
    paths = []
    for reader, value in dict.fromkeys((fit.reader, fit.value) for fit in fits):
        own = [fit for fit in fits if (fit.reader, fit.value) == (reader, value)]
        figure = _regression_figure(groups[reader], own, colours[reader])
        suffix = "" if value == RATE else f"_{value}"
        paths.append(_save(figure, folder / f"{_slug(f'regression_{reader}{suffix}')}.png"))
    cells = [
        cell for group in summarise(rows, name).groups for cell in group.cells if cell.images_per_second is not None
    ]
    if len({(cell.batch_size, cell.batch_number) for cell in cells}) > 1:
        paths.append(_save(_rates_figure(groups, cells, colours), folder / "rates.png"))
    return paths


def _regression_figure(rows: Sequence[Row], fits: Sequence[Fit], colour: str) -> Figure:
    columns = min(2, len(fits))
    lines = -(-len(fits) // columns)
    value = fits[0].value
    what = "reading speed" if value == RATE else _label(value)
    figure = _figure(1.5 + 2.6 * lines, f"{_label(fits[0].reader)}: {what} against each parameter")
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for panel, fit in zip(grid.flat, fits, strict=False):
        _panel(panel, rows, fit, colour)
    for panel in grid.flat[len(fits) :]:
        panel.set_visible(False)
    for panel in grid[:, 0]:
        panel.set_ylabel(_unit(value), color=INK)
    if min(points(rows, fits[0].parameter, value)[1]) >= 0:
        grid[0, 0].set_ylim(bottom=0)  # of all panels, and only now that all of them are drawn
    note = "An average counts images over time, so long measurements weigh more; the line counts all alike."
    legend = figure.legend(handles=_legend(colour, value), loc="outside lower center", ncols=3, **LEGEND)
    if value == RATE:
        legend.set_title(note)
        legend.get_title().set(color=GREY, fontsize=8)
    return figure


def _panel(panel: Any, rows: Sequence[Row], fit: Fit, colour: str) -> None:
    xs, ys = points(rows, fit.parameter, fit.value)
    averages = _averages(rows, fit)
    ends = [min(xs), max(xs)]
    across = np.linspace(ends[0], ends[1], 30).tolist()
    panel.fill_between(across, *band(xs, ys, across), color=INK, alpha=0.12, linewidth=0, zorder=1)
    panel.plot(xs, ys, "o", color=colour, alpha=0.35, markersize=4, markeredgewidth=0, zorder=2)
    panel.plot(ends, [fit.intercept + fit.slope * x for x in ends], "-", color=INK, linewidth=1.4, zorder=3)
    panel.plot(
        list(averages), list(averages.values()), "D", color=colour, markersize=6, markeredgecolor="white", zorder=4
    )
    _tidy(panel)
    if len(averages) <= MOST_TICKS:
        panel.set_xticks(apart(list(averages)))
    panel.set_xlabel(AXES.get(fit.parameter, _label(fit.parameter)), color=INK)
    panel.set_title(equation(fit), color=INK, fontsize=9.5, loc="left")


def _averages(rows: Sequence[Row], fit: Fit) -> dict[float, float]:
    """For each value of the parameter: images over seconds, both summed; of other columns the mean."""
    groups: dict[float, list[Row]] = {}
    for row in rows:
        if (x := parameter_of(row, fit.parameter)) is not None:
            groups.setdefault(x, []).append(row)
    averages = {}
    for x, group in sorted(groups.items()):
        found = [y for row in group if (y := number(row, fit.value)) is not None]
        average = total_rate(group) if fit.value == RATE else statistics.fmean(found) if found else None
        if average is not None:
            averages[x] = average
    return averages


def equation(fit: Fit) -> str:
    """A line in words, such as ``1,012 + 3.2 × batch size,  R² = 0.41,  n = 48``."""
    name = "product" if fit.parameter == PRODUCT else _label(fit.parameter).lower()
    sign = "−" if fit.slope < 0 else "+"
    line = f"{_short(fit.intercept)} {sign} {_short(abs(fit.slope))} × {name}"
    return f"{line},   R² = {fit.r2:.2f},   n = {fit.n}"


def _rates_figure(groups: dict[str, list[Row]], cells: Sequence[Cell], colours: dict[str, str]) -> Figure:
    places = {key: x for x, key in enumerate(sorted({_place(cell.batch_size, cell.batch_number) for cell in cells}))}
    readers = list(dict.fromkeys(cell.group for cell in cells))
    figure = _figure(4.6, "Reading speed in each cell of the grid")
    panel = figure.subplots()
    room = 0.8 / len(readers)
    for turn, reader in enumerate(readers):
        own = {_place(*key[1:]): rows for key, rows in by_cell(groups[reader]).items()}
        shift = (turn - (len(readers) - 1) / 2) * room
        for place, rows in own.items():
            rates = [value for row in rows if (value := rate(row)) is not None]
            if rates:
                _strip(panel, places[place] + shift, room, rates, colours[reader])
    _tidy(panel)
    speeds = [cell.images_per_second for cell in cells if cell.images_per_second]
    if speeds and max(speeds) > MOST_APART * min(speeds):
        panel.set_yscale("log")
    else:
        panel.set_ylim(bottom=0)
    panel.set_ylabel(_unit(RATE), color=INK)
    _cell_axis(panel, list(places))
    panel.set_title("a point is a measurement, a bar the median of its cell", color=GREY, fontsize=9, loc="left")
    handles = [
        Line2D([], [], color=colours[reader], lw=2.2, marker="o", ms=4, label=_label(reader)) for reader in readers
    ]
    # Beside the title there is room for three.
    figure.legend(
        handles=handles, loc=f"outside {'upper right' if len(readers) <= 3 else 'lower center'}", ncols=3, **LEGEND
    )
    return figure


def _strip(panel: Any, x: float, room: float, rates: Sequence[float], colour: str) -> None:
    """One reader's measurements in one cell: a point each, and a bar at their median."""
    panel.plot([x] * len(rates), rates, "o", color=colour, alpha=0.4, markersize=4, markeredgewidth=0, zorder=2)
    half = min(room * 0.4, 0.15)
    panel.plot([x - half, x + half], [statistics.median(rates)] * 2, "-", color=colour, linewidth=2.2, zorder=3)


def _cell_axis(panel: Any, places: Sequence[tuple[float, float]]) -> None:
    """Name the cells below: batch numbers, and under them the batch sizes that they belong to."""
    step = -(-len(places) // MOST_LABELS)
    panel.set_xticks(range(0, len(places), step), [_short(count) if count else "" for _, count in places[::step]])
    panel.set_xlim(-0.6, len(places) - 0.4)
    sizes = [size for size, _ in places]
    starts = [sizes.index(size) for size in dict.fromkeys(sizes)]
    ends = [*starts[1:], len(places)]
    for start in starts[1:]:
        panel.axvline(start - 0.5, color=PALE, linewidth=0.8, zorder=1)
    step = -(-len(starts) // MOST_LABELS)
    below = panel.secondary_xaxis(location=-0.07)
    below.set_xticks(
        [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)][::step],
        [f"batch size {_short(sizes[start])}" if len(starts) <= 6 else _short(sizes[start]) for start in starts][
            ::step
        ],
    )
    below.tick_params(length=0, labelcolor=INK, labelsize=9)
    below.spines["bottom"].set_visible(False)
    below.set_xlabel("batch number, and below it the batch size", color=INK, fontsize=9)


def _place(batch_size: float | None, batch_number: float | None) -> tuple[float, float]:
    return batch_size or 0, batch_number or 0


def _figure(height: float, title: str) -> Figure:
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
    figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
    figure.suptitle(title, x=0.012, ha="left", color=INK, fontsize=13, weight="bold")
    return figure


def _colours(readers: Iterable[str]) -> dict[str, str]:
    """A colour for each reader; ours have the same in every picture."""
    others = sorted(set(readers) - set(READER_COLOURS))
    return READER_COLOURS | {reader: COLOURS[place % len(COLOURS)] for place, reader in enumerate(others)}


def apart(values: Sequence[float]) -> list[float]:
    """Those of the sorted values whose ticks do not run into each other; the first and the last are among them."""
    kept = [values[-1]]
    for value in reversed(values[:-1]):
        if kept[-1] - value >= 0.05 * (values[-1] - values[0]):
            kept.append(value)
    return [values[0], *kept[-2::-1]]


def _tidy(panel: Any) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color("#999999")
    panel.grid(axis="y", color=PALE, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.tick_params(colors="#999999", labelcolor=INK, labelsize=9)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    panel.yaxis.set_major_locator(MaxNLocator(6))


def _legend(colour: str, value: str) -> list[Line2D]:
    average = "average (sum of images / sum of seconds)" if value == RATE else "average"
    return [
        Line2D([], [], marker="o", ls="", color=colour, alpha=0.4, ms=4, markeredgewidth=0, label="one measurement"),
        Line2D([], [], marker="D", ls="", color=colour, ms=6, markeredgecolor="white", label=average),
        Line2D([], [], color=INK, lw=1.4, label="straight line, with its 95 % band"),
    ]


def _unit(value: str) -> str:
    return "images per second" if value == RATE else _label(value)


def _label(name: str) -> str:
    return READERS.get(name, name.replace("_", " ")).replace("$", r"\$")


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)


def _short(value: float) -> str:
    """A number as people write it: three digits, and thousands apart."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", "−")


def _save(figure: Figure, path: Path) -> Path:
    canvas = FigureCanvasAgg(figure)
    # Compressing well takes a third of the time of a picture, and saves a fifth of 100 kB.
    return write_whole(path, lambda aside: canvas.print_figure(aside, format="png", pil_kwargs={"compress_level": 1}))
