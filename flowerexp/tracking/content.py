"""The content of a logged run: its tags, metrics and table; nothing here calls MLflow."""

from __future__ import annotations

import getpass
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flowerexp.analysis.experiments import extras_of
from flowerexp.config import recorded
from flowerexp.experiment import Experiment
from flowerexp.tracking.names import name_of, shortened
from flowerexp.tracking.params import CONFIG_TAG, config_hash

if TYPE_CHECKING:
    from flowerexp.measurements.table import Measurements

VERDICT = "flowerexp.verdict"
MEASUREMENTS = "analysis/measurements.parquet"
TABLE = "measurements.json"
MOST_ROWS = 1000
"""The most measurements that are a table in MLflow; of more, all are in the Parquet file alone."""

TAG_LENGTH = 5000
# Facts for which MLflow has its own name, and numbers that say where a run ran.
_SYSTEM_TAGS = {"git_commit": "mlflow.source.git.commit"}
_NUMBERS_AS_TAGS = {"executors", "executors_asked", "cores"}
# The metrics of a group beside its rates and its count, which have names of the experiment.
_GROUP_METRICS = (
    "spread",
    "repetition_spread",
    "bytes",
    "seconds",
    "measurements",
    "executions",
    "executions_per_measurement",
)


# What Spark reported about each measurement; an experiment in the driver has these columns.
_OF_SPARK = (
    *("spark_jobs", "spark_stages", "spark_tasks", "shuffle_read_bytes", "shuffle_write_bytes", "spill_bytes"),
    *("gc_seconds", "task_seconds", "executor_cpu_seconds", "slowest_task_seconds", "median_task_seconds"),
)


def tags(record: Mapping[str, Any]) -> dict[str, str]:
    """What a run is and what it ran on. What MLflow's own pages have a name for has only that name."""
    verdict = record.get("verdict") or {}
    found: dict[str, Any] = {
        "mlflow.source.name": "flowerexp",
        "mlflow.source.type": "LOCAL",
        "run_key": record["run_key"],
        CONFIG_TAG: config_hash(record["config"]),
        "sweep_id": record.get("sweep_id"),
        "rerun_of": record.get("rerun_of"),
        "flowerexp.order": record.get("order"),
        "flowerexp.block": record.get("block"),
        VERDICT: verdict.get("state"),
        "flowerexp.reasons": "; ".join(verdict.get("reasons") or ()) or None,
        "flowerexp.answer": record.get("answer"),
        "flowerexp.error": record.get("error"),
    }
    # A container's user may not have a name: Python 3.13 raises OSError then, earlier versions KeyError.
    with suppress(KeyError, OSError):
        found["mlflow.user"] = getpass.getuser()
    for key, value in record["facts"].items():
        if _number(value) is None or key in _NUMBERS_AS_TAGS:
            found[_SYSTEM_TAGS.get(key, key)] = json.dumps(value) if isinstance(value, bool | int | float) else value
    return {name_of(key): shortened(str(value), TAG_LENGTH) for key, value in found.items() if value not in (None, "")}


def metrics(
    record: Mapping[str, Any], summary: Mapping[str, Any], measured: Measurements | None = None
) -> dict[str, float]:
    """A run's numbers, in sections by what stands before ``/``: each series', ``spark``, ``time``, ``data``, ``facts``.

    Args:
        record: the content of ``run.json``.
        summary: the content of ``summary.json``, or nothing for a run without results.
        measured: its measurements, if there are any.
    """
    found: dict[str, Any] = {}
    experiment = recorded(record["config"]).experiment
    fields = _fields(experiment)
    for group in summary.get("groups", ()):
        named = {metric: group.get(field) for metric, field in fields.items()}
        columns = {key: column["median"] for key, column in group.get("columns", {}).items() if key not in _OF_SPARK}
        found |= {f"{group['name']}/{key}": value for key, value in {**columns, **named}.items()}
    found |= _spark_medians(measured) if measured is not None else {}
    found |= extras_of(experiment).metrics(measured) if measured is not None else {}
    found |= {f"time/{phase}_seconds": seconds for phase, seconds in record["phases"].items()}
    for key, value in record["facts"].items():
        if key not in _NUMBERS_AS_TAGS:
            found[_fact_metric(key, {experiment.count, "bytes"})] = value
    return {name_of(key): number for key, value in found.items() if (number := _number(value)) is not None}


def _fields(experiment: Experiment) -> dict[str, str]:
    """A group's metrics, with their fields in the summary. MLflow's compare page opens with the first one."""
    rate, parts, value = experiment.rate, experiment.parts, experiment.value_name
    values = {value: "value", f"{value}_low": "low", f"{value}_high": "high"}
    rates = {rate: "rate", f"steady_{rate}": "steady_rate"}
    firsts = {parts.first_seconds: "first_seconds"} if parts else {}
    middle = {f"{rate}_median": "median_rate"}  # a name that is sorted next to the rate
    return {**values, **rates, **firsts, **middle, experiment.count: "count", **{name: name for name in _GROUP_METRICS}}


def _spark_medians(measured: Measurements) -> dict[str, float]:
    """The medians of what Spark reported about each measurement, by the names of the columns."""
    import numpy as np

    first = measured.firsts
    values = {name: first.numbers(name) for name in _OF_SPARK if name in first.names}
    known = {name: column[~np.isnan(column)] for name, column in values.items()}
    return {f"spark/{name}": float(np.median(column)) for name, column in known.items() if len(column)}


def _fact_metric(key: str, of_data: set[str]) -> str:
    """The metric of a numeric fact; one with a section in its name keeps it."""
    return key if "/" in key else f"{'data' if key in of_data else 'facts'}/{key}"


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def table_name(measured: Measurements) -> str:
    """The artifact that holds the `table`; one that does not hold all measurements says so in its name."""
    return TABLE if len(measured) <= MOST_ROWS else f"measurements_first_{MOST_ROWS}.json"


def table(measured: Measurements) -> str:
    """Measurements in the format of MLflow's tables, which its pages load as a whole: at most the first `MOST_ROWS`."""
    import numpy as np

    some = measured.where(np.arange(len(measured)) < MOST_ROWS)
    data = [[_cell(value) for value in row.values()] for row in some.rows()]
    return json.dumps({"columns": measured.names, "data": data})


def _cell(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no NaN
