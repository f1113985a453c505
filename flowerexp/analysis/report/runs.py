"""One run of a report, and how its settings are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flowerexp.analysis.charged import Seconds, seconds_of
from flowerexp.cluster.kind import kind_of
from flowerexp.config import Config, recorded


@dataclass(frozen=True)
class Run:
    """One run of a report.

    Attributes:
        name: its folder's name.
        varied: the values that distinguish it from the others of its sweep, by config key or group.
        state: `finished`, `failed`, `skipped`, `lost`, `not started`, ...; `damaged` if one of its files is.
        record: the content of its ``run.json``, or nothing; of a damaged run the error alone.
        summary: the content of its ``summary.json``, or nothing.
        folder: its folder.
        run_key: its identity.
        said: what distinguishes it from the others of its sweep, in one text; outside of a sweep its name.
        order: the place in which it ran in its sweep, from 0, as that was planned; None where that is not recorded.
        block: its repeat, likewise.
    """

    name: str
    varied: Mapping[str, Any]
    state: str
    record: Mapping[str, Any]
    summary: Mapping[str, Any]
    folder: Path
    run_key: str = ""
    said: str = ""
    order: int | None = None
    block: int | None = None

    @cached_property
    def config(self) -> Config | None:
        """Its config, without secrets; None for a run that never started."""
        config = self.record.get("config")
        return recorded(config) if config else None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it ran on, and with which data."""
        facts: Mapping[str, Any] = self.record.get("facts", {})
        return facts

    @property
    def label(self) -> str:
        """What distinguishes it from the others: ``shards=2 caching=true``."""
        return " ".join(f"{short(key)}={shown(value)}" for key, value in self.varied.items()) or str(
            self.record.get("name", self.name)
        )

    @property
    def verdict(self) -> str:
        """The verdict on its measurements, or ``-`` if there is none."""
        return str((self.record.get("verdict") or {}).get("state") or "-")

    @property
    def reasons(self) -> Sequence[str]:
        """The verdict's reasons, without the name of the machine that started it."""
        reasons = list((self.record.get("verdict") or {}).get("reasons") or ())
        host = str(self.facts.get("host") or "")
        if not (host and self.is_here):
            return reasons
        return [re.sub(rf"(?<![\w-]){re.escape(host)}(?![\w-])", "this machine", reason) for reason in reasons]

    @property
    def rates(self) -> dict[str, Mapping[str, Any]]:
        """The groups of its summary that have a rate, by name: its series, or the experiment."""
        return {group["name"]: group for group in self.summary.get("groups", ()) if group.get("rate") is not None}

    @property
    def values(self) -> dict[str, float]:
        """The experiment's value in each series, by the series' name."""
        return {
            group["name"]: group["value"] for group in self.summary.get("groups", ()) if group.get("value") is not None
        }

    @cached_property
    def seconds(self) -> Seconds:
        """Its wall time: its own, and what preparing and warming up took."""
        phases = self.record.get("phases", {})
        return seconds_of(phases, self.config.entrypoint) if self.config else Seconds(0.0, 0.0, 0.0)

    @property
    def cluster(self) -> str:
        """The name of its cluster."""
        return str(self.config.cluster.name or self.config.cluster.kind) if self.config else "-"

    @property
    def at_once(self) -> int:
        """How many measurements were allowed on a node at once."""
        return self.config.measure.concurrency if self.config else 1

    @property
    def simulated(self) -> str | None:
        """How fast its simulated bucket was; None where data was read from where it is."""
        pace = self.config.storage.simulated if self.config else None
        return str(pace) if pace else None

    @property
    def is_here(self) -> bool:
        """Whether it ran on the machine that started it: a report does not show that machine's name."""
        return self.config is not None and kind_of(self.config.cluster).on_this_machine

    @property
    def dollars(self) -> float | None:
        """What its own time cost, where that is known: preparing and warming up are left out, as in `seconds.own`."""
        cost, whole = self.facts.get("cost/usd"), self.facts.get("cost/cluster_seconds")
        if isinstance(cost, bool) or not isinstance(cost, int | float):
            return None
        share = min(1.0, self.seconds.own / whole) if whole and self.seconds.own else 1.0
        return float(cost) * share


def short(key: str) -> str:
    """A key without its node: ``preprocess.shards`` is ``shards``."""
    return key.rpartition(".")[2]


def shown(value: Any) -> str:
    """A config's value as in YAML."""
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)
