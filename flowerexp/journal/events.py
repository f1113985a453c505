"""What happens in a sweep, as its journal holds it: a frozen dataclass for each kind of event, and its line of JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flowerexp import records

DONE = ("finished", "failed", "skipped", "aborted", "refused", "dropped", "not_tried")
"""The states after which a run is not run again; the last four are those of a search for a cluster."""


@dataclass(frozen=True, kw_only=True)
class _Event:
    """What every event has.

    Attributes:
        at: epoch seconds; the journal sets them when it writes the event down.
    """

    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ScopeChosen(_Event):
    """The sweep has its random id."""

    scope: str


@dataclass(frozen=True, kw_only=True)
class _JobEvent(_Event):
    """An event of a job: its folder below the sweep's, what finds it on its cluster, and the names of its runs."""

    folder: str
    handle: Mapping[str, Any]
    runs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class JobIntended(_JobEvent):
    """A job is about to be submitted."""


@dataclass(frozen=True, kw_only=True)
class JobSubmitted(_JobEvent):
    """A job was submitted."""


@dataclass(frozen=True, kw_only=True)
class ClusterChanged(_Event):
    """A cluster is `creating`, `running`, `deleting` or `deleted`.

    Attributes:
        state: the new state.
        handle: what finds the cluster; `name` in any case.
        cluster: its config, with secrets hidden.
    """

    state: str
    handle: Mapping[str, Any]
    cluster: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunStarted(_Event):
    """A run has started on its cluster."""

    run: str


@dataclass(frozen=True, kw_only=True)
class RunLost(_Event):
    """The job of a run ended without the run's results."""

    run: str
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a search for a cluster learned from a run.

    Attributes:
        status: how it ended.
        seconds: how long it took; None where that is not known.
        prior: whether it was known before the search.
        chosen: whether the search suggested it.
    """

    status: str
    seconds: float | None
    prior: bool
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Smoked:
    """How the smoke run of a cluster ended.

    Attributes:
        status: how.
        seconds: how long it took; None where that is not known.
        prior: whether it was known before.
        error: what went wrong.
        needs_gb: the memory that all of the data should need, by what it used; None where that is not known.
    """

    status: str
    seconds: float | None
    prior: bool
    error: str
    needs_gb: float | None = None


@dataclass(frozen=True, kw_only=True)
class RunEnded(_Event):
    """A run is done.

    Attributes:
        run: its name.
        state: one of `DONE`.
        error: what went wrong.
        retry: whether something else than the experiment is to blame, so that the run is made again.
        run_id: MLflow's, of a run that was skipped.
        of: the folder of the earlier run whose results it would have had.
        observed: what a search learned from it.
        smoked: how it ended, if it is a smoke run of a search.
    """

    run: str
    state: str
    error: str | None = None
    retry: bool = False
    run_id: str | None = None
    of: str | None = None
    observed: Observed | None = None
    smoked: Smoked | None = None


@dataclass(frozen=True, kw_only=True)
class RunLogged(_Event):
    """MLflow has a run."""

    run: str
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunUnlogged(_Event):
    """MLflow could not be given a run."""

    run: str
    error: str


@dataclass(frozen=True, kw_only=True)
class KnownRunsChecked(_Event):
    """A search has looked for what was known before it began."""


@dataclass(frozen=True, kw_only=True)
class SmokeStageEnded(_Event):
    """A search is done with its smoke runs."""


Event = (
    ScopeChosen
    | JobIntended
    | JobSubmitted
    | ClusterChanged
    | RunStarted
    | RunLost
    | RunEnded
    | RunLogged
    | RunUnlogged
    | KnownRunsChecked
    | SmokeStageEnded
)

_JOB = {"folder": str, "handle": dict, "runs": [str]}
_ERROR = str | None
_ENDED = {"run": str, "error": _ERROR, "run_id": str | None, "of": str | None}
_OBSERVED = {"status": str, "seconds": records.NUMBER | None, "prior": bool, "chosen": bool}
_SMOKED = {
    "status": str, "seconds": records.NUMBER | None, "prior": bool, "error": str, "needs_gb": records.NUMBER | None,
}  # fmt: skip
_NESTED: Mapping[str, tuple[type, Mapping[str, Any]]] = {"observed": (Observed, _OBSERVED), "smoked": (Smoked, _SMOKED)}
_IF_THERE: Mapping[str, Any] = {"retry": bool, "observed": _OBSERVED, "smoked": _SMOKED}


_KINDS: Mapping[str, tuple[Callable[..., Event], Mapping[str, Any]]] = {
    "scope": (ScopeChosen, {"scope": str}),
    "submitting": (JobIntended, _JOB),
    "submitted": (JobSubmitted, _JOB),
    "cluster": (ClusterChanged, {"state": str, "handle": {"name": str}, "cluster": dict}),
    "started": (RunStarted, {"run": str}),
    "lost": (RunLost, {"run": str, "error": _ERROR}),
    "logged": (RunLogged, {"run": str, "run_id": str | None}),
    "unlogged": (RunUnlogged, {"run": str, "error": str}),
    "looked": (KnownRunsChecked, {}),
    "smoke_over": (SmokeStageEnded, {}),
    **dict.fromkeys(DONE, (RunEnded, _ENDED)),
}
"""The word that names an event's kind in the journal, its class, and what its line holds; see `records.misfit`."""
_WORDS: Mapping[Any, str] = {make: word for word, (make, _) in _KINDS.items() if word not in DONE}


def to_json(event: Event) -> dict[str, Any]:
    """An event as the object of its line: its kind under `event`, and its attributes that have a value."""
    content = {
        key: value for key, value in dataclasses.asdict(event).items() if value is not None and value is not False
    }
    kind = content.pop("state") if isinstance(event, RunEnded) else _WORDS[type(event)]
    return {"event": kind, **content}


def fits(content: Mapping[str, Any]) -> bool:
    """Is the object of a line an event, whole? One of an unknown kind, which a later version wrote, is."""
    _, wanted = _KINDS.get(str(content.get("event")), (None, {}))
    wanted = {"event": str, "at": records.NUMBER, **wanted}
    wanted |= {key: form for key, form in _IF_THERE.items() if key in content}
    return records.misfit(content, wanted) is None


def from_json(content: Mapping[str, Any]) -> Event | None:
    """The event of a line that `fits`; None for one of a kind that this version does not know."""
    kind = content["event"]
    if kind not in _KINDS:
        return None
    make, wanted = _KINDS[kind]
    values = {key: content[key] for key in ("at", *wanted) if content.get(key) is not None}
    if kind in DONE:
        values |= {"state": kind, "retry": content.get("retry", False)}
        values |= {key: made(**_only(content[key], form)) for key, (made, form) in _NESTED.items() if key in content}
    if "runs" in values:
        values["runs"] = tuple(values["runs"])
    return make(**values)


def _only(content: Mapping[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    return {key: content.get(key) for key in form}
