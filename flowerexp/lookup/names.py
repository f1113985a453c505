"""Find the run or the sweep that a word names; what fits several is an error that lists them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from flowerexp.errors import ConfigError, DataError
from flowerexp.journal import PLAN, RECORD
from flowerexp.journal.journal import Journal
from flowerexp.lookup.in_mlflow import named, run_of_sweep, sweeps
from flowerexp.lookup.place import Place
from flowerexp.lookup.saved import OUTPUTS, FolderRun, SavedRun, models_in, name_of, run_id_of
from flowerexp.tracking.fetch import LoggedRun, check_exists, is_run_id, matching

if TYPE_CHECKING:
    from flowerexp.analysis.model.predicting import Model

LAST = "last"
"""The newest run or sweep."""

Kind = Literal["run", "sweep"]
_CANDIDATES = 5
_FORMS = "a folder, a part of its name, SWEEP/RUN, an MLflow run_id or name, or last"


@dataclass(frozen=True)
class Found:
    """A run or a sweep, in its folder or in MLflow.

    Attributes:
        kind: which of both.
        folder: its folder; None if it is not on this machine, or was not looked for.
        logged: what MLflow has of it, if it was found there; of a sweep its summary.
    """

    kind: Kind
    folder: Path | None = None
    logged: LoggedRun | None = None

    @property
    def name(self) -> str:
        """What commands take for it."""
        if self.logged:
            return self.logged.short_id
        assert self.folder is not None
        return name_of(self.folder)

    @property
    def sweep_id(self) -> str:
        """The sweep's id, which its runs have as a tag in MLflow.

        Raises:
            DataError: its folder is damaged.
        """
        return self.logged.tags["sweep_id"] if self.logged else str(Journal(self.here).read_plan()["sweep_id"])

    @property
    def said(self) -> str:
        """Its name and what it is, for messages."""
        if self.logged:
            return f"{self.name} ({self.logged.name})"
        return f"{self.name} ({self.kind})" if self.name != str(self.folder) else self.name

    @property
    def run(self) -> SavedRun:
        """The run.

        Raises:
            DataError: its folder is damaged.
        """
        if self.logged:
            return self.logged
        assert self.folder is not None
        return FolderRun.of(self.folder)

    @property
    def models(self) -> list[Model]:
        """The models of the run, or of all runs of the sweep; none if nothing was varied."""
        return self.logged.models if self.logged else models_in(self.here)

    @property
    def here(self) -> Path:
        """Its folder.

        Raises:
            DataError: it is not on this machine.
        """
        if self.folder is None:
            hint = "run the command in the folder where it ran, or name its home: home=..."
            raise DataError(f"the folder of {self.kind} {self.said} is not here", where="command line", hint=hint)
        return self.folder


def find(word: str, place: Place, wanted: Kind | None = None) -> Found:
    """Find the run or the sweep that a word names.

    Args:
        word: a folder; a part of a folder's name; `SWEEP/RUN`; an MLflow run_id, or at least its first four characters;
            the name of a run in MLflow; or `last`.
        place: where to look.
        wanted: `run` or `sweep`, if only that will do.

    Raises:
        ConfigError: nothing fits, or several do, or it is not what is wanted.
        TrackingError: MLflow cannot be asked.
    """
    found = _find(word, place, wanted)
    if wanted is None or found.kind == wanted:
        return found
    if wanted == "sweep":
        hint = "name the folder of a sweep, or a part of its name; last is the newest"
        raise ConfigError(f"{found.said} is a run and not a sweep", where="command line", hint=hint)
    hint = f"name one of its runs: {_runs_of(found, word)}"
    raise ConfigError(f"{found.said} is a sweep and not a run", where="command line", hint=hint)


def _find(word: str, place: Place, wanted: Kind | None) -> Found:
    folder = Path(word).expanduser()
    if folder.is_dir() and (kind := _kind_of(folder)):
        return Found(kind, folder.absolute())
    sweep, _, run = word.partition("/")
    if word.count("/") == 1 and sweep and run and not folder.is_absolute():
        return _run_of(find(sweep, place, "sweep"), run, word)
    if word == LAST:
        return _last(place, wanted)
    if folder.is_dir():
        hint = f"name one that does, such as {OUTPUTS}/DATE/TIME-ID"
        raise DataError(f"{folder} holds neither a sweep nor a run", hint=hint)
    local = _local(word, place, wanted)
    if exact := [one for one in local if one.folder and word in _ids(one.folder)]:
        local = exact
    elif not local or (is_run_id(word) and wanted != "sweep"):
        local = _without_twins(local, _in_mlflow(word, place, wanted))
    return _only(word, local, place)


def _kind_of(folder: Path) -> Kind | None:
    return "sweep" if (folder / PLAN).exists() else "run" if (folder / RECORD).exists() else None


def _ids(folder: Path) -> tuple[str, str]:
    """A folder's name, and the id of the sweep that began in it."""
    return folder.name, f"{folder.parent.name}-{folder.name}"


