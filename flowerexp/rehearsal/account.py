"""What a rehearsal was: what would have been made and paid for, what would be left, and what a project needs for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.cloud.dataproc_v1 import types

from flowerexp.cluster.cost import Prices
from flowerexp.cluster.leftovers import batch_of, nodes_of
from flowerexp.errors import ConfigError
from flowerexp.plan import duration
from flowerexp.rehearsal.permissions import Needed
from flowerexp.text_table import text_table

_BATCH_ENDS = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass(frozen=True)
class Life:
    """A cluster or batch that would have cost money.

    Attributes:
        kind: `cluster` or `batch`.
        name: the cluster's name or the batch's id.
        begun: when it began to cost money; seconds since the first event.
        ended: when it no longer did; None if it still would.
        states: the states that it was in, with the seconds at which each began.
        usd: what it would have cost; None where no price is known.
    """

    kind: str
    name: str
    begun: float
    ended: float | None
    states: Sequence[tuple[float, str]]
    usd: float | None


def lives(report: Mapping[str, Any], prices: Prices) -> list[Life]:
    """The clusters and batches of a server's report, the oldest first.

    Args:
        report: its `events` and `machines`.
        prices: of machines, disks and batches.
    """
    events: Sequence[Mapping[str, Any]] = report["events"]
    zero = events[0]["at"] if events else 0.0
    last = events[-1]["at"] - zero if events else 0.0
    open_lives: dict[tuple[str, str], list[tuple[float, str]]] = {}
    found = []

    def close(key: tuple[str, str], ended: float | None) -> None:
        states = open_lives.pop(key)
        begun = next((at for at, state in states if key[0] == "cluster" or state == "RUNNING"), None)
        if begun is not None:  # a batch that never ran costs nothing
            seconds = (last if ended is None else ended) - begun
            usd = _usd(report["machines"][key[1]], seconds, prices)
            found.append(Life(*key, begun, ended, states, usd))

    for event in events:
        key, at = (event["kind"], event["name"]), event["at"] - zero
        if key[0] == "job":
            continue
        open_lives.setdefault(key, []).append((at, event["state"]))
        if event["state"] in ("deleted", *_BATCH_ENDS):
            close(key, at)
    for key in list(open_lives):
        close(key, None)
    return sorted(found, key=lambda life: life.begun)


def _usd(machines: Mapping[str, Any], seconds: float, prices: Prices) -> float | None:
    is_cluster = machines["kind"] == "cluster"
    message = types.ClusterConfig if is_cluster else types.RuntimeConfig
    config = message.from_json(json.dumps(machines["config"]))
    try:
        found = nodes_of(machines["region"], config) if is_cluster else batch_of(machines["region"], config.properties)
        return found.rate(prices).usd(seconds)
    except ConfigError:
        return None


def jobs(report: Mapping[str, Any]) -> dict[str, str]:
    """The jobs of a report with the last state of each."""
    return {event["name"]: event["state"] for event in report["events"] if event["kind"] == "job"}


def shown(made: Sequence[Life], submitted: Mapping[str, str], dated: str) -> Iterator[str]:
    """Lines on what would have been created, deleted and paid for."""
    if not made:
        yield "created   nothing: it was refused before a cluster or batch was created"
        return
    rows = [["", "created", "ready", "gone", "lived", "$"]]
    for life in made:
        ready = next((_clock(at) for at, state in life.states if state == "RUNNING"), "never")
        gone = "STILL THERE" if life.ended is None else _clock(life.ended)
        lived = "" if life.ended is None else duration(life.ended - life.begun)
        usd = "unknown" if life.usd is None else f"{life.usd:.3f}"
        rows.append([f"{life.kind} {life.name}", _clock(life.states[0][0]), ready, gone, lived, usd])
    yield from text_table(rows).splitlines()
    if submitted:
        yield f"jobs      {', '.join(f'{name}: {state}' for name, state in submitted.items())}"
    total = sum(life.usd or 0.0 for life in made)
    least = "at least " if any(life.usd is None for life in made) else ""
    yield f"cost      {least}${total:.2f} by the simulated clock, at prices of {dated}"


def requirements(needed: Needed, account: str | None) -> Iterator[str]:
    """Lines on what a project needs."""
    yield f"APIs      {', '.join(needed.apis)}"
    yield f"          gcloud services enable {' '.join(needed.apis)}"
    yield f"you need  {', '.join(needed.roles)}"
    yield from _folded(needed.permissions)
    if needed.of_machines:
        who = account or "the project's service account for Compute Engine"
        yield f"machines  {needed.machines_role} for {who}"
        yield from _folded(needed.of_machines)


def _folded(names: Sequence[str]) -> Iterator[str]:
    line = ""
    for name in names:
        if line and len(line) + len(name) > 100:
            yield f"          {line}".rstrip()
            line = ""
        line += f"{name} "
    yield f"          {line}".rstrip()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
