"""The plan: checked configs become runs with an identity, grouped into jobs by cluster. Nothing has happened yet."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from flowerexp.config import key_of, measured_part
from flowerexp.config.roles import without
from flowerexp.config.schema import Cluster, Config
from flowerexp.experiment import Experiment

_OF_THE_ENTRYPOINT = ("name", "script", "where", "unit", "column", "settings", "requires", "requires_for")
"""What of an experiment's declaration a result depends on; the rest says what to call and how to show it."""
_LEFT_OUT = tuple(f"entrypoint.{one.name}" for one in fields(Experiment) if one.name not in _OF_THE_ENTRYPOINT)

_DOT = "·"
_VALUE_LENGTH = 30  # characters of a value in a run's name: a path says nothing there


@dataclass(frozen=True)
class PlannedRun:
    """One run.

    Attributes:
        run_key: its identity.
        config: its checked config.
        folder: the folder that it leaves behind.
        code_hash: the hash of the code that it runs.
        extra: what else its record holds, such as the sweep that it belongs to, and its name there.
    """

    run_key: str
    config: Config
    folder: Path
    code_hash: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entrypoint(self) -> str:
        """The entrypoint's name."""
        return self.config.entrypoint.name

    @property
    def name(self) -> str:
        """A short name for tables and MLflow: `read_speed caching=true · local`; in a sweep, see `extended`."""
        if "name" in self.extra:
            return str(self.extra["name"])
        caching = f" caching={shown(self.config.caching)}" if self.config.grid else ""
        return f"{self.subject}{caching} {_DOT} {self.config.cluster.name}"

    @property
    def subject(self) -> str:
        """What is measured: the series if the grid has only one, else the experiment."""
        chosen = [self.config.grid[name] for name in self.config.experiment.categorical]
        only = [shown(values[0]) for values in chosen] if all(len(values) == 1 for values in chosen) else []
        return " ".join(only) or self.entrypoint

    @property
    def label(self) -> str:
        """How this run differs from the others of its sweep; its name outside of a sweep."""
        return str(self.extra.get("label") or self.name)

    @property
    def requires(self) -> dict[str, str]:
        """See `required`."""
        return required(self.config)

    @property
    def measurements(self) -> int:
        """How many measurements the grid asks for, before cells are dropped; 0 where the experiment has no grid.

        With `measure.until`, it is how many it asks for at least.
        """
        grid = self.config.grid
        return math.prod(map(len, grid.values())) * self.config.measure.least if grid else 0

    @property
    def is_open(self) -> bool:
        """Does it depend on what is measured how many measurements there are?"""
        return self.config.measure.until is not None


def required(config: Config) -> dict[str, str]:
    """What a run imports on the cluster beside PySpark: the modules, each with the requirement that brings it."""
    needed = dict(config.entrypoint.requires)
    for name, parameter in config.entrypoint.parameters.items():
        for value in config.grid[name]:
            needed |= parameter.requires.get(str(value), {})
    for key, by_value in config.entrypoint.requires_for.items():
        needed |= by_value.get(str(functools.reduce(getattr, key.split("."), config)), {})
    return needed


@dataclass(frozen=True)
class PlannedJob:
    """Runs that share a cluster and an entrypoint, and so one Spark application."""

    cluster: Cluster
    script: str
    runs: Sequence[PlannedRun]


@dataclass(frozen=True)
class Plan:
    """Everything that will run."""

    jobs: Sequence[PlannedJob]

    @property
    def runs(self) -> list[PlannedRun]:
        """All runs, in the order of the jobs."""
        return [run for job in self.jobs for run in job.runs]


def extended(run: PlannedRun, differs: Mapping[str, str]) -> str:
    """A run's name in a sweep: what is varied comes first: `caching=false shards=16 · read_speed`.

    MLflow's table cuts long names at their end. Repeats of a run have one name, under which they can be pooled.

    Args:
        run: the run.
        differs: the values that differ from those of others, by their keys, such as `preprocess.shards`.
    """
    kept = {key: value for key, value in differs.items() if key != "repeat"}
    if not kept:
        return run.name
    last = [key.rpartition(".")[2] for key in kept]
    short = {key: own if last.count(own) == 1 else key for key, own in zip(kept, last, strict=True)}
    varied = " ".join(f"{short[key]}={_shortened(value)}" for key, value in kept.items())
    return f"{varied} {_DOT} {run.entrypoint if run.subject in kept.values() else run.subject}"


def named(runs: Sequence[PlannedRun], differs: Sequence[Mapping[str, str]]) -> list[PlannedRun]:
    """The runs of a sweep, each with a name that says what the sweep varies; a single one keeps its own.

    Args:
        runs: the runs.
        differs: for each, its values where the runs differ, by their keys.
    """
    if len(runs) == 1:
        return [*runs]
    names = [extended(run, own) for run, own in zip(runs, differs, strict=True)]
    return [replace(run, extra={**run.extra, "name": name}) for run, name in zip(runs, names, strict=True)]


def shown(value: Any) -> str:
    """A config's value as its YAML has it."""
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)


def _shortened(value: str) -> str:
    return value if len(value) <= _VALUE_LENGTH else f"{value[: _VALUE_LENGTH - 3]}..."


def run_key(config: Config, code_hash: str) -> str:
    """A run's identity: a hash of the part of its config that results depend on, and of the code that is shipped.

    Args:
        config: the checked config.
        code_hash: the bundle's hash.

    Returns:
        16 hexadecimal digits.
    """
    stable = measured_part(config, *_LEFT_OUT)
    stable["grid"] = without(stable["grid"], config.entrypoint.idle(config.grid))
    text = json.dumps({"config": stable, "code": code_hash}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan(
    configs: Sequence[Config],
    folders: Sequence[Path],
    code_hash: str,
    extra: Mapping[str, Any] | None = None,
) -> Plan:
    """Plan the runs of checked configs.

    Args:
        configs: one a run.
        folders: each run's folder.
        code_hash: the hash of the code that will be shipped.
        extra: what else the record of each run holds.

    Returns:
        The plan: jobs in the order in which their clusters first appear, runs within each in the given order.
    """
    return Plan(
        grouped(
            [
                PlannedRun(run_key(config, code_hash), config, folder, code_hash, extra or {})
                for config, folder in zip(configs, folders, strict=True)
            ]
        )
    )


def lasting(jobs: Sequence[PlannedJob], seconds: Callable[[PlannedRun], float | None], lanes: int) -> float | None:
    """How long jobs take on several clusters side by side; None where that of a run is not known.

    Args:
        jobs: the jobs, in their order.
        seconds: how long a run takes.
        lanes: how many clusters there are at once.
    """
    busy = [0.0] * max(1, lanes)
    for job in jobs:
        for run in job.runs:
            if (one := seconds(run)) is None:
                return None
            busy[0] += one
        busy.sort()
    return max(busy)


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def grouped(runs: Sequence[PlannedRun]) -> list[PlannedJob]:
    """Group runs that share a cluster and a script into jobs, in the order in which these first appear."""
    groups: dict[str, list[PlannedRun]] = {}
    for run in runs:
        key = key_of([run.config.cluster, run.config.entrypoint.script])
        groups.setdefault(key, []).append(run)
    return [PlannedJob(own[0].config.cluster, own[0].config.entrypoint.script, own) for own in groups.values()]
