"""The folders of a sweep's runs, which `hydra.sweep.subdir` names: one for each run, before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flowerexp.errors import ConfigError
from flowerexp.journal import JOURNAL, PLAN, SEARCH
from flowerexp.sweep.tables import MEASUREMENTS, RUNS

KEY = "hydra.sweep.subdir"
BY_NUMBER = "${hydra.job.num}"
"""What names the folders by default."""
_OF_THE_SWEEP = frozenset({"job", "jobs", "multirun.yaml", PLAN, JOURNAL, SEARCH, RUNS, MEASUREMENTS,
                           "report.html", "report.md"})  # fmt: skip
_LONGEST = 255  # bytes, as file systems have it
_HINT = "write one that differs between the runs, such as ${hydra:job.num}"


def check_names(names: Sequence[str], first: int, earlier: Iterable[str] = ()) -> None:
    """Refuse folders that two runs would share, or that would lie within another's.

    Args:
        names: what `hydra.sweep.subdir` gives for each run.
        first: the number of the first run.
        earlier: the names of runs of earlier batches of the same sweep.

    Raises:
        ConfigError: a name is that of another run, cannot be the name of a folder, or belongs to the sweep itself.
    """
    owners = dict.fromkeys(earlier, "an earlier run")
    for number, name in enumerate(names, start=first):
        problem = _problem(name)
        if problem:
            raise ConfigError(f"run {number} would have the folder '{name}', {problem}", where=KEY, hint=_HINT)
        if name in owners:
            raise ConfigError(f"{owners[name]} and run {number} would share the folder {name}", where=KEY, hint=_HINT)
        owners[name] = f"run {number}"


def _problem(name: str) -> str | None:
    if not name.strip() or name == "None":
        return "which cannot be a name"
    if "/" in name or name in (".", ".."):
        return "and each run needs a folder of its own right in the sweep's"
    if name in _OF_THE_SWEEP or name.startswith("."):
        return "which belongs to the sweep itself"
    if len(name.encode()) > _LONGEST or not name.isprintable():
        return f"which is longer than {_LONGEST} bytes or holds characters that cannot be shown"
    return None
