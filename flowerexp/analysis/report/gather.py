"""Read a sweep's folder, or a run's, into what a report is made of. Reads plain files; changes nothing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flowerexp.analysis.utilisation import EventLog, find_logs, read
from flowerexp.config.redact import redacted
from flowerexp.errors import DataError, FlowerexpError
from flowerexp.journal import PLAN, Journal

if TYPE_CHECKING:
    import pandas

COLUMNS = {
    "reader": "object",
    "batch_size": "float64",
    "batch_number": "float64",
    "repetition": "float64",
    "execution": "float64",
    "images": "float64",
    "batches": "float64",
    "seconds": "float64",
    "first_batch_images": "float64",
    "first_batch_seconds": "float64",
    "page_cache": "object",
}
"""The columns that a report reads; other ones of a table may be large and are left on disk."""


@dataclass(frozen=True)
class Run:
    """One run of a report.

    Attributes:
        name: its folder's name.
        varied: what distinguishes it from the others of its sweep, by config key or group; plain values.
        state: `finished`, `failed`, `skipped`, `lost`, `not started`, ...
        record: the content of its ``run.json``, or nothing.
        summary: the content of its ``summary.json``, or nothing.
        folder: its folder.
    """

    name: str
    varied: Mapping[str, Any]
    state: str
    record: Mapping[str, Any]
    summary: Mapping[str, Any]
    folder: Path

    @property
    def config(self) -> Mapping[str, Any]:
        """Its config, without secrets; nothing for a run that never started."""
        config: Mapping[str, Any] = self.record.get("config", {})
        return config

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it ran on and with what data."""
        facts: Mapping[str, Any] = self.record.get("facts", {})
        return facts

    @property
    def label(self) -> str:
        """What tells it from the others: ``partitions=2 caching=true``."""
        return " ".join(f"{short(key)}={shown(value)}" for key, value in self.varied.items()) or str(
            self.record.get("name", self.name)
        )

    @property
    def verdict(self) -> str:
        """The verdict on its measurements, or that there is none."""
        return str((self.record.get("verdict") or {}).get("state") or "-")

    @property
    def reasons(self) -> Sequence[str]:
        """The verdict's reasons."""
        return list((self.record.get("verdict") or {}).get("reasons") or ())

    @property
    def rates(self) -> dict[str, Mapping[str, Any]]:
        """The groups of its summary that have a rate, by name: readers, or the entrypoint."""
        return {
            group["name"]: group
            for group in self.summary.get("groups", ())
            if group.get("images_per_second") is not None
        }

    @property
    def seconds(self) -> float:
        """Its wall time: all phases, those within others not counted twice."""
        return float(sum(value for name, value in self.record.get("phases", {}).items() if "." not in name))

    @property
    def cluster(self) -> str:
        """The name of its cluster."""
        cluster = self.config.get("cluster", {})
        return str(cluster.get("name") or cluster.get("kind") or "-")

    @property
    def dollars(self) -> float | None:
        """What it cost, where that is known."""
        cost = self.facts.get("cost/usd")
        return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None


