"""How all pictures look: their colours, axes, numbers and legends.

Imports matplotlib: import this module only when pictures are wanted. Figures are drawn through matplotlib's objects,
never pyplot, so nothing here is global and no display is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flowerexp.measurements.table import Array

INK, MUTED, LINE, PAPER = "#1d2733", "#5c6876", "#dde2e8", "#fefefe"
ACCENT, GOOD, WARN = "#3b5bdb", "#2b8a3e", "#b35c00"


def tidy(panel: Any, grid: str = "y", thousands: str = "y") -> None:
    """Give axes the look of all pictures: few and pale lines.

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
    """A number with at least three digits, and commas between thousands."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"
    return text.replace("-", "−")


def legend(drawn: Figure, tones: Mapping[str, str]) -> None:
    """Add a legend above a figure: the label of each colour."""
    marks = [Line2D([], [], color=tone, marker="o", ms=6.5, lw=2, label=plain(label)) for label, tone in tones.items()]
    drawn.legend(handles=marks, loc="outside upper left", ncols=4, frameon=False, labelcolor=INK, fontsize=9.5)


def plain(text: str) -> str:
    """Text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")


def apart(ticks: Array) -> list[float]:
    """Those of the sorted ticks that do not overlap, the first and the last included."""
    kept = [ticks[-1]]
    for tick in reversed(ticks[:-1]):
        if kept[-1] - tick >= 0.05 * (ticks[-1] - ticks[0]):
            kept.append(tick)
    return [ticks[0], *kept[-2::-1]]
