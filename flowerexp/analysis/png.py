"""Figures as PNG files, 1200 px wide."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from flowerexp.analysis.drawing import INK, plain
from flowerexp.measurements import write_whole

WIDTH, DPI = 8.0, 150  # inches, dots an inch


def figure(height: float, title: str) -> Figure:
    """An empty figure with a title; `height` is in inches."""
    empty = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
    empty.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
    empty.suptitle(plain(title), x=0.012, ha="left", color=INK, fontsize=13, weight="bold")
    return empty


def save(drawn: Figure, path: Path) -> Path:
    """Write a figure to a file.

    Raises:
        MachineError: the file cannot be written.
    """
    canvas = FigureCanvasAgg(drawn)
    if layout := drawn.get_layout_engine():
        layout.execute(drawn)  # else `print_figure` draws everything once more, only to lay it out
        drawn.set_layout_engine("none")
    # Compressing well takes a third of the time of a picture, and saves a fifth of 100 kB.
    return write_whole(path, lambda aside: canvas.print_figure(aside, format="png", pil_kwargs={"compress_level": 1}))
