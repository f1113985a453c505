"""Read a sweep's folder, or a run's, into what a report is made of. Reads plain files; changes nothing."""

from __future__ import annotations

import json
import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flowerexp.analysis.report.runs import Run
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
    "host": "object",
    "load_before": "float64",
    "cpu_percent": "float64",
    "net_bytes_s": "float64",
    "disk_bytes_s": "float64",
}
"""The columns that a report reads; other ones of a table may be large and are left on disk."""


CELL = ["run", "reader", "batch_size", "batch_number"]
"""What makes a line of the tidy table."""


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
        """The rows that rates are made of: first executions that were timed, with images.

        Their ``cell`` is a number that measurements share which repeat each other, repeats of a run included.
        """
        rows = self.rows
        first = rows["execution"].isna() | (rows["execution"] == 1)
        timed = rows[first & (rows["images"] > 0) & (rows["seconds"] > 0)]
        settings = [*dict.fromkeys(self.setting(run) for run in self.measured)]
        numbers = timed["run"].map({run.name: settings.index(self.setting(run)) for run in self.measured})
        alike = timed.assign(setting=numbers).groupby(["setting", *CELL[1:]], dropna=False)
        return timed.assign(cell=alike.ngroup())

    def setting(self, run: Run) -> tuple[Any, ...]:
        """What a run has of all that the sweep varies, but for its repeats."""
        return tuple(run.varied.get(key) for key in self.varied)

    @cached_property
    def disagreement(self) -> dict[str, tuple[float, int]]:
        """How far runs of one setting disagree, by reader.

        The standard deviation of the logarithm of their rates, pooled over settings, and its degrees of freedom.
        """
        found = {}
        for reader in dict.fromkeys(reader for run in self.measured for reader in run.rates):
            logs: dict[tuple[Any, ...], list[float]] = {}
            for run in self.measured:
                if reader in run.rates:
                    logs.setdefault(self.setting(run), []).append(math.log(run.rates[reader]["images_per_second"]))
            freedom = sum(len(own) - 1 for own in logs.values())
            squares = math.fsum((value - statistics.fmean(own)) ** 2 for own in logs.values() for value in own)
            found[reader] = (math.sqrt(squares / freedom) if freedom else 0.0, freedom)
        return found

    def runs_of(self, log: EventLog) -> list[Run]:
        """The measured runs that an application carried: several may have worked at the same time."""
        return [run for run in self.measured if run.facts.get("application_id") == log.application]

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
