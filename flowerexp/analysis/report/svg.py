"""Figures for a page: drawn by matplotlib, written as SVG that takes its colours from the page.

A figure is drawn in the colours of the light scheme; in the SVG each becomes a CSS variable, so that the same picture
suits a light page, a dark one and paper. Text stays text: it can be searched, and uses the page's font.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flowerexp.analysis.words import PALETTE

WIDTH = 9.2
"""Inches; a page scales it to its own width."""

INK, MUTED, LINE, PAPER = "#1d2733", "#5c6876", "#dde2e8", "#fefefe"
ACCENT, GOOD, WARN = "#3b5bdb", "#2b8a3e", "#b35c00"

VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    PAPER: "--paper",
    ACCENT: "--accent",
    GOOD: "--good",
    WARN: "--warn",
    **{colour: f"--series-{place}" for place, colour in enumerate(PALETTE)},
}


def figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure, in inches."""
    made = Figure(figsize=(width, height), facecolor="none")
    made.set_layout_engine("constrained", h_pad=0.07, w_pad=0.1, wspace=0.03)
    return made


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


def inline(made: Figure, label: str) -> str:
    """A figure as an ``<svg>`` element.

    Args:
        made: the figure.
        label: what it shows, for those who do not see it.
    """
    buffer = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": label, "font.family": ["DejaVu Sans"]}
    with matplotlib.rc_context(settings):
        FigureCanvasSVG(made).print_svg(buffer, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    box = re.search(r'viewBox="([^"]+)"', text)
    body = text[text.index(">") + 1 : text.rindex("</svg>")]
    # Its style would apply to the whole page, and ids that are no targets would clash with other figures'.
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"font(-family)?: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font\1: \2var(--font)", body)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    body = re.sub(r"\s*\n\s*", " ", body)
    width = min(100, round(100 * made.get_figwidth() / WIDTH))
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    shape = f'style="max-width: {width}%" viewBox="{box.group(1) if box else ""}"'
    return f'<svg {shape} role="img" aria-label="{html.escape(label, quote=True)}" {spaces}>{body}</svg>'
