"""A report as a browser would see it."""

from __future__ import annotations

import html.parser
from collections import Counter
from pathlib import Path


class Page(html.parser.HTMLParser):
    """What a browser would see: tags and attributes, and text by the section that it stands in."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.text: dict[str, str] = {}
        self.section = "head"
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "section":
            self.section = dict(attrs).get("id") or "findings"
        if tag not in ("meta", "use", "path", "rect", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "use", "path", "rect", "br", "img"):
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "use", "path", "rect", "br", "img"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text[self.section] = f"{self.text.get(self.section, '')} {data.strip()}".strip()

    @property
    def sections(self) -> list[str]:
        return [value for tag, name, value in self.attributes if (tag, name) == ("section", "id")]

    @property
    def links(self) -> list[str]:
        """Whatever a browser would load or go to."""
        places = ("src", "srcset", "href", "xlink:href", "action", "data")
        return [value for _, name, value in self.attributes if name in places]
