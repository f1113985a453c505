"""Compare runs from Python, as `flowerexp compare` does."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from flowerexp.api.left_alone import left_alone
from flowerexp.api.page import as_html
from flowerexp.api.results import Run

if TYPE_CHECKING:
    import pandas as pd

    from flowerexp.comparing.sides import Comparison as Sides


class Comparison:
    """Runs side by side; printed, it is what `flowerexp compare` prints.

    Args:
        sides: the runs, those that repeat each other together; the first side is the base.
    """

    def __init__(self, sides: Sides) -> None:
        self._sides = sides

    @cached_property
    def ratios(self) -> pd.DataFrame:
        """A row for each other side and series.

        Its `value`, the `base`'s, the `ratio` of both with its 95 % interval `low` to `high`, and the `verdict`.
        """
        import pandas as pd

        from flowerexp.comparing.text import label

        rows = []
        for side, found in zip(self._sides.sides[1:], self._sides.ratios, strict=True):
            for one in found:
                interval = one.interval
                ends = {"ratio": interval.value, "low": interval.low, "high": interval.high}
                row = {"run": label(side), "series": one.series, "value": one.other, "base": one.base}
                rows.append({**row, **ends, "verdict": one.verdict})
        return pd.DataFrame(rows)

    @property
    def verdict(self) -> str:
        """The verdict, if it is one and the same for all sides and series; `mixed` if not."""
        found = {one.verdict for side in self._sides.ratios for one in side}
        return found.pop() if len(found) == 1 else "mixed"

    @property
    def answer(self) -> str:
        """What follows, a sentence for each side and series."""
        from flowerexp.analysis.conclusions.sentences import between, times

        unit, base = self._sides.experiment.value_unit, self._sides.sides[0][0].short_id
        sentences = []
        for side, found in zip(self._sides.sides[1:], self._sides.ratios, strict=True):
            for one in found:
                ends = between(one.interval)
                sure = f" (95 % interval {ends})" if ends else ""
                how_much = f"{times(one.interval.value)} the {unit} of {base}{sure}"
                sentences.append(f"{side[0].short_id}, {one.series}: {one.verdict}, {how_much}.")
        return " ".join(sentences)

    def __str__(self) -> str:
        from flowerexp.comparing.text import side_by_side

        return side_by_side(self._sides)

    def __repr__(self) -> str:
        return f"<flowerexp comparison: {self.verdict}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the ratios, and what follows from them."""
        return as_html(f"Comparison: {self.verdict}", self.ratios, self.answer)


def compare(base: Run | str | Path, *others: Run | str | Path, home: str | Path | None = None) -> Comparison:
    """Compare runs with the first one; runs that repeat each other are taken together.

    Args:
        base: a run, or what `flowerexp.load` takes for one.
        *others: likewise; at least one.
        home: where names are looked for; by default ``FLOWEREXP_HOME``, or else the current folder.

    Raises:
        FlowerexpError: a run is not found, or they cannot be compared.
    """
    from flowerexp.comparing.sides import compared
    from flowerexp.lookup.names import find
    from flowerexp.lookup.place import Place
    from flowerexp.lookup.saved import FolderRun, SavedRun

    place = Place.at(home)
    with left_alone():
        runs: list[SavedRun] = [
            FolderRun.of(one.folder) if isinstance(one, Run) else find(str(one), place, "run").run
            for one in (base, *others)
        ]
        return Comparison(compared(runs))
