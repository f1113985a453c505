"""The metrics of a sweep's summary: the experiment's value in each of its settings, pooled over their repeats."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowerexp.config import recorded
from flowerexp.tracking.names import name_of

MEASUREMENTS = "measurements.parquet"
SECTION = "setting/"
_MOST = 30


def of_settings(folder: Path, plan: Mapping[str, Any], lines: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """The value in each setting and series, by the metric's name: `setting/tfrecords caching:true shards:16`.

    They have a section of their own: among the runs' results each would be a chart with a single bar. With more than
    `_MOST` settings there are none, since a page would have as many charts; the report's tables have them.

    As in the report, a value is a sum over a sum over all measurements of the valid runs, or of all runs if none is
    valid.

    Args:
        folder: the sweep's.
        plan: its plan.
        lines: its table of runs.

    Raises:
        DataError: the measurements are damaged.
    """
    if not (folder / MEASUREMENTS).exists():
        return {}
    from flowerexp.measurements import columns_of_value
    from flowerexp.measurements.parquet import read_parquet
    from flowerexp.measurements.table import Measurements

    valid = {line["run"] for line in lines if line["verdict"] == "valid"}
    found: dict[str, float] = {}
    for runs in _by_experiment(plan, valid).values():
        configs = [recorded(run["config"]) for run in runs]
        experiment = configs[0].entrypoint.in_play(config.grid for config in configs)
        columns = ["run", *columns_of_value(experiment)]
        table = read_parquet(folder / MEASUREMENTS, columns, ["run", *experiment.categorical])
        found |= _values(Measurements(table, experiment), {run["run"]: _setting(run) for run in runs})
    return found


def _by_experiment(plan: Mapping[str, Any], valid: set[str]) -> dict[str, list[Mapping[str, Any]]]:
    """The runs that count, by the experiment's name: what is the same for all runs of an experiment is its columns."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for run in plan["runs"]:
        if run["run"] in valid or not valid:
            found.setdefault(run["config"]["entrypoint"]["name"], []).append(run)
    return found


def _setting(run: Mapping[str, Any]) -> str:
    """What a sweep varies of a run, as a part of a metric's name, which may not have an equals sign."""
    varied = str(run["name"]).partition(" · ")[0] if "name" in run else re.sub(r"(^| )repeat=\d+", "", run["label"])
    return (varied or run["run"]).replace("=", ":").replace("/", "_")


def _values(some: Any, settings: Mapping[str, str]) -> dict[str, float]:
    import numpy as np

    place, runs = some.texts("run")
    names = [*dict.fromkeys(settings.values())]
    if len(names) > _MOST:
        return {}
    by_run = np.array([names.index(settings[run]) if run in settings else -1 for run in runs], int)
    counted = some.where(by_run[place] >= 0).firsts if len(runs) else some
    found: dict[str, float] = {}
    for series, rows in counted.valued.by_series.items() if len(counted) else ():
        place, known = rows.texts("run")
        setting = np.array([names.index(settings[run]) for run in known], int)[place]
        over, under = (np.bincount(setting, part, len(names)) for part in rows.value)
        for one in np.flatnonzero(under > 0):
            found[name_of(f"{SECTION}{series} {names[one]}")] = float(over[one] / under[one])
    return found
