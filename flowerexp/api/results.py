"""What a run or a sweep has found, as data frames, pictures and sentences: all of it is read from its folder."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from flowerexp.api import frames
from flowerexp.api.page import as_html
from flowerexp.config.schema import Config
from flowerexp.lookup.saved import FolderRun, name_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from flowerexp.analysis.report.material import Material

Picture = Literal["settings", "parameters"]


class _Results(ABC):
    """What runs and sweeps have in common.

    Args:
        folder: of the run or the sweep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def id(self) -> str:
        """What `load`, `compare` and every command take for it, such as `10-58-02-0aae`."""
        return name_of(self.folder)

    @cached_property
    def measurements(self) -> pd.DataFrame:
        """All measurements, a row each: the table of `measurements.parquet`, with rates and `value` as columns."""
        return frames.measurements(self._material)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """A row for each run, series and cell, with its rates and its interval: the table of `cells.parquet`."""
        return frames.cells(self._material)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A row for each run: what it varies, how it ended, its seconds and dollars, and what each series reached.

        The table of `runs.parquet`.
        """
        return frames.runs(self._material)

    @cached_property
    def regression(self) -> pd.DataFrame:
        """Straight lines: what each series reached against each numeric parameter and each declared product.

        `slope` is per unit of the parameter, `low` to `high` its 95 % interval, `p` how probable a slope as steep is by
        chance.
        """
        return frames.regression(self._material)

    @property
    @abstractmethod
    def answer(self) -> str:
        """The answer to the experiment's question, in one sentence: what to choose, how much better, and how sure."""

    @cached_property
    def report(self) -> Path:
        """The report: an HTML file that needs nothing else; where there is none yet, it is made."""
        from flowerexp.analysis.report import FILES, make_report

        path = (self.folder if self._material.is_sweep else self.folder / "analysis") / FILES[0]
        return path if path.exists() else make_report(self.folder).paths[0]

    def plot(self, picture: Picture | None = None) -> Figure:
        """Draw what the experiment is about, with 95 % intervals.

        Args:
            picture: `settings` draws each setting of a sweep, `parameters` one parameter after the other; by default
                the first one that there is something to draw of.

        Raises:
            FlowerexpError: there is nothing to draw.
        """
        return frames.figure(self._material, picture)

    @cached_property
    def _material(self) -> Material:
        from flowerexp.analysis.report.gather import load

        return load(self.folder)

    def __repr__(self) -> str:
        return f"<flowerexp {type(self).__name__.lower()} {self.id}: {self.verdict}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: a short table, and the answer."""
        return as_html(f"{type(self).__name__} {self.id}: {self.verdict}", self._shown, self.answer)

    @property
    @abstractmethod
    def _shown(self) -> pd.DataFrame: ...

    @property
    @abstractmethod
    def verdict(self) -> str:
        """Whether what was measured can be believed."""


class Run(_Results):
    """A run that has ended, in its folder.

    Args:
        folder: the run's.
    """

    @cached_property
    def _saved(self) -> FolderRun:
        return FolderRun.of(self.folder)

    @property
    def config(self) -> Config:
        """Its whole config, without secrets."""
        return self._saved.config

    @property
    def run_id(self) -> str | None:
        """Its id in MLflow; None if it is not there."""
        return self._saved.run_id

    @property
    def verdict(self) -> str:
        """`valid`, `suspect` or `invalid`; of a run that failed, `failed`."""
        return "failed" if self._saved.error else self._saved.verdict

    @property
    def answer(self) -> str:
        """See `Sweep.answer`; of a run that failed, why."""
        return str(self._saved.error or self._saved.record.get("answer") or "No answer: nothing was measured.")

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not valid, or why it failed."""
        error = self._saved.error
        return (error,) if error else tuple((self._saved.record["verdict"] or {}).get("reasons") or ())

    @property
    def _shown(self) -> pd.DataFrame:
        return frames.short_cells(self._material)


class Sweep(_Results):
    """A sweep that has ended, or was stopped, in its folder.

    Args:
        folder: the sweep's.
    """

    @property
    def verdict(self) -> str:
        """`valid` if all runs are; otherwise the worst of what they are: `suspect`, `invalid`, or `failed`.

        `failed` stands for all that has no results: also runs that were lost, or not started.
        """
        judged = {"failed" if run.verdict == "-" else run.verdict for run in self._material.runs}
        return next((worst for worst in ("failed", "invalid", "suspect") if worst in judged), "valid")

    @cached_property
    def answer(self) -> str:
        """The answer to the sweep's question, in one sentence: what to choose, how much better, and how sure."""
        from flowerexp import records
        from flowerexp.analysis.report import CONCLUSIONS, make_report

        known = records.find(self.folder / CONCLUSIONS, {"answer": str})
        return str(known["answer"]) if known else make_report(self.folder).answer

    @property
    def failed(self) -> dict[str, str]:
        """The runs without results, by what `load` takes for them, each with the reason."""
        table = self.runs[~self.runs["state"].isin(["finished", "skipped"])]
        rows = zip(table["run"], table["state"], table["error"], strict=True)
        return {f"{self.id}/{name}": error or state for name, state, error in rows}

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """A row for each setting, the best first, as `flowerexp compare SWEEP` ranks them.

        Repeats are one row. `low` and `high` are the setting's own 95 % interval; `ratio` is its value over the best
        one's, and `ratio_low` to `ratio_high` hold together with those of all others with 95 %.
        """
        return frames.ranking(self._material)

    def __len__(self) -> int:
        return len(self._material.runs)

    def __getitem__(self, run: int | str) -> Run:
        """A run of the sweep, by its number or its folder's name.

        Raises:
            IndexError: it has no such run.
        """
        names = [one.name for one in self._material.runs]
        if str(run) not in names:
            raise IndexError(f"sweep {self.id} has no run {run}: it has {', '.join(names)}")
        return Run(self.folder / str(run))

    def __iter__(self) -> Iterator[Run]:
        return (Run(run.folder) for run in self._material.runs)

    @property
    def _shown(self) -> pd.DataFrame:
        return self.ranking

    def _repr_html_(self) -> str:
        """What a notebook shows: the settings from the best to the worst, the answer, and what failed."""
        failed = [f"{name}: {error}" for name, error in self.failed.items()]
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in failed)
        return super()._repr_html_() + lines
