"""Figures for a page: drawn by matplotlib, written as SVG that takes its colours from the page.

A figure is drawn in the colours of the light scheme; in the SVG each becomes a CSS variable, so that the same picture
suits a light page, a dark one and paper. Text stays text: it can be searched, and uses the page's font.
"""

from __future__ import annotations

import html
import io
import re

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from flowerexp.analysis.drawing import ACCENT, GOOD, INK, LINE, MUTED, PAPER, WARN
from flowerexp.analysis.words import PALETTE

WIDTH = 9.2
"""Inches; a page scales it to its own width."""

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
    empty = Figure(figsize=(width, height), facecolor="none")
    empty.set_layout_engine("constrained", h_pad=0.07, w_pad=0.1, wspace=0.03)
    return empty


def inline(drawn: Figure, label: str) -> str:
    """A figure as an ``<svg>`` element.

    Args:
        drawn: the figure.
        label: what it shows, for those who do not see it.
    """
    buffer = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": label, "font.family": ["DejaVu Sans"]}
    with matplotlib.rc_context(settings):
        FigureCanvasSVG(drawn).print_svg(buffer, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    box = re.search(r'viewBox="([^"]+)"', text)
    body = text[text.index(">") + 1 : text.rindex("</svg>")]
    # Its style would apply to the whole page, and ids that nothing refers to would clash with those of other figures.
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"font(-family)?: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font\1: \2var(--font)", body)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    body = re.sub(r"\s*\n\s*", " ", body)
    width = min(100, round(100 * drawn.get_figwidth() / WIDTH))
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    shape = f'style="max-width: {width}%" viewBox="{box.group(1) if box else ""}"'
    return f'<svg {shape} role="img" aria-label="{html.escape(label, quote=True)}" {spaces}>{body}</svg>'
