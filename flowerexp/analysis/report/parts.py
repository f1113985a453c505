"""The parts of a report: findings, and sections of sentences, pictures and tables."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure

from flowerexp.analysis.report.svg import inline

MOST_ROWS = 200
"""The most lines of a table on a page; all of them are in the files beside it."""


Tone = Literal["plain", "good", "warn"]


@dataclass(frozen=True)
class Finding:
    """A number, and the sentence that explains it."""

    figure: str
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Table:
    """A table of text; the columns in `right` are numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """An ``<svg>`` or ``<img>`` element that needs no other file, and its caption."""

    svg: str
    caption: str


@dataclass
class Section:
    """A section; on a screen, a `folded` one is closed until somebody opens it."""

    key: str
    title: str
    text: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    folded: bool = False

    def draw(self, figure: Figure | None, caption: str) -> None:
        """Add a picture, if there is one."""
        if figure is not None:
            self.pictures.append(Picture(inline(figure, f"{self.title}. {caption}"), caption))

    def show(self, path: Path, caption: str) -> None:
        """Add a JPEG or PNG file, if there is one; the page contains it."""
        if path.exists():
            data = base64.b64encode(path.read_bytes()).decode()
            label = html.escape(f"{self.title}. {caption}", quote=True)
            kind = "png" if path.suffix == ".png" else "jpeg"
            self.pictures.append(Picture(f'<img src="data:image/{kind};base64,{data}" alt="{label}">', caption))

    def __bool__(self) -> bool:
        return bool(self.text or self.pictures or self.tables)
