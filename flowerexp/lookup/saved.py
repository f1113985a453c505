"""A run that is read from its folder, with what `LoggedRun` has of one in MLflow: commands take either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp import records
from flowerexp.config import plain, recorded
from flowerexp.config.places import default_home
from flowerexp.config.schema import Config
from flowerexp.errors import DataError
from flowerexp.experiment import Experiment
from flowerexp.journal import PLAN
from flowerexp.tracking.content import tags
from flowerexp.tracking.fetch import LoggedRun
from flowerexp.tracking.note import FILE as NOTE
from flowerexp.tracking.params import choices

if TYPE_CHECKING:
    from flowerexp.analysis.model.predicting import Model
    from flowerexp.measurements.table import Measurements

OUTPUTS = "outputs"
"""The folder below the home that holds DATE/TIME-ID for each run and sweep."""


@dataclass(frozen=True)
class FolderRun:
    """A run in its folder.

    Attributes:
        folder: the run's.
        record: the content of its `run.json`.
    """

    folder: Path
    record: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path) -> FolderRun:
        """Read a run's folder.

        Raises:
            DataError: it is not the folder of a run, or one of its files is damaged.
        """
        return cls(folder, records.of_run(folder))

    @property
    def short_id(self) -> str:
        """What commands take for it, for tables."""
        return name_of(self.folder)

    @property
    def name(self) -> str:
        """Its name, which it has in MLflow, too."""
        return str(self.record["name"])

    @property
    def started_at(self) -> float:
        """When it started, in epoch seconds."""
        return float(self.record["started_at"])

    @property
    def run_id(self) -> str | None:
        """Its id in the MLflow store that it was logged to first; None if it was not logged."""
        return run_id_of(self.folder)

    @property
    def error(self) -> str | None:
        """Why the run failed, or that it has not ended; None for a finished run."""
        if self.record["state"] == "finished":
            return None
        return str(self.record["error"] or f"it is {self.record['state']}")

    @property
    def phases(self) -> dict[str, float]:
        """Seconds of each phase."""
        return dict(self.record["phases"])

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it ran on, and with which data."""
        facts: Mapping[str, Any] = self.record["facts"]
        return facts

    @property
    def verdict(self) -> str:
        """Whether its measurements can be believed: `valid`, `suspect` or `invalid`."""
        return str((self.record["verdict"] or {}).get("state") or "invalid")

    @cached_property
    def tags(self) -> Mapping[str, str]:
        """The tags that it has in MLflow."""
        return tags(self.record)

    @cached_property
    def config(self) -> Config:
        """Its config: resolved, and with secrets hidden."""
        return recorded(self.record["config"])

    @cached_property
    def choices(self) -> dict[str, str]:
        """All values of its config that results depend on."""
        return choices(plain(self.config))

    @cached_property
    def measurements(self) -> Measurements:
        """All its measurements; none if nothing was measured.

        Raises:
            DataError: the file is damaged.
        """
        return measurements_in(self.folder, self.config.experiment)

    @cached_property
    def models(self) -> list[Model]:
        """Its models; none if nothing was varied.

        Raises:
            DataError: there is no file of them, or it is damaged.
        """
        return models_in(self.folder)


SavedRun = FolderRun | LoggedRun
"""A run that was made earlier, wherever it is read from."""


def measurements_in(folder: Path, experiment: Experiment) -> Measurements:
    """The measurements in a run's folder; none if nothing was measured.

    Raises:
        DataError: the file is damaged.
    """
    import pyarrow

    from flowerexp.measurements.parquet import read_parquet
    from flowerexp.measurements.table import Measurements

    path = folder / "analysis" / "measurements.parquet"
    return Measurements(read_parquet(path) if path.exists() else pyarrow.table({}), experiment)


def models_in(folder: Path) -> list[Model]:
    """The models in the folder of a run or a sweep.

    Raises:
        DataError: there is no file of them, or it is damaged.
    """
    from flowerexp.analysis.model import FILE, read

    for path in (folder / FILE, folder / "analysis" / FILE):
        if path.exists():
            return read(path.read_bytes(), str(path))
    hint = f"a sweep's is made with its report: flowerexp report {name_of(folder)}"
    raise DataError(f"{folder} has no {FILE}", hint=hint)


def name_of(folder: Path) -> str:
    """What commands take for a folder, as short as it can be: its name below the home's `outputs`, or else its path.

    Args:
        folder: of a run or a sweep; `10-58-02-0aae` is such a name, and `10-58-02-0aae/3` one of a sweep's run.
    """
    folder = folder.absolute()
    if (folder.parent / PLAN).exists():
        return f"{name_of(folder.parent)}/{folder.name}"
    if folder.parents[1:3] == (default_home() / OUTPUTS, default_home()):
        return folder.name
    return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)


def run_id_of(folder: Path) -> str | None:
    """The id in MLflow that a run's folder notes; None without one.

    Raises:
        DataError: the note is damaged.
    """
    note = records.find(folder / NOTE, records.NOTE)
    return next((store["run_id"] for store in (note or {}).get("stores", ()) if store["run_id"]), None)
