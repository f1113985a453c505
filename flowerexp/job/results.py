"""What a job leaves: each run's status, phases and rows, as its entrypoint left them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowerexp import records, storage
from flowerexp.errors import DataError, FlowerexpError, from_os_error
from flowerexp.job import rows
from flowerexp.workload.failures import NO_MODULE


@dataclass(frozen=True)
class Outcome:
    """How a run ended on the cluster.

    Attributes:
        state: `finished` or `failed`.
        error: what went wrong, or None.
        where: the config key that is to blame, where one is.
        hint: what to do about the error, where that is known.
        facts: what the entrypoint and its runner found out.
        phases: seconds of each phase.
        notes: lines for the user.
        started_at: epoch seconds.
        ended_at: epoch seconds.
        retry: whether something else is to blame than the experiment, so that the run is worth to be made again.
        files: the hashes of the results, by their names; they were compared with the files.
    """

    state: str
    error: str | None
    where: str | None = None
    hint: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    started_at: float | None = None
    ended_at: float | None = None
    retry: bool = False
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobEnd:
    """How a job ended, for those of its runs that have no results.

    Attributes:
        token: what the results of its attempt carry, see `is_there`; None where there was no attempt.
        exit_code: its own.
        tail: the last lines that it printed.
        trouble: why results that may be there could not be fetched.
    """

    token: str | None = None
    exit_code: int = 0
    tail: Sequence[str] = ()
    trouble: Sequence[str] = ()


_NO_MAIN = 'end it with: if __name__ == "__main__": main(measure, prepare)'
STATUS = "status.json"
_FILES = (rows.MEASUREMENTS, "phases.json")
_WANTED: Mapping[str, Any] = {
    "state": str,
    "error": str | None,
    "where": str | None,
    "hint": str | None,
    "facts": dict,
    "notes": [str],
    "started_at": records.NUMBER,
    "ended_at": records.NUMBER,
}


def is_there(output: str, token: str | None) -> bool:
    """Did a run's attempt leave its results?

    Args:
        output: the path or URI that the job was given.
        token: the attempt's; results with another token, or none, are those of another run or attempt.

    Raises:
        OSError: that cannot be found out.
        DataError: the status is damaged.
    """
    try:
        return token is not None and _status(output).get("token") == token
    except FileNotFoundError:
        return False


def _status(output: str) -> dict[str, Any]:
    path = storage.join(output, STATUS)
    return records.parse(storage.read_bytes(path), path, _WANTED)


def fetch(output: str, results: Path, token: str | None) -> None:
    """Bring a run's results from where its job wrote them into its own folder; `status.json` comes last.

    Args:
        output: the path or URI that the job was given; nothing is copied if it is the folder itself.
        results: the folder.
        token: the attempt's, see `is_there`.

    Raises:
        OSError: they cannot be read, or not be written.
        DataError: they are damaged, or not those of this attempt.
    """
    if not is_there(output, token):
        raise DataError(f"{storage.join(output, STATUS)} is not of this run's attempt")
    if storage.is_local(output):
        return
    status = storage.read_bytes(storage.join(output, STATUS))
    attached = [f"attached/{name}" for name in json.loads(status).get("attached", ()) if Path(name).name == name]
    for name in (*_FILES, *attached):
        storage.write_bytes(str(results / name), storage.read_bytes(storage.join(output, name)))
    storage.write_bytes(str(results / STATUS), status)


def read_outcome(results: Path, end: JobEnd) -> Outcome:
    """Read a run's results; those of another run or attempt do not count. Without results, it failed.

    Args:
        results: the folder that the entrypoint wrote to.
        end: how its job ended, which explains results that are missing.
    """
    try:
        if not is_there(str(results), end.token):
            return _without_results(results, end)
        status = _status(str(results))
        _compare(results, status.get("files", {}))
        phases = records.read(results / "phases.json", {"*": records.NUMBER})
    except FileNotFoundError as error:
        return Outcome("failed", f"{error.filename} is missing", retry=True)
    except FlowerexpError as error:
        return Outcome("failed", error.problem, hint=error.hint, retry=True)
    except OSError as error:
        return Outcome("failed", from_os_error(error, "reading").problem, retry=True)
    return Outcome(
        state=status["state"],
        error=status["error"],
        where=status["where"],
        hint=status["hint"],
        facts=status["facts"],
        phases=phases,
        notes=status["notes"],
        started_at=status["started_at"],
        ended_at=status["ended_at"],
        retry=status["error"] is not None and bool(status.get("retry", False)),
        files=status.get("files", {}),
    )


def _without_results(results: Path, end: JobEnd) -> Outcome:
    """The outcome of a run whose attempt has left no results, with what it had written of itself before."""
    attempt = rows.begun(results, end.token) or {}
    unexplained = not end.trouble and not any(map(_CAUSES.search, end.tail))
    if end.token and end.exit_code == 0 and unexplained and not attempt:
        problem = "the script ended without a call of flowerexp.workload.main, which measures"
        return Outcome("failed", problem, where="entrypoint.script", hint=_NO_MAIN)
    line = end.trouble[-1] if end.trouble else explain(end.tail)
    hint = NO_MODULE if re.search("No module named|lacks a module", line) else None
    problem = f"the Spark job ended without results (exit code {end.exit_code}): {line}"
    begun = {name: attempt[name] for name in ("facts", "phases", "notes", "started_at") if name in attempt}
    return Outcome("failed", problem, hint=hint, retry=True, **begun)


def _compare(results: Path, files: Mapping[str, str]) -> None:
    """Are the files as the job wrote them?

    Raises:
        DataError: one of them is not.
        OSError: one of them is missing, or cannot be read.
    """
    for name, expected in files.items():
        if records.digest(results / name) != expected:
            raise records.damaged(results / name, records.CHANGED)


_CAUSES = re.compile(r"(Error|Exception|error:|No space left|Killed|OutOfMemory|Permission denied|cannot )")


def explain(tail: Sequence[str]) -> str:
    """The line of a driver's output that most likely says why it ended: the last one that names an error."""
    telling = [line.strip() for line in tail if _CAUSES.search(line) and not line.lstrip().startswith(("at ", "File "))]
    line = telling[-1] if telling else tail[-1].strip() if tail else "it printed nothing"
    return line[:300]
