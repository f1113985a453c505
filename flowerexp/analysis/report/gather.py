"""Read a sweep's folder, or a run's, into what a report is made of. Reads plain files; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from flowerexp import records
from flowerexp.analysis.earlier import find_summary, key_today
from flowerexp.analysis.experiments import extras_of
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.runs import Run
from flowerexp.config import recorded, upgraded
from flowerexp.config.redact import redacted, redacted_override
from flowerexp.errors import DataError
from flowerexp.experiment import Experiment
from flowerexp.journal import PLAN
from flowerexp.journal.journal import Journal
from flowerexp.measurements.parquet import check_parquet

TEXTS = ("host",)
"""The columns of text that a report reads of any experiment; others may be large, and are left on the disk."""


def load(folder: Path) -> Material:
    """Read a folder.

    Raises:
        DataError: it is neither a sweep's nor a run's, or its plan, or the one run, is damaged. A damaged run of a
            sweep is one without results.
    """
    if (folder / PLAN).exists():
        journal = Journal(folder)
        plan, state = journal.read_plan()["runs"], journal.read()
        varied = _varied(plan)
        runs = [
            _run(folder / planned["run"], values, state.runs.get(planned["run"], "not started"))
            for planned, values in zip(plan, varied, strict=True)
        ]
        overrides = _overrides(folder / "multirun.yaml", ("hydra", "overrides", "task"))
        first = recorded(plan[0]["config"]).entrypoint
        return Material(folder, True, runs, overrides, first, _texts(first, runs), state.damage)
    if not (folder / "run.json").exists():
        hint = "name the folder of a sweep or of a run, such as outputs/DATE/TIME-ID"
        raise DataError(f"{folder} holds neither a sweep nor a run", hint=hint)
    record = records.of_run(folder)
    run, experiment = _run(folder, {}, record["state"]), recorded(record["config"]).entrypoint
    overrides = _overrides(folder / ".hydra" / "overrides.yaml")
    return Material(folder, False, [run], overrides, experiment, _texts(experiment, [run]))


def _texts(first: Experiment, runs: Sequence[Run]) -> tuple[str, ...]:
    """The columns of text that a report of these runs reads."""
    experiments = [first, *(run.config.entrypoint for run in runs if run.config)]
    return (*TEXTS, *dict.fromkeys(name for experiment in experiments for name in extras_of(experiment).texts))


def _run(folder: Path, varied: Mapping[str, str], state: str) -> Run:
    try:
        whole = (folder / "run.json").exists() or state == "finished"
        record = records.of_run(folder) if whole else {}
        summary = find_summary(folder / "analysis" / "summary.json") or {}
        check_parquet(folder / "analysis" / "measurements.parquet")
    except DataError as error:
        state, record, summary = "damaged", {"error": error.problem}, {}
    config = upgraded(record["config"]) if record.get("config") else {}
    values = {key: _value(config, key, text) for key, text in varied.items()}
    return Run(folder.name, values, state, record, summary, folder)


def _varied(plan: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The overrides of each run that not all runs share."""
    overrides = [
        {key_today(key, run["config"]): text for key, text in map(_key_and_value, run["overrides"])} for run in plan
    ]
    keys = dict.fromkeys(key for of_run in overrides for key in of_run if not key.startswith("hydra"))
    differing = [key for key in keys if len({of_run.get(key) for of_run in overrides}) > 1]
    return [{key: str(redacted(of_run[key], key)) for key in differing if key in of_run} for of_run in overrides]


def _key_and_value(override: str) -> tuple[str, str]:
    key, _, text = override.lstrip("+~").partition("=")
    return key, text


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
    return [redacted_override(str(override)) for override in value or ()]
