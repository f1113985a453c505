"""The rows of a run's measurements as a data frame: the columns that a report reads, whatever was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
from pandas.api.types import union_categoricals

from flowerexp.analysis.report.runs import Run
from flowerexp.experiment import Experiment
from flowerexp.measurements import columns_of_value
from flowerexp.measurements.coded import Array, Coded
from flowerexp.measurements.parquet import read_parquet
from flowerexp.measurements.table import Measurements

NUMBERS = (
    "repetition",
    "execution",
    "seconds",
    "neighbours",
    "load_before",
    "cpu_percent",
    "others_cpu_percent",
    "net_bytes_s",
    "disk_bytes_s",
    *("started_at", "waited_seconds", "pid"),
)
"""The columns of numbers that a report reads of any experiment; others may be large, and are left on the disk."""
SPARK = (
    *("spark_jobs", "spark_stages", "spark_tasks", "shuffle_read_bytes", "shuffle_write_bytes", "spill_bytes"),
    *("gc_seconds", "task_seconds", "executor_cpu_seconds", "slowest_task_seconds", "median_task_seconds"),
)
"""What Spark did during each measurement; only the rows of some experiments have these columns."""


def read_rows(path: Path, experiment: Experiment, texts: Sequence[str]) -> pd.DataFrame:
    """Read a run's ``measurements.parquet``.

    Args:
        path: the file's.
        experiment: what the run measured.
        texts: the columns of text to read.

    Returns:
        A row for each measurement: its series, its numeric parameters, what was counted and timed, and `texts`. A value
        that is not of its column's kind is null. Texts are categories, in the order of the texts.

    Raises:
        DataError: the file is damaged.
    """
    columns = dict.fromkeys([*columns_of_value(experiment), *NUMBERS, *SPARK, *texts])
    table = read_parquet(path, [*columns], [*experiment.categorical, *texts])
    return _frame(Measurements(table, experiment), texts)


def no_rows(experiment: Experiment, texts: Sequence[str]) -> pd.DataFrame:
    """The same of an experiment that has measured nothing."""
    return _frame(Measurements(pyarrow.table({}), experiment), texts)


def _frame(measured: Measurements, texts: Sequence[str]) -> pd.DataFrame:
    columns: dict[str, Any] = {"series": _texts(measured.series_names, measured.series)}
    columns |= {name: measured.numbers(name) for name in (*measured.experiment.numeric, *NUMBERS)}
    columns |= {name: measured.numbers(name) for name in SPARK if name in measured.names}
    top, bottom = measured.value
    columns |= {"count": measured.counts, "parts": measured.parts, "top": top, "bottom": bottom}
    columns |= {"first_count": measured.first_counts, "first_seconds": measured.first_seconds}
    columns["censored"] = measured.censored
    for name in texts:
        places, values = measured.texts(name)
        columns[name] = _texts(values, places)
    return pd.DataFrame(columns, copy=False)


def _texts(values: Sequence[str], places: Array) -> pd.Categorical:
    """A column of text as numbers, in the order of the texts; -1 for null."""
    column = Coded.chosen(np.array(values, object), places)
    return pd.Categorical.from_codes(column.places, pd.Index(column.values))  # type: ignore[arg-type]  # an array, too


def together(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of one run or of several, with the run's name as their `run`.

    Args:
        frames: by run, what `read_rows` gives.
    """
    parts = [*frames.values()]
    names = [str(name) for name in parts[0].select_dtypes("category")]
    texts = {name: union_categoricals([part.pop(name) for part in parts], sort_categories=True) for name in names}
    texts["run"] = _texts([*frames], np.repeat(np.arange(len(parts)), [*map(len, parts)]))
    return pd.concat(parts, ignore_index=True).assign(**texts)


def of_runs(rows: pd.DataFrame, runs: Iterable[Run]) -> pd.DataFrame:
    """The rows of some runs."""
    return where(rows, rows["run"].isin([run.name for run in runs]))


def of_each_run(rows: pd.DataFrame, values: Mapping[str, Any]) -> pd.Series[Any]:
    """What the run of each row has, by the run's name."""
    runs = rows["run"].cat
    return pd.Series([values.get(name) for name in runs.categories]).take(runs.codes.to_numpy()).set_axis(rows.index)


def where(rows: pd.DataFrame, chosen: pd.Series[bool]) -> pd.DataFrame:
    """The rows of a mask; they are not copied if it is all of them."""
    return rows if chosen.all() else rows[chosen]