def _local(word: str, place: Place, wanted: Kind | None) -> list[Found]:
    """The sweeps and single runs below the home that a word is a part of; those that are wanted, if there are any."""
    found = [Found(kind, folder) for folder in place.folders if word in _ids(folder)[1] and (kind := _kind_of(folder))]
    return [one for one in found if one.kind == wanted] or found


def _last(place: Place, wanted: Kind | None) -> Found:
    """The newest sweep or single run; for a sweep that is wanted, the newest one."""
    for folder in reversed(place.folders):
        kind = _kind_of(folder)
        if kind and (wanted != "sweep" or kind == "sweep"):
            return Found(kind, folder)
    what = wanted or "run or sweep"
    raise DataError(f"there is no {what} below {place.home / OUTPUTS}", hint="run an experiment first: flowerexp")


def _run_of(sweep: Found, name: str, word: str) -> Found:
    """A run of a sweep by the name of its folder."""
    if sweep.folder:
        if name in (run["run"] for run in Journal(sweep.folder).read_plan()["runs"]):
            return Found("run", sweep.folder / name)
    elif sweep.logged and (logged := run_of_sweep(sweep.logged, name)):
        return Found("run", None, logged)
    hint = f"it has {_runs_of(sweep, word.partition('/')[0])}"
    raise ConfigError(f"sweep {sweep.said} has no run {name}", where="command line", hint=hint)


def _runs_of(sweep: Found, word: str) -> str:
    """The runs of a sweep as commands take them, the first few of many."""
    if not sweep.folder:
        return f"{word}/0 and so on"
    runs = Journal(sweep.folder).read_plan()["runs"]
    listed = [f"{word}/{run['run']} ({run.get('label', run['run_key'])})" for run in runs[:_CANDIDATES]]
    return ", ".join(listed) + (f" and {len(runs) - _CANDIDATES} more" if len(runs) > _CANDIDATES else "")


def _in_mlflow(word: str, place: Place, wanted: Kind | None) -> list[Found]:
    """What MLflow has of that id, that sweep's id, or that name; nothing from a store that does not exist yet."""
    database = place.store.database
    if database and not database.is_file():
        return []
    logged: list[LoggedRun] = []
    if is_run_id(word):
        logged = matching(place.store, f"attributes.run_id LIKE '{word.lower()}%'")
    if not logged:
        logged = sweeps(place.store, word)
    if not logged and wanted != "sweep":
        logged = named(place.store, word)
    return [_logged(run) for run in logged]


def _logged(run: LoggedRun) -> Found:
    if not run.is_sweep:
        return Found("run", None, run)
    folder = Path(run.tags.get("flowerexp.folder", "-"))
    return Found("sweep", folder if (folder / PLAN).exists() else None, run)


def _without_twins(local: Sequence[Found], logged: Sequence[Found]) -> list[Found]:
    """Both, without the folders of what MLflow has found as well."""
    folders = {found.folder for found in logged}
    ids = {found.logged.run_id for found in logged if found.logged}
    others = [found for found in local if found.folder not in folders and run_id_of(found.here) not in ids]
    return [*others, *logged]


def _only(word: str, found: Sequence[Found], place: Place) -> Found:
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(one.said for one in found[:_CANDIDATES])
        more = " and more" if len(found) > _CANDIDATES else ""
        problem = f"'{word}' fits {'several' if more else len(found)} runs or sweeps"
        raise ConfigError(problem, where="command line", hint=f"name one: {listed}{more}")
    if is_run_id(word):
        check_exists(place.store)  # if there is no store, that says more
    newest = next(iter(reversed(place.folders)), None)
    latest = f"; the newest is {name_of(newest)}" if newest else ""
    problem = f"neither {place.home / OUTPUTS} nor MLflow has a run or a sweep '{word}'"
    raise ConfigError(problem, where="command line", hint=f"give {_FORMS}{latest}")


def folder_of(found: Found, place: Place) -> Path:
    """The folder of a run or a sweep on this machine, also of one that was found in MLflow.

    Raises:
        DataError: it is not here.
    """
    if found.folder is None and found.logged:
        for folder in _runs(place.folders):
            if run_id_of(folder) == found.logged.run_id:
                return folder
    return found.here


def _runs(folders: Iterable[Path]) -> Iterable[Path]:
    """The folders of all runs, those of sweeps' included."""
    for folder in folders:
        yield from (path.parent for path in folder.glob(f"*/{RECORD}")) if (folder / PLAN).exists() else (folder,)
