"""The rows of a run's measurements as a data frame: the columns that a report reads, whatever was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow

from flowerexp.experiment import Experiment
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
        that is not of its column's kind is null.

    Raises:
        DataError: the file is damaged.
    """
    parts = experiment.parts
    of_parts = [parts.column, parts.count, parts.planned, parts.first_count, parts.first_seconds] if parts else []
    columns = [*experiment.parameters, experiment.count, *filter(None, of_parts), *NUMBERS, *SPARK, *texts, "censored"]
    columns += [experiment.value.name]  # of which only a column of the experiment's own exists
    return _frame(Measurements(read_parquet(path, [*dict.fromkeys(columns)]), experiment), texts)


def no_rows(experiment: Experiment, texts: Sequence[str]) -> pd.DataFrame:
    """The same of an experiment that has measured nothing."""
    return _frame(Measurements(pyarrow.table({}), experiment), texts)


def _frame(measured: Measurements, texts: Sequence[str]) -> pd.DataFrame:
    columns = {"series": np.array(measured.series_names, object)[measured.series]}
    columns |= {name: measured.numbers(name) for name in (*measured.experiment.numeric, *NUMBERS)}
    columns |= {name: measured.numbers(name) for name in SPARK if name in measured.names}
    top, bottom = measured.value
    columns |= {"count": measured.counts, "parts": measured.parts, "top": top, "bottom": bottom}
    columns |= {"first_count": measured.first_counts, "first_seconds": measured.first_seconds}
    columns["censored"] = measured.censored
    for name in texts:
        places, values = measured.texts(name)
        columns[name] = np.array([*values, None], object)[places]
    return pd.DataFrame(columns)