@dataclass(frozen=True)
class Material:
    """What a report is made of.

    Attributes:
        folder: the sweep's or the run's.
        is_sweep: whether it is a sweep's.
        runs: in the order of the sweep.
        overrides: what was written on the command line, without secrets.
    """

    folder: Path
    is_sweep: bool
    runs: Sequence[Run]
    overrides: Sequence[str]

    @property
    def varied(self) -> list[str]:
        """The keys that a sweep varies, without its repeats."""
        return [key for key in dict.fromkeys(key for run in self.runs for key in run.varied) if key != "repeat"]

    @property
    def measured(self) -> list[Run]:
        """The runs that have measurements."""
        return [run for run in self.runs if run.summary.get("groups")]

    @property
    def command(self) -> str:
        """The command that runs it all again."""
        flags = ["-m"] if self.is_sweep and not any(one.startswith("experiment=") for one in self.overrides) else []
        return shlex.join(["flowerexp", *flags, *self.overrides])

    @cached_property
    def rows(self) -> pandas.DataFrame:
        """All rows of all runs: `COLUMNS`, and the run's name; those that a run lacks are null."""
        import pandas as pd
        import pyarrow.parquet

        parts = []
        for run in self.measured:
            path = run.folder / "analysis" / "measurements.parquet"
            if path.exists():
                names = [name for name in pyarrow.parquet.read_schema(path).names if name in COLUMNS]
                part = pyarrow.parquet.read_table(path, columns=names).to_pandas()
                part = part.reindex(columns=[*COLUMNS]).astype(COLUMNS).assign(run=run.name)
                parts.append(part.assign(reader=part["reader"].fillna(run.record["entrypoint"])))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*COLUMNS, "run"])

    @cached_property
    def timed(self) -> pandas.DataFrame:
        """The rows that rates are made of: first executions that were timed, with images."""
        rows = self.rows
        first = rows["execution"].isna() | (rows["execution"] == 1)
        return rows[first & (rows["images"] > 0) & (rows["seconds"] > 0)]

    @cached_property
    def logs(self) -> list[EventLog]:
        """The event logs of its jobs; one that cannot be read is left out, since a report has more to say."""
        found = []
        for folder in (self.folder / "job", *sorted((self.folder / "jobs").glob("*"))):
            for path in find_logs(folder):
                try:
                    found.append(read(path))
                except FlowerexpError:
                    continue
        return found


def load(folder: Path) -> Material:
    """Read a folder.

    Raises:
        DataError: it is neither a sweep's nor a run's, or one of its files is damaged.
    """
    if (folder / PLAN).exists():
        journal = Journal(folder)
        plan, state = journal.read_plan()["runs"], journal.read()
        varied = _varied([one["overrides"] for one in plan])
        runs = [
            _run(folder / one["run"], own, state.runs.get(one["run"], "not started"))
            for one, own in zip(plan, varied, strict=True)
        ]
        return Material(folder, True, runs, _overrides(folder / "multirun.yaml", ("hydra", "overrides", "task")))
    record = _json(folder / "run.json")
    if not record:
        hint = "name the folder of a sweep or of a run, such as outputs/DATE/TIME-ID"
        raise DataError(f"{folder} holds neither a sweep nor a run", hint=hint)
    run = _run(folder, {}, record["state"])
    return Material(folder, False, [run], _overrides(folder / ".hydra" / "overrides.yaml"))


def _run(folder: Path, varied: Mapping[str, str], state: str) -> Run:
    record = _json(folder / "run.json")
    values = {key: _value(record.get("config", {}), key, text) for key, text in varied.items()}
    return Run(folder.name, values, state, record, _json(folder / "analysis" / "summary.json"), folder)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}", hint="no report can be made of it") from error


def _varied(overrides: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Of each run the overrides that not all runs share."""
    split = [dict(one.lstrip("+~").partition("=")[::2] for one in own) for own in overrides]
    keys = dict.fromkeys(key for own in split for key in own if not key.startswith("hydra"))
    differing = [key for key in keys if len({own.get(key) for own in split}) > 1]
    return [{key: str(redacted(own[key], key)) for key in differing if key in own} for own in split]


def _value(config: Mapping[str, Any], key: str, text: str) -> Any:
    """What a config holds under a dotted key; for a config group, which holds many values, the option's name."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return text if value is None or isinstance(value, Mapping) else value


def _overrides(path: Path, place: Sequence[str] = ()) -> list[str]:
    try:
        value = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError):
        return []
    for part in place:
        value = (value or {}).get(part)
    return [str(_redacted(str(one))) for one in value or ()]


def _redacted(override: str) -> str:
    key, equals, value = override.partition("=")
    return f"{key}{equals}{redacted(value, key)}"


def short(key: str) -> str:
    """A key without its node: ``preprocess.partitions`` is ``partitions``."""
    return key.rpartition(".")[2]


def shown(value: Any) -> str:
    """A config's value as its YAML has it."""
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)
