"""Read a sweep's folder, or a run's, into what a report is made of. Reads plain files; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from flowerexp import records
from flowerexp.analysis.earlier import find_summary
from flowerexp.analysis.experiments import extras_of
from flowerexp.analysis.report.material import Material, Typed
from flowerexp.analysis.report.runs import Run
from flowerexp.analysis.report.varied import varied
from flowerexp.config import recorded
from flowerexp.config.places import PROVIDER
from flowerexp.config.redact import redacted_override
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
        runs = [
            replace(
                _run(folder / planned["run"], values, state.runs.get(planned["run"], "not started")),
                run_key=planned["run_key"],
                said=planned.get("label", ""),
                order=planned.get("order"),
                block=planned.get("block"),
            )
            for planned, values in zip(plan, varied(plan), strict=True)
        ]
        typed = _typed(folder / "multirun.yaml")
        first = recorded(plan[0]["config"]).entrypoint
        return Material(folder, True, runs, typed, first, _texts(first, runs), state.damage)
    if not (folder / "run.json").exists():
        hint = "name the folder of a sweep or of a run, such as outputs/DATE/TIME-ID"
        raise DataError(f"{folder} holds neither a sweep nor a run", hint=hint)
    record = records.of_run(folder)
    run, experiment = _run(folder, {}, record["state"], record), recorded(record["config"]).entrypoint
    typed = _typed(folder / ".hydra" / "hydra.yaml")
    return Material(folder, False, [run], typed, experiment, _texts(experiment, [run]))


def _texts(first: Experiment, runs: Sequence[Run]) -> tuple[str, ...]:
    """The columns of text that a report of these runs reads."""
    experiments = [first, *(run.config.entrypoint for run in runs if run.config)]
    return (*TEXTS, *dict.fromkeys(name for experiment in experiments for name in extras_of(experiment).texts))


def _run(folder: Path, varied: Mapping[str, Any], state: str, record: Mapping[str, Any] | None = None) -> Run:
    try:
        whole = (folder / "run.json").exists() or state == "finished"
        record = record or (records.of_run(folder) if whole else {})
        summary = find_summary(folder / "analysis" / "summary.json") or {}
        check_parquet(folder / "analysis" / "measurements.parquet")
    except DataError as error:
        state, record, summary = "damaged", {"error": error.problem}, {}
    key, name = record.get("run_key", ""), record.get("name", "")
    return Run(folder.name, varied, state, record, summary, folder, key, name)


def _typed(path: Path) -> Typed:
    """What was typed, from a file with Hydra's node; nothing where that cannot be read."""
    try:
        hydra: Any = (yaml.safe_load(path.read_bytes()) or {}).get("hydra") or {}
    except (OSError, yaml.YAMLError):
        return Typed()
    runtime = hydra.get("runtime") or {}
    own = [one["path"] for one in runtime.get("config_sources") or () if one.get("provider") == PROVIDER]
    overrides = [redacted_override(str(override)) for override in (hydra.get("overrides") or {}).get("task") or ()]
    return Typed(overrides, Path(own[0]) if own else None, Path(runtime.get("cwd") or "."))
