"""What comes home from a job: each run's status, phases and rows, as its entrypoint left them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowerexp import storage


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


_PACKAGES = "list it in entrypoint.requires; clusters in the cloud install that with cluster.packages=stage"
_FILES = ("measurements.jsonl", "phases.json")
_STATUS = "status.json"


def fetch(output: str, results: Path) -> None:
    """Bring a run's results from where its job wrote them into its own folder; `status.json` comes last.

    Args:
        output: the path or URI that the job was given; nothing is done if it is the folder itself.
        results: the folder.

    Raises:
        OSError: they cannot be read, or not be written.
    """
    if storage.is_local(output):
        return
    status = storage.read_bytes(storage.join(output, _STATUS))
    attached = [f"attached/{name}" for name in json.loads(status).get("attached", ()) if Path(name).name == name]
    for name in (*_FILES, *attached):
        storage.write_bytes(str(results / name), storage.read_bytes(storage.join(output, name)))
    storage.write_bytes(str(results / _STATUS), status)


def read_outcome(results: Path, exit_code: int, tail: Sequence[str]) -> Outcome:
    """Read a run's results.

    Args:
        results: the folder that the entrypoint wrote to.
        exit_code: the job's.
        tail: the last lines that the job printed, to explain results that are missing.
    """
    try:
        status = json.loads((results / "status.json").read_bytes())
        phases = json.loads((results / "phases.json").read_bytes())
    except FileNotFoundError:
        line = explain(tail)
        hint = _PACKAGES if "No module named" in line else None
        return Outcome("failed", f"the Spark job ended without results (exit code {exit_code}): {line}", hint=hint)
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
    )


_CAUSES = re.compile(r"(Error|Exception|error:|No space left|Killed|OutOfMemory|Permission denied|cannot )")


def explain(tail: Sequence[str]) -> str:
    """The line of a driver's output that most likely says why it ended: the last one that names an error."""
    telling = [line.strip() for line in tail if _CAUSES.search(line) and not line.lstrip().startswith(("at ", "File "))]
    line = telling[-1] if telling else tail[-1].strip() if tail else "it printed nothing"
    return line[:300]
