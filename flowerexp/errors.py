"""The errors that flowerexp raises on purpose; each says what is wrong, where it was set, and what to do.

::

    FlowerexpError              a user can act on it: printed as one line, never as a traceback
     +- ConfigError             the config is wrong: unknown key, wrong type, out of range
     +- MachineError            this machine lacks something: no Java, no room, no permission, a port that is taken
     |   +- MissingError        a Python package that an extra brings
     +- DataError               the data cannot be measured: missing, empty, unreadable, too small for the grid
     +- ClusterError            a cluster cannot be had or reached: no credentials, no capacity, refused
     |   +- QuotaError          it would exceed a quota
     |   +- BudgetError         it would cost more than the budget allows
     |   +- StoppedError        it was not waited for, since the sweep was stopped
     +- JobError                a Spark job failed, or ended without results
     |   +- AbortedError        we stopped it at its time limit
     +- TrackingError           the MLflow store cannot be reached or refuses what is logged

Anything else that reaches the command line is a bug, and keeps its traceback.
"""

from __future__ import annotations

import difflib
import errno
import json
import sys
from collections.abc import Iterable
from importlib.util import find_spec

_NOTE = "flowerexp error: "


class FlowerexpError(Exception):
    """Base of every error that a user can act on.

    Args:
        problem: what is wrong, without a full stop.
        where: where it was set, such as ``command line: grid.batch_size`` or ``grid/quick.yaml: batch_size``.
        hint: what to do about it.
    """

    def __init__(self, problem: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.problem = problem
        self.where = where
        self.hint = hint
        super().__init__(problem, where, hint)
        if _in_task():  # from where it comes to the driver as the text of its traceback, which ends with the notes
            self.add_note(_NOTE + json.dumps([type(self).__name__, problem, where, hint]))

    def __str__(self) -> str:
        """The error as one line: ``where: problem; hint``."""
        line = f"{self.where}: {self.problem}" if self.where else self.problem
        line = f"{line}; {self.hint}" if self.hint else line
        return " ".join(line.split())


def _in_task() -> bool:
    """Is this a task of Spark's? Asked without importing PySpark, which a task has."""
    context = getattr(sys.modules.get("pyspark"), "TaskContext", None)
    return context is not None and context.get() is not None


class ConfigError(FlowerexpError):
    """The config is wrong; nothing was started."""


class MachineError(FlowerexpError):
    """This machine lacks something that the run needs."""


class MissingError(MachineError):
    """A Python package is not installed."""


class DataError(FlowerexpError):
    """The data set cannot be measured as it is."""


class ClusterError(FlowerexpError):
    """A cluster cannot be had, reached or deleted."""


class QuotaError(ClusterError):
    """A cluster would exceed a quota."""


class BudgetError(ClusterError):
    """A sweep would cost more than the budget allows."""


class StoppedError(ClusterError):
    """A cluster was not waited for, since the sweep was stopped."""


class JobError(FlowerexpError):
    """A Spark job failed, or ended without results."""


class AbortedError(JobError):
    """A run was stopped at its time limit."""


class TrackingError(FlowerexpError):
    """The MLflow store cannot be reached, or refuses what is logged."""


EXTRAS = {
    **dict.fromkeys(("cv2", "simplejpeg", "PIL", "google_crc32c"), "images"),
    "tensorflow": "tensorflow",
    **dict.fromkeys(("webdataset", "array_record", "grain", "lmdb"), "formats"),
    "lance": "lance",
    **dict.fromkeys(("gcsfs", "google.cloud.dataproc_v1", "google.cloud.storage", "google.cloud.compute_v1"), "gcp"),
    "google.cloud.billing_v1": "gcp",
    "hydra_plugins.hydra_optuna_sweeper": "search",
    "gcp_storage_emulator": "rehearsal",
}
"""The modules that flowerexp can do without, each with the extra that brings it, as pyproject.toml says."""


def require(what: str, modules: Iterable[str]) -> None:
    """Name what is not installed here, before anything imports it.

    Args:
        what: what needs it, such as ``cluster=four_nodes``.
        modules: the modules that it imports; those that are in no extra are not looked at.

    Raises:
        MissingError: some of them are not installed.
    """
    missing = {module: EXTRAS[module] for module in modules if module in EXTRAS and not _is_installed(module)}
    if missing:
        extras = ",".join(sorted({*missing.values()}))
        names = ", ".join(missing)
        hint = f"in the clone of flowerexp, run: pip install '.[{extras}]'"  # no package index has flowerexp yet
        raise MissingError(f"{what} needs {names}, not installed in {sys.prefix}", hint=hint)


def _is_installed(module: str) -> bool:
    try:
        return sys.modules.get(module) is not None or find_spec(module) is not None
    except ModuleNotFoundError:  # nor is the package that it is in
        return False


def from_traceback(text: str) -> FlowerexpError | None:
    """The error that the text of a task's traceback ends with, of the class and with the parts that it was raised with.

    Args:
        text: a traceback, without anything behind it but its notes.

    Returns:
        The error; None for a foreign one. One of a class that is not known here is a plain `FlowerexpError`.
    """
    notes = [line.removeprefix(_NOTE) for line in text.splitlines() if line.startswith(_NOTE)]
    try:
        name, problem, where, hint = json.loads(notes[-1])
    except (LookupError, ValueError):
        return None
    return _classes(FlowerexpError).get(name, FlowerexpError)(problem, where=where, hint=hint)


def _classes(base: type[FlowerexpError]) -> dict[str, type[FlowerexpError]]:
    found = {base.__name__: base}
    for below in base.__subclasses__():
        found |= _classes(below)
    return found


def from_os_error(error: OSError, doing: str) -> MachineError:
    """Turn an operating system's error into one line that a user can act on.

    Args:
        error: what the operating system said.
        doing: what was being done, such as ``writing the results``.
    """
    hints = {
        errno.ENOSPC: "free some room there, or choose another folder",
        errno.EDQUOT: "free some room there, or choose another folder",
        errno.EACCES: "give yourself the permission, or choose another folder",
        errno.EPERM: "give yourself the permission, or choose another folder",
        errno.EROFS: "choose a folder on a disk that can be written",
        errno.ENOTDIR: "a part of that path is a file: choose another folder",
        errno.EEXIST: "a part of that path is a file: choose another folder",
        errno.ENOENT: "check the path",
    }
    path = f" {error.filename}" if error.filename else ""
    reason = error.strerror or str(error)
    return MachineError(f"{doing}{path} failed: {reason}", hint=hints.get(error.errno or 0))


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the known words nearest to a mistyped one.

    Args:
        word: what was typed.
        known: what would have been understood.

    Returns:
        ``did you mean 'a'?``, or the known words where none is near and they are few, or None.
    """
    options = sorted(set(known))
    near = difflib.get_close_matches(word, options, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"choose from {', '.join(options)}" if 0 < len(options) <= 12 else None
