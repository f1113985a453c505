"""The measurements of a run: their columns, how they are read and written, and rates, series and cells.

An entrypoint writes ``measurements.jsonl``, a JSON object for each row. A row has what the experiment declares, those
of `COLUMNS` that are known, and whatever else was measured; everything here works with the columns that are there.
`loading` reads rows, `table` holds them as columns. What is concluded from them belongs in `flowerexp.analysis`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from flowerexp.errors import from_os_error
from flowerexp.experiment import Experiment

COLUMNS = {
    "repetition": "int64",  # from 1
    "execution": "int64",  # from 1; later ones come from actions that measure everything again
    "order": "int64",  # position in the seeded order
    "attempt": "int64",  # from 1; a run that is resumed goes on with the next one
    "censored": "bool",  # stopped at `measure.max_seconds`: its seconds end there, and it has no count
    "discarded": "int64",  # how often it was made before, and did not count since an executor was lost meanwhile
    "executors_lacking": "int64",  # how many executors fewer there were than the job has asked for
    "seconds": "double",  # null where nothing was timed
    "reused": "bool",  # about what existed before the run: it has a count and no time
    "bytes": "int64",  # written; their sum is in the summary
    "waited_seconds": "double",  # for a measuring slot, outside the measurement
    "neighbours": "int64",  # other measurements that overlapped this one on its host
    "warm_ups": "int64",  # of this process before its first measurement, until they no longer got faster
    "warm_up_steady": "bool",  # whether they had stopped getting faster
    "load_before": "double",  # the host's load average of the minute before the measurement
    "host_cores": "int64",
    "memory_available_bytes": "int64",  # before the measurement
    "cpu_percent": "double",  # of the host, during the measurement: 100 is all of its cores
    "others_cpu_percent": "double",  # the part of it that the measuring process did not use; imprecise if short
    "net_bytes_s": "double",  # bytes a second over the host's network, during the measurement
    "disk_bytes_s": "double",  # bytes a second from and to the host's disks, during the measurement
    "probe_seconds": "double",  # of a fixed piece of work on the host, the mean of before and after the measurement
    "spark_jobs": "int64",  # this and the following: of a measurement that is a Spark job
    "spark_stages": "int64",
    "spark_tasks": "int64",
    "shuffle_read_bytes": "int64",
    "shuffle_write_bytes": "int64",
    "spill_bytes": "int64",  # to disk
    "gc_seconds": "double",
    "task_seconds": "double",  # of executors, the sum over tasks
    "executor_cpu_seconds": "double",
    "slowest_task_seconds": "double",  # of the stage with the most task time
    "median_task_seconds": "double",
    "host": "string",
    "pid": "int64",
    "started_at": "double",  # seconds since the epoch
    "started_ns": "int64",  # perf_counter_ns: comparable within one host
    "ended_ns": "int64",
}
"""The columns that rows of every experiment may have, in their order, with their Arrow types."""

_TYPES = {"int": "int64", "float": "double", "bool": "bool", "text": "string"}


def columns_of(experiment: Experiment) -> dict[str, str]:
    """The known columns of an experiment, with their Arrow types: its own come first, then `COLUMNS`."""
    parts = experiment.parts
    parameters = {name: _TYPES[parameter.type] for name, parameter in experiment.parameters.items()}
    counted = {experiment.count: "int64"}
    if parts:
        counted |= {parts.column: "int64"} if parts.column else {}
        counted |= {parts.count: "int64", parts.first_count: "int64", parts.first_seconds: "double"}
    return {**counted, **parameters, **COLUMNS}


def columns_of_value(experiment: Experiment) -> list[str]:
    """The columns that say what rows measured, and from which their rates and the experiment's value follow."""
    parts = experiment.parts
    of_parts = [parts.column, parts.count, parts.planned, parts.first_count, parts.first_seconds] if parts else []
    # Of values, only a column of the experiment's own is there.
    own = [*experiment.parameters, experiment.count, *filter(None, of_parts), experiment.value.name]
    return [*dict.fromkeys([*own, "seconds", "execution", "censored"])]


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` write a file beside `path`, and move it there when it is complete, so that nobody reads half a file.

    Raises:
        MachineError: the file cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        aside.replace(path)
    except OSError as error:
        error.filename = str(path)
        raise from_os_error(error, "writing") from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
    return path
