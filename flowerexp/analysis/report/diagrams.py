"""The picture of how busy executors were over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from flowerexp.analysis.drawing import ACCENT, INK, LINE, MUTED, PAPER, plain, tidy
from flowerexp.analysis.event_log import EventLog
from flowerexp.analysis.report.runs import Run
from flowerexp.analysis.report.svg import figure
from flowerexp.analysis.utilisation import over_time

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

STEPS = 240
"""The number of equal parts of time in a picture."""
MOST_STRIPS = 32
"""The most strips; more executors are drawn in as many groups of neighbours."""
HERE = "this machine"
"""The name of a local run's host: a report may be passed on, and should not name its writer's machine."""
_SHADES = {"working": 0.85, "waiting to measure": 0.3}
"""What a core with a task does, and how dark that is drawn."""


def busy_executors(log: EventLog, runs: Sequence[Run]) -> Figure | None:
    """What each executor did over time: a strip each, in three shades, and above them the runs that they worked for."""
    start, end = log.span
    executors, working, waiting = over_time(log, start, end, STEPS)
    if not executors or not log.tasks:
        return None
    here = bool(runs) and all(run.is_here for run in runs)
    hosts = [HERE if here else executor.host for executor in executors]
    names, work, wait = _strips(
        [
            f"{host} {executor.name}" if executor.name != "driver" else host
            for host, executor in zip(hosts, executors, strict=True)
        ],
        [executor.cores for executor in executors],
        working,
        waiting,
    )
    drawn = figure(1.25 + max(0.9, 0.26 * len(names)))
    panel = drawn.subplots()
    edges = np.linspace(0, end - start, STEPS + 1)
    for line, (working_share, busy_share) in enumerate(zip(work, work + wait, strict=True)):
        _strip(panel, edges, line, np.zeros_like(working_share), working_share, _SHADES["working"])
        _strip(panel, edges, line, working_share, busy_share, _SHADES["waiting to measure"])
        panel.axhline(line + 0.42, color=LINE, lw=0.8, zorder=0)
    _mark_runs(panel, runs, start, end)
    tidy(panel, grid="x", thousands="x")
    panel.set_xlim(0, end - start)
    panel.set_ylim(len(names) - 0.5, -0.62)
    panel.set_yticks(range(len(names)), [plain(name) for name in names])
    panel.set_xlabel("seconds since the Spark application started")
    marks = [Patch(color=ACCENT, alpha=shade, lw=0, label=word) for word, shade in _SHADES.items()]
    marks.append(Patch(facecolor=PAPER, edgecolor=LINE, label="idle"))
    drawn.legend(handles=marks, loc="outside upper left", ncols=3, frameon=False, labelcolor=INK, fontsize=9.5)
    return drawn


def _strip(panel: Any, edges: Array, line: int, low: Array, high: Array, shade: float) -> None:
    """Fill a strip between two shares of its height."""
    bottom, top = (line + 0.42 - 0.84 * np.append(share, share[-1]) for share in (low, high))
    panel.fill_between(edges, bottom, top, step="post", color=ACCENT, linewidth=0, alpha=shade)


def _strips(
    names: Sequence[str], cores: Sequence[int], working: Array, waiting: Array
) -> tuple[list[str], Array, Array]:
    """At most `MOST_STRIPS` strips of each of two shares: neighbours are averaged, by their cores."""
    if len(names) <= MOST_STRIPS:
        named = [f"{name} ({count} cores)" for name, count in zip(names, cores, strict=True)]
        return named, working, waiting
    groups = np.array_split(np.arange(len(names)), MOST_STRIPS)
    weights = np.array(cores, float)
    first, second = (
        np.stack([np.average(share[group], axis=0, weights=weights[group]) for group in groups])
        for share in (working, waiting)
    )
    return [f"{len(group)} executors from {names[group[0]]}" for group in groups], first, second


def _mark_runs(panel: Any, runs: Sequence[Run], start: float, end: float) -> None:
    """Where each run begins; its name too where there is room."""
    carried = [run for run in runs if start <= run.record.get("started_at", 0) <= end]
    if len(carried) < 2:
        return
    for run in carried:
        begins = run.record["started_at"] - start
        ends = (run.record.get("ended_at") or end) - start
        panel.axvline(begins, color=MUTED, lw=0.8, ls=(0, (2, 2)), zorder=1)
        if (ends - begins) / (end - start) > 0.022 * len(run.name):
            panel.text(
                (begins + ends) / 2,
                1.01,
                plain(run.name),
                transform=panel.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=8.5,
                color=MUTED,
            )
