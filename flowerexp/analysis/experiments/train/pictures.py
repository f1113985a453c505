"""The pictures of a training: its curves, nine predictions, and which classes it takes for which.

Imports matplotlib: import this module only when pictures are wanted.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from flowerexp.analysis import png
from flowerexp.analysis.drawing import INK, MUTED, plain, tidy, title
from flowerexp.analysis.experiments.train.cells import Cell, cells_of, plain_of
from flowerexp.analysis.words import PALETTE
from flowerexp.measurements.table import Measurements

MOST = 8  # trainings that a picture of curves shows
_WRONG = "#c92a2a"
_LEGEND: dict[str, Any] = {"frameon": False, "labelcolor": INK, "fontsize": 8.5}


def draw(measurements: Measurements, attached: Path, folder: Path) -> list[Path]:
    """Draw ``curves.png``, and for each file of predictions ``predictions.png`` and ``confusion.png``.

    Args:
        measurements: of all executions.
        attached: the folder with the files that the run attached.
        folder: where the pictures go.
    """
    cells = cells_of(measurements)[:MOST]
    paths = [png.save(curves(cells), folder / "curves.png")] if cells else []
    for file in sorted(attached.glob("*predictions.json")):
        found, name = plain_of(file), file.name.removesuffix("predictions.json")
        if found is not None:
            paths.append(png.save(predictions(found), folder / f"{name}predictions.png"))
            paths.append(png.save(confusion(found), folder / f"{name}confusion.png"))
    return paths


def label_of(cell: Cell, cells: Sequence[Cell]) -> str:
    """What distinguishes a cell from some others."""
    numbers = [name for name in cell.at if len({one.at[name] for one in cells}) > 1]
    return " ".join([cell.series, *(f"{name}={cell.at[name]:g}" for name in numbers)])


def curves(cells: Sequence[Cell]) -> Figure:
    """Loss and accuracy by epoch and by second: training dashed, validation solid."""
    drawn = png.figure(6.4, "Training and validation")
    panels = drawn.subplots(2, 2, sharey="row", sharex="col")
    for cell, tone in zip(cells, PALETTE, strict=False):
        by = (cell.curve("epoch"), cell.elapsed)
        for row, column in enumerate(("loss", "accuracy")):
            for panel, places in zip(panels[row], by, strict=True):
                panel.plot(places, cell.curve(column), "--", color=tone, lw=1.4, alpha=0.75)
                panel.plot(places, cell.curve(f"val_{column}"), "-", color=tone, lw=2, marker="o", ms=3)
    for row, what in enumerate(("loss", "accuracy")):
        for panel in panels[row]:
            tidy(panel, thousands="both")
        panels[row][0].set_ylabel(what)
    panels[1][0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    panels[1][0].set_xlabel("epoch")
    panels[1][1].set_xlabel("seconds of training")
    marks = [
        Line2D([], [], color=MUTED, ls=style, label=what) for style, what in (("--", "training"), ("-", "validation"))
    ]
    if len(cells) > 1:
        marks += [
            Line2D([], [], color=tone, lw=3, label=plain(label_of(cell, cells)))
            for cell, tone in zip(cells, PALETTE, strict=False)
        ]
    drawn.legend(handles=marks, loc="outside lower center", ncols=2, **_LEGEND)
    return drawn


def predictions(found: Mapping[str, Any]) -> Figure:
    """Nine photographs that the network was not trained on; right or wrong is in the title, and wrong ones are red."""
    from PIL import Image

    classes, shown = found["classes"], found["shown"][:9]
    drawn = png.figure(8.6, "What the network says about photographs that it was not trained on")
    for panel, one in zip(drawn.subplots(3, 3).flat, [*shown, *[None] * (9 - len(shown))], strict=True):
        panel.set_axis_off()
        if one is None:
            continue
        panel.imshow(np.asarray(Image.open(io.BytesIO(base64.b64decode(one["jpeg"]))).convert("RGB")))
        right = one["class"] == one["taken_for"]
        taken = f"{classes[one['taken_for']]} ({one['probability']:.0%})"
        text = f"right: {taken}" if right else f"wrong: {taken}\nit is {classes[one['class']]}"
        panel.set_title(plain(text), color=INK if right else _WRONG, fontsize=10)
    return drawn


def confusion(found: Mapping[str, Any]) -> Figure:
    """How many photographs of each class were taken for which."""
    counts, classes = np.array(found["confusion"], float), [plain(name) for name in found["classes"]]
    drawn = png.figure(5.4, "Which class is taken for which")
    panel = drawn.subplots()
    whole = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, whole, out=np.zeros_like(counts), where=whole > 0)
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*counts.shape):
        colour = "white" if shares[row, column] > 0.55 else INK
        panel.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", color=colour)
    panel.set_xticks(range(len(classes)), classes)
    panel.set_yticks(range(len(classes)), [_counted(*pair) for pair in zip(classes, whole[:, 0], strict=True)])
    panel.set_xlabel("taken for", color=MUTED)
    panel.set_ylabel("it is", color=MUTED)
    panel.tick_params(length=0, labelcolor=MUTED)
    panel.spines[:].set_visible(False)
    right = float(np.trace(counts) / counts.sum()) if counts.sum() else 0.0
    title(panel, f"{right:.0%} of {counts.sum():.0f} photographs are right")
    return drawn


def _counted(name: str, count: float) -> str:
    return f"{name} ({count:.0f})" if count else f"{name} (none)"
