"""Measure in the driver: one measurement after the other, each with its own Spark job group.

A measurement is the work of all executors. One during which an executor is lost, or a task fails and is repeated, is
discarded; before it is made again, the executors are waited for, what they had cached is cached again, and the driver
warms up again.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from flowerexp.workload import executors, host, report, slots
from flowerexp.workload.engine import caching, losses, spark_metrics
from flowerexp.workload.engine.cells import Task, warmth_of
from flowerexp.workload.engine.declared import Row, Subject
from flowerexp.workload.engine.gathered import Gathered
from flowerexp.workload.engine.measurement import Place, measured, measured_parts
from flowerexp.workload.engine.schedule import Schedule
from flowerexp.workload.engine.warm_up import forget, settle

_PROGRESS_SECONDS = 0.25  # from one line of progress to the next


def measure(context: Any, subject: Subject, schedule: Schedule, gathered: Gathered, watch: losses.Watch) -> None:
    """Warm the driver up for each series, and make all missing measurements.

    Raises:
        MachineError: executors were lost again and again.
        Exception: a measurement failed; the rows of the previous ones are gathered.
    """
    driver = _Driver(context, subject, gathered, watch)
    with report.phase("warm_up"):
        firsts: dict[Any, Task] = {}
        if not subject.experiment.parts:  # where parts are rows of their own, the first one is apart
            firsts = {warmth_of(subject, task.cell): task for task in reversed(gathered.missing(schedule.tasks))}
        for task in firsts.values():
            _warm_up(context, subject, task)
    reported, done = 0.0, 0
    with report.phase("measure"):
        for task in (task for group in schedule.groups() for task in group):
            if time.monotonic() > reported + _PROGRESS_SECONDS:
                report.progress(done, done + len(gathered.missing(schedule.tasks)))
                reported = time.monotonic()
            done += 1
            if gathered.missing([task]):  # its cell may have been stopped meanwhile
                driver.make(task)
        for task in gathered.missing(schedule.tasks):  # what was discarded late
            driver.make(task)
        report.progress(done, done)


class _Driver:
    """Makes measurements, each until it was not disturbed.

    Args:
        context: the SparkContext.
        subject: what is measured.
        gathered: gets the rows.
        watch: of the executors, since before anything was cached on them.
    """

    def __init__(self, context: Any, subject: Subject, gathered: Gathered, watch: losses.Watch) -> None:
        self._context = context
        self._subject = subject
        self._gathered = gathered
        self._snapshot = partial(host.snapshot, host.Family(context))
        self._watch = watch
        self._lacking = self._count()
        self._groups = 0

    def make(self, task: Task) -> None:
        """Make a measurement, again if it was disturbed.

        Raises:
            MachineError: it was disturbed too often.
            Exception: it failed, although no executor was lost.
        """
        because = ""
        for _ in range(losses.MOST):
            lost = self._watch.lost()
            self._gathered.discard_during(lost)  # if Spark noticed late
            if because or lost:
                self._recover()
            if self._subject.experiment.parts:
                because = self._made_parts(task)
            else:
                row, because = self._made(task)
                if row and not because:
                    self._add(row)
            if not because:
                return
            self._gathered.discard(task, because)
        raise losses.given_up([task], because)

    def _add(self, row: Row) -> None:
        self._gathered.add(row)
        if row["censored"]:
            executors.wait_until_idle(self._context)
            forget()  # Spark has killed the busy Python workers

    def _made_parts(self, task: Task) -> str:
        """Add a row for each part of a measurement when it ends; returns what disturbed it, and then none is left."""
        self._groups += 1
        group = f"{self._subject.experiment.run_key} measurement {self._groups}"
        place = Place(self._snapshot, cancel=partial(self._context.cancelJobGroup, group))
        lost: list[losses.Loss] = []
        try:
            with report.job_group(self._context, group):
                for row in measured_parts(self._subject, task, place):
                    if self._lacking:
                        row["executors_lacking"] = self._lacking
                    self._add(row)
            lost = self._watch.lost()
        except Exception:
            if executors.is_gone(self._context) or not (lost := self._watch.lost()):
                raise
        if lost:
            self._gathered.withdraw(task)
        return "; ".join(map(str, lost))

    def _made(self, task: Task) -> tuple[Row | None, str]:
        """The row of a measurement, and what disturbed it; no row if it failed because of that."""
        self._groups += 1
        group = f"{self._subject.experiment.run_key} measurement {self._groups}"
        recorded = partial(spark_metrics.recorded, self._context, group)
        place = Place(self._snapshot, recorded, partial(self._context.cancelJobGroup, group), tidies=False)
        self._lacking = self._count() if self._lacking else 0  # those that were late may have come
        try:
            row = measured(self._subject, task, place)
        except Exception:
            if executors.is_gone(self._context) or not (lost := self._watch.lost()):
                raise
            return None, "; ".join(map(str, lost))
        failed = row.pop("spark_failed_tasks", 0)
        if self._lacking:
            row["executors_lacking"] = self._lacking
        if lost := self._watch.lost():
            return row, "; ".join(map(str, lost))
        repeated = failed and not row["censored"]
        return row, f"{failed} tasks failed and were repeated" if repeated else ""

    def _recover(self) -> None:
        """Get back to the state before an executor was lost, as far as it can be."""
        with report.phase("recover"):
            executors.wait_until_idle(self._context)
            if fewer := executors.wait(self._context):
                report.note(fewer)
            self._lacking = self._count()
            if self._subject.experiment.caching:
                caching.apply(self._subject.prepared, self._subject.experiment.storage_level)
            forget()

    def _count(self) -> int:
        return 0 if executors.in_driver(self._context) else executors.lacking(self._context)


def _warm_up(context: Any, subject: Subject, task: Task) -> None:
    experiment = subject.experiment
    group = f"{experiment.run_key} warm-up"
    with report.job_group(context, group):
        with slots.slot(experiment.concurrency):
            settle(subject, task, partial(context.cancelJobGroup, group))
        if experiment.max_seconds is not None:
            executors.wait_until_idle(context)
