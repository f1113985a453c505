"""The pictures of rates, caching, slowdowns and money.

Each function draws one figure from the material, or returns None where there is nothing to show. Rows are aggregated
first: a figure of a million rows has as many marks as one of a hundred.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flowerexp.analysis import words
from flowerexp.analysis.caching import Caching
from flowerexp.analysis.drawing import ACCENT, INK, LINE, MUTED, PAPER, legend, number, plain, tidy, title
from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.interference import Slowdown
from flowerexp.analysis.report.cells import OF_VALUE, value_of, values_of
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.rows import of_each_run, of_runs
from flowerexp.analysis.report.runs import Run, short, shown
from flowerexp.analysis.report.svg import WIDTH, figure

if TYPE_CHECKING:
    import pandas

MOST_LINES = 24
"""The most settings or pairs that one picture shows."""
MOST_PANELS = 6
"""The most series that have a panel each."""
MOST_TICKS = 8
"""Values of a parameter with a label."""
MOST_VALUES = 16
"""Values of a parameter with a place of their own; more are drawn in as many groups."""


def settings(material: Material) -> dict[str, list[Run]]:
    """The measured runs by what they vary, repeats together."""
    by_setting: dict[str, list[Run]] = {}
    for run in material.measured:
        values = [f"{short(key)}={shown(run.varied[key])}" for key in material.varied if key in run.varied]
        by_setting.setdefault(" ".join(values) or run.label, []).append(run)
    return by_setting


def overview(material: Material) -> Figure | None:
    """The value of each setting with its interval, a panel for each series; of many settings, the best are drawn."""
    timed, groups = material.valued[[*OF_VALUE]], settings(material)
    series = words.ordered(material.experiment, timed["series"].unique())
    if len(groups) < 2 or not 0 < len(series) <= MOST_PANELS:
        return None
    chosen = list(groups)
    if len(chosen) > MOST_LINES:
        sums = timed.groupby("run", observed=True)[["top", "bottom"]].sum()
        values = sums["top"] / sums["bottom"]
        sign = 1.0 if material.experiment.value.better == "higher" else -1.0
        best = {
            name: max((sign * values[run.name] for run in runs if run.name in values), default=-math.inf)
            for name, runs in groups.items()
        }
        chosen = sorted(chosen, key=lambda name: -best[name])[:MOST_LINES]
    drawn = figure(0.9 + 0.34 * len(chosen))
    panels = drawn.subplots(1, len(series), sharey=True, squeeze=False)[0]
    tones = material.tones
    for panel, one_series in zip(panels, series, strict=True):
        rows = timed[timed["series"] == one_series]
        for line, name in enumerate(chosen):
            part = of_runs(rows, groups[name])
            if len(groups[name]) > 1:
                several = [run.values[one_series] for run in groups[name] if one_series in run.values]
                panel.plot(
                    several,
                    [line] * len(several),
                    "o",
                    color=tones[one_series],
                    alpha=0.3,
                    ms=4,
                    mew=0,
                    zorder=2,
                )
            _bar(panel, value_of(part, material), line, tones[one_series], across=True)
        tidy(panel, grid="x", thousands="x")
        panel.set_xlim(left=0)
        title(panel, words.series(material.experiment, one_series))
        panel.set_xlabel(material.experiment.value_unit)
    panels[0].set_yticks(range(len(chosen)), [plain(name) for name in chosen])
    panels[0].set_ylim(len(chosen) - 0.5, -0.5)
    return drawn


def ranking(material: Material) -> Figure | None:
    """The value of each series with its interval, the best first; of all runs together."""
    timed = material.valued
    sign = 1.0 if material.experiment.value.better == "higher" else -1.0
    values = values_of(timed, material)
    if len(values) < 2:
        return None
    names = sorted(values, key=lambda name: -sign * values[name].value)[:MOST_LINES]
    drawn = figure(0.9 + 0.34 * len(names))
    panel, tones = drawn.subplots(), material.tones
    for line, name in enumerate(names):
        _bar(panel, values[name], line, tones[name], across=True)
    tidy(panel, grid="x", thousands="x")
    panel.set_xlim(left=0)
    panel.set_xlabel(material.experiment.value_unit)
    panel.set_yticks(range(len(names)), [plain(words.series(material.experiment, name)) for name in names])
    panel.set_ylim(len(names) - 0.5, -0.5)
    return drawn


def _bar(panel: Any, rate: Interval | None, place: float, colour: str, across: bool = False) -> None:
    """A rate as a dot, with its interval as a line."""
    if rate is None:
        return
    ends = (rate.low, rate.high)
    if None not in ends:
        line = (ends, (place, place)) if across else ((place, place), ends)
        panel.plot(*line, "-", color=colour, lw=2.4, alpha=0.55, solid_capstyle="round", zorder=3)
    spot = (rate.value, place) if across else (place, rate.value)
    panel.plot(*([value] for value in spot), "o", color=colour, ms=7, mec=PAPER, mew=1.2, zorder=4)


def by_parameter(material: Material) -> Figure | None:
    """Values by each parameter that a sweep or a grid varies, with intervals; everything else pooled."""
    timed = material.valued
    columns = parameters(material, timed)
    if not columns:
        return None
    series = words.ordered(material.experiment, timed["series"].unique())
    across = 2 if len(columns) == 4 else min(3, len(columns))
    lines = -(-len(columns) // across)
    drawn = figure(0.5 + 2.7 * lines, WIDTH if across > 1 else WIDTH * 0.6)
    grid = drawn.subplots(lines, across, sharey=True, squeeze=False)
    tones = material.tones
    for panel, (name, column) in zip(grid.flat, columns.items(), strict=False):
        _parameter(panel, name, timed[[*OF_VALUE]].assign(value=column), material, tones)
    for panel in grid.flat[len(columns) :]:
        panel.set_visible(False)
    for panel in grid[:, 0]:
        panel.set_ylabel(material.experiment.value_unit)
    grid[0, 0].set_ylim(bottom=0)
    if len(series) > 1:
        legend(drawn, {words.series(material.experiment, name): tones[name] for name in series})
    return drawn


def parameters(material: Material, timed: pandas.DataFrame) -> dict[str, pandas.Series[Any]]:
    """The columns to group by: what the runs vary, then the grid; without those that have one value."""
    columns: dict[str, Any] = {}
    for key in material.varied:
        values = {run.name: run.varied.get(key) for run in material.measured}
        columns[short(key)] = of_each_run(timed, values)
    experiment = material.experiment
    columns |= {words.parameter(experiment, name): timed[name] for name in experiment.numeric}
    for names in experiment.products:
        columns[words.parameter(experiment, words.product(names))] = timed[[*names]].prod(axis=1, skipna=False)
    return {name: column for name, column in columns.items() if column.nunique() > 1}


def _parameter(panel: Any, key: str, rows: pandas.DataFrame, material: Material, tones: dict[str, str]) -> None:
    groups = bundles(rows["value"])
    places = rows["value"].map({value: place for place, group in enumerate(groups) for value in group})
    for name, of_series in rows.groupby("series", observed=True):
        rates = [(int(place), value_of(part, material)) for place, part in of_series.groupby(places)]
        known = [(place, rate) for place, rate in rates if rate]
        if are_numbers(groups):
            values = [rate.value for _, rate in known]
            panel.plot([place for place, _ in known], values, "-", color=tones[str(name)], lw=1.2, alpha=0.5, zorder=2)
        for place, rate in known:
            _bar(panel, rate, place, tones[str(name)])
    tidy(panel)
    ticks(panel, groups)
    title(panel, f"by {key}")


def bundles(values: pandas.Series[Any]) -> list[list[Any]]:
    """The different values of a parameter, sorted, each on its own; neighbours together where there are many."""
    different = sorted(values.dropna().unique().tolist(), key=lambda value: (isinstance(value, str), value))
    count = min(len(different), MOST_VALUES)
    edges = [round(place * len(different) / count) for place in range(count + 1)]
    return [different[start:end] for start, end in itertools.pairwise(edges)]


def are_numbers(groups: Sequence[Sequence[Any]]) -> bool:
    """Whether all values are numbers, so that a line may join them."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for group in groups for value in group)


