"""The record of a measurement: its columns, what an experiment makes of them, and files that appear whole.

An entrypoint writes ``measurements.jsonl``, a JSON object a row. The rows of our own entrypoints hold the columns of
`COLUMNS`; any other entrypoint may yield any columns, and everything here works with those that are there. `loading`
reads them, and `table` holds them as columns.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from flowerexp.errors import from_os_error
from flowerexp.experiment import Experiment, Parameter, Parts

COLUMNS = {
    "reader": "string",  # what was read: image_files, tfrecords
    "batch_size": "int64",  # images a batch
    "batch_number": "int64",  # batches that were asked for
    "repetition": "int64",  # from 1
    "execution": "int64",  # from 1; later ones read what the first has left in the page cache
    "order": "int64",  # position in the seeded order
    "images": "int64",  # counted, not computed
    "batches": "int64",  # counted; the last may be short
    "seconds": "double",  # the whole read loop; null where prepared data was reused
    "first_batch_seconds": "double",
    "first_batch_images": "int64",
    "waited_seconds": "double",  # for the slot, outside the measurement
    "neighbours": "int64",  # other measurements that overlapped this one on its host
    "page_cache": "string",  # cold, warm or unknown; remote: read from a bucket, where there is none
    "page_cache_fraction": "double",  # 0 to 1, of the bytes to be read
    "warm_up_reads": "int64",  # by this process before its first measurement, until they got no faster
    "warm_up_steady": "bool",  # whether they had stopped getting faster
    "load_before": "double",  # the host's load average of the minute before the measurement
    "host_cores": "int64",
    "memory_available_bytes": "int64",  # before the measurement
    "cpu_percent": "double",  # of the host, during the measurement: 100 is all of its cores
    "others_cpu_percent": "double",  # the part of it that the measuring process did not use; rough if short
    "net_bytes_s": "double",  # bytes a second over the host's network, during the measurement
    "disk_bytes_s": "double",  # bytes a second from and to the host's disks, during the measurement
    "spark_jobs": "int64",  # what Spark did during a measurement of the driver
    "spark_stages": "int64",  # without those that were skipped
    "spark_tasks": "int64",
    "shuffle_read_bytes": "int64",
    "shuffle_write_bytes": "int64",
    "spill_bytes": "int64",  # to disk
    "gc_seconds": "double",  # added up over tasks, like the next two
    "task_seconds": "double",  # executor run time
    "executor_cpu_seconds": "double",
    "slowest_task_seconds": "double",  # of the stage with the most task time, like the next
    "median_task_seconds": "double",
    "host": "string",
    "pid": "int64",
    "started_at": "double",  # seconds since the epoch
    "started_ns": "int64",  # perf_counter_ns: comparable within one host
    "ended_ns": "int64",
    "file": "string",
    "partition": "int64",
    "bytes": "int64",
    "reused": "bool",
}
"""The columns that we know, with their Arrow types; they keep type and order whatever else a file holds."""


_TEXT = Parameter(type="text")
_WHOLE = Parameter(type="int", min=1)
READ_SPEED = Experiment(
    name="read_speed",
    question="How fast can images be read?",
    script="spark_entry/read_speed.py",
    where="executor",
    unit="images",
    parameters={"reader": _TEXT, "batch_size": _WHOLE, "batch_number": _WHOLE},
    products=(("batch_size", "batch_number"),),
    parts=Parts(
        name="batch",
        count="batches",
        planned="batch_number",
        first_count="first_batch_images",
        first_seconds="first_batch_seconds",
    ),
)


def experiment_of(entrypoint: str) -> Experiment:
    """The experiment that an entrypoint is: all are described as read_speed is, but for the name."""
    return replace(READ_SPEED, name=entrypoint)


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` make a file beside `path`, and move it there when it is whole: no reader ever sees half a file.

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
