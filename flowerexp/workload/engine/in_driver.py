"""Measure in the driver: one measurement after the other, each with its own Spark job group."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from flowerexp.workload import executors, host, report, slots
from flowerexp.workload.engine import spark_metrics
from flowerexp.workload.engine.cells import Task, warmth_of
from flowerexp.workload.engine.declared import Subject
from flowerexp.workload.engine.gathered import Gathered
from flowerexp.workload.engine.measurement import Place, measured
from flowerexp.workload.engine.warm_up import forget, settle

_PROGRESS_SECONDS = 0.25  # from one line of progress to the next


def measure(context: Any, subject: Subject, tasks: Sequence[Task], gathered: Gathered) -> None:
    """Warm the driver up for each series, and make all missing measurements.

    Raises:
        Exception: a measurement failed; the rows of the previous ones are gathered.
    """
    missing = gathered.missing(tasks)
    snapshot = partial(host.snapshot, host.Family(context))
    with report.phase("warm_up"):
        firsts = {warmth_of(subject, task.cell): task for task in reversed(missing)}
        for task in firsts.values():
            _warm_up(context, subject, task)
    reported = 0.0
    with report.phase("measure"):
        for number, task in enumerate(missing):
            if time.monotonic() > reported + _PROGRESS_SECONDS:
                report.progress(number, len(missing))
                reported = time.monotonic()
            if gathered.missing([task]):  # its cell may have been stopped meanwhile
                group = f"{subject.experiment.run_key} measurement {task.order}"
                recorded = partial(spark_metrics.recorded, context, group)
                place = Place(snapshot, recorded, partial(context.cancelJobGroup, group), tidies=False)
                gathered.add(row := measured(subject, task, place))
                if row["censored"]:
                    executors.wait_until_idle(context)
                    forget()  # Spark has killed the busy Python workers
        report.progress(len(missing), len(missing))


def _warm_up(context: Any, subject: Subject, task: Task) -> None:
    experiment = subject.experiment
    group = f"{experiment.run_key} warm-up"
    with report.job_group(context, group):
        with slots.slot(experiment.concurrency):
            settle(subject, task, partial(context.cancelJobGroup, group))
        if experiment.max_seconds is not None:
            executors.wait_until_idle(context)