def ticks(panel: Any, groups: Sequence[Sequence[Any]]) -> None:
    """Give each group of values a place on the x axis, and as many labels as fit."""
    labels = [shown_value(group[0]) if len(group) == 1 else f"{shown_value(group[0])}+" for group in groups]
    step = -(-len(groups) // MOST_TICKS)
    turned = 30 if sum(map(len, labels[::step])) > 40 else 0
    panel.set_xticks(range(0, len(groups), step), labels[::step], rotation=turned, ha="right" if turned else "center")
    panel.set_xlim(-0.6, len(groups) - 0.4)


def shown_value(value: Any) -> str:
    """A parameter's value on an axis."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return number(value) if isinstance(value, int | float) else plain(str(value))


def caching_pairs(caching: Caching, labels: dict[str, str]) -> Figure:
    """Each pair's wall times: with caching, without, and their ratio.

    Args:
        caching: the pairs.
        labels: what each run is called, by its name.
    """
    step = -(-len(caching.pairs) // MOST_LINES)
    pairs = caching.pairs[::step]
    drawn = figure(1.0 + 0.34 * len(pairs), WIDTH)
    panel = drawn.subplots()
    for line, pair in enumerate(pairs):
        panel.plot([pair.on.seconds, pair.off.seconds], [line, line], "-", color=LINE, lw=4, zorder=2)
        panel.plot([pair.off.seconds], [line], "o", color=PAPER, mec=ACCENT, mew=2, ms=7, zorder=3)
        panel.plot([pair.on.seconds], [line], "o", color=ACCENT, mec=ACCENT, mew=2, ms=7, zorder=3)
        far = max(pair.on.seconds, pair.off.seconds)
        note = f"  {pair.ratio:.2f} ×,  {pair.off.executions:.0f} against {pair.on.executions:.0f} executions a cell"
        panel.annotate(note, (far, line), (8, 0), textcoords="offset points", va="center", color=MUTED, fontsize=9)
    tidy(panel, grid="x", thousands="x")
    panel.set_xlim(0, 1.6 * max(max(pair.on.seconds, pair.off.seconds) for pair in pairs))
    panel.set_yticks(range(len(pairs)), [plain(labels.get(pair.on.run, pair.on.run)) for pair in pairs])
    panel.set_ylim(len(pairs) - 0.5, -0.5)
    panel.set_xlabel("seconds of measuring, all actions")
    marks = [
        Line2D([], [], color=ACCENT, marker="o", mfc=fill, mew=2, ms=7, ls="", label=f"caching {word}")
        for word, fill in (("on", ACCENT), ("off", PAPER))
    ]
    drawn.legend(handles=marks, loc="outside upper left", ncols=2, frameon=False, labelcolor=INK, fontsize=9.5)
    return drawn


def slowdowns(material: Material, found: Sequence[Slowdown]) -> Figure:
    """How much longer each series takes when several are measured at once, with its interval."""
    drawn = figure(1.0 + 0.34 * len(found), WIDTH * 0.85)
    panel = drawn.subplots()
    for line, slowdown in enumerate(found):
        ratio, tone = slowdown.ratio, material.tones[slowdown.series]
        panel.plot(
            [ratio.low or ratio.value, ratio.high or ratio.value], [line, line], "-", color=tone, lw=2.5, alpha=0.6
        )
        panel.plot([ratio.value], [line], "o", color=tone, ms=9, mec=PAPER, mew=1.4, zorder=3)
    panel.axvline(1, color=MUTED, lw=1.2, zorder=1)
    tidy(panel, grid="x", thousands="x")
    ratios = [slowdown.ratio for slowdown in found]
    panel.set_xlim(min(0.9, *(ratio.low or 1 for ratio in ratios)), 1.1 * max(ratio.high or 1 for ratio in ratios))
    labels = [plain(f"{material.label(slowdown.series)}, {slowdown.at_once} at once") for slowdown in found]
    panel.set_yticks(range(len(found)), labels)
    panel.set_ylim(len(found) - 0.5, -0.5)
    panel.set_xlabel("times as long as alone")
    return drawn


def time_and_money(material: Material) -> Figure | None:
    """Each cluster's wall time against its cost, a dot for each run; nothing where no cost is known."""
    known = [(run, cost) for run in material.measured if (cost := run.dollars) is not None]
    if not known:
        return None
    drawn = figure(3.4, WIDTH * 0.75)
    panel = drawn.subplots()
    points = [(run.seconds.own, cost) for run, cost in known]
    panel.plot(*zip(*points, strict=True), "o", color=ACCENT, ms=6, alpha=0.35, mew=0)
    for cluster in dict.fromkeys(run.cluster for run, _ in known):
        of_cluster = [(run.seconds.own, cost) for run, cost in known if run.cluster == cluster]
        middle = tuple(sum(values) / len(of_cluster) for values in zip(*of_cluster, strict=True))
        panel.plot(*([value] for value in middle), "o", color=ACCENT, ms=10, mec=PAPER, mew=1.5)
        panel.annotate(plain(cluster), middle, (9, 7), textcoords="offset points", color=INK, fontsize=9.5)
    tidy(panel, grid="both", thousands="x")
    panel.set_xlim(0, 1.25 * max(seconds for seconds, _ in points))
    panel.set_ylim(0, 1.25 * max(cost for _, cost in points) or 1)
    panel.set_xlabel("seconds of a run, without preparing and warming up")
    panel.set_ylabel("US dollars")
    return drawn
