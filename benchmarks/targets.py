"""What must be reached: a measured figure beside its bound, printed, and handed to `report.py` as the last line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Target:
    """A measured figure and its bound.

    Attributes:
        what: in words, with what it is compared to.
        value: as measured.
        bound: what must be reached.
        at_least: whether more is better.
    """

    what: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def reached(self) -> bool:
        """Whether the figure is on the right side of its bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def finish(targets: Iterable[Target], **measured: object) -> None:
    """Print figures against bounds, and all that was measured as one line of JSON."""
    listed = list(targets)
    for target in listed:
        sign = ">=" if target.at_least else "<="
        word = "reached" if target.reached else "MISSED"
        print(f"{word:<8} {target.value:10.3f} {sign} {target.bound:<8g} {target.what}")
    print(json.dumps({"targets": [asdict(target) for target in listed], **measured}))
