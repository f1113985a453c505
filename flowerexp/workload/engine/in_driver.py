"""Measure in the driver: one measurement after the other, each a Spark job group of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from flowerexp.workload import executors, host, report, slots
from flowerexp.workload.engine import spark_metrics
from flowerexp.workload.engine.cells import Task, warmth_of
from flowerexp.workload.engine.declared import Declared, Workload
from flowerexp.workload.engine.gathered import Gathered
from flowerexp.workload.engine.measurement import Place, measured
from flowerexp.workload.engine.warm_up import forget, settle

_TELL_SECONDS = 0.25  # from one line of progress to the next


def measure(
    context: Any,
    experiment: Declared,
    workload: Workload,
    prepared: Any,
    tasks: Sequence[Task],
    gathered: Gathered,
) -> None:
    """Warm the driver up for each series, and make all measurements that are missing.

    Raises:
        Exception: a measurement failed; those before it are gathered.
    """
    missing = gathered.missing(tasks)
    look = partial(host.snapshot, host.Family(context))
    with report.phase("warm_up"):
        firsts = {warmth_of(experiment, workload, prepared, task.cell): task for task in reversed(missing)}
        for task in firsts.values():
            _warm_up(context, experiment, workload, prepared, task)
    told = 0.0
    with report.phase("measure"):
        for number, task in enumerate(missing):
            if time.monotonic() > told + _TELL_SECONDS:
                report.progress(number, len(missing))
                told = time.monotonic()
            if gathered.missing([task]):  # its cell may have been stopped since
                group = f"{experiment.run_key} measurement {task.order}"
                recorded = partial(spark_metrics.recorded, context, group)
                place = Place(look, recorded, partial(context.cancelJobGroup, group), tidies=False)
                gathered.add(row := measured(experiment, workload, prepared, task, place))
                if row["censored"]:
                    executors.wait_until_idle(context)
                    forget()  # Spark has killed the Python workers that were busy
        report.progress(len(missing), len(missing))


def _warm_up(context: Any, experiment: Declared, workload: Workload, prepared: Any, task: Task) -> None:
    group = f"{experiment.run_key} warm-up"
    with report.job_group(context, group):
        with slots.slot(experiment.concurrency):
            settle(experiment, workload, prepared, task, partial(context.cancelJobGroup, group))
        if experiment.max_seconds is not None:
            executors.wait_until_idle(context)
