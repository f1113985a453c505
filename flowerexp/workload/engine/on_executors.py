"""Measure on executors, one Spark task per measurement; without caching, each action on their RDD measures again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from pyspark import StorageLevel, TaskContext, cloudpickle
from pyspark.accumulators import AccumulatorParam

from flowerexp.errors import JobError
from flowerexp.workload import executors, report
from flowerexp.workload.engine import losses
from flowerexp.workload.engine.cells import Task, warmth_of
from flowerexp.workload.engine.declared import Declared, Row, Subject
from flowerexp.workload.engine.gathered import Gathered
from flowerexp.workload.engine.measurement import measured
from flowerexp.workload.engine.schedule import Schedule
from flowerexp.workload.engine.warm_up import tidy


class _Rows(AccumulatorParam):  # type: ignore[misc]
    """Gathers the rows of all executions when their tasks end, also those that an action throws away."""

    def zero(self, value: Any) -> list[Row]:
        return []

    def addInPlace(self, value1: Any, value2: list[Row]) -> Any:  # noqa: N802  Spark's name
        value1.extend(value2)
        return value1


class _Packed:
    """Pickles a value with cloudpickle, since pickle cannot pickle what the script defines; unpickles to the value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[bytes]]:
        return cloudpickle.loads, (cloudpickle.dumps(self.value),)


def measure(context: Any, subject: Subject, schedule: Schedule, gathered: Gathered, watch: losses.Watch) -> None:
    """Warm the workers up, and make all missing measurements.

    Raises:
        JobError: the prepared data cannot be sent to executors.
        MachineError: executors were lost again and again.
        Exception: a measurement failed; the rows of those that had ended are gathered.
    """
    experiment = subject.experiment
    groups, missing = schedule.groups(), gathered.missing(schedule.tasks)
    first = next(groups, None)
    if not first:
        return
    try:
        shared = context.broadcast(_Packed(subject.prepared))
    except Exception as error:
        raise JobError(
            f"{experiment.name}: what prepare returned cannot be sent to executors: {error}",
            where="entrypoint.where",
            hint="executors take what can be pickled; set where: driver to measure on RDDs and DataFrames",
        ) from error
    profile = executors.alone(context) if experiment.concurrency == 1 else None
    with report.phase("warm_up"):
        _warm_up_workers(context, subject, shared, missing or first, profile)
    with report.phase("measure"), report.job_group(context, f"{experiment.run_key} measure"):
        measurements = _Measurements(context, Subject(experiment, subject.workload, shared), profile, gathered, watch)
        _act(context, experiment, measurements, itertools.chain([first], groups), gathered)


_warmed: set[Hashable] = set()
_loaded: set[Hashable] = set()


def _warm_up_workers(context: Any, subject: Subject, shared: Any, tasks: Iterable[Task], profile: Any | None) -> None:
    """Let all Python workers import what they need, such as TensorFlow, at the same time.

    Otherwise they would import it one after the other, before their first measurement. They settle later, alone: when
    they settled at the same time, the first repetition was 5 % slower than the others (in seven runs; in eleven runs in
    which they settled alone, it was not). The workers of an earlier run of this application are warm already. A worker
    that starts later warms up by itself, and holds its slot meanwhile.
    """
    load = subject.workload.warm
    if not load or not subject.experiment.warm_up_seconds:
        return
    firsts = {warmth_of(subject, task.cell): task.first for task in tasks}
    settings = [(context.applicationId, profile is None, warmth) for warmth in firsts]
    if _warmed.issuperset(settings):
        return

    def warm(_: int) -> None:
        for warmth, cell in firsts.items():
            if warmth not in _loaded:
                load(shared.value, cell)
                _loaded.add(warmth)
                tidy()

    executors.spread(context, warm, profile)
    _warmed.update(settings)


def _act(
    context: Any,
    experiment: Declared,
    measurements: _Measurements,
    groups: Iterable[Sequence[Task]],
    gathered: Gathered,
) -> None:
    """Run the actions on the measurement RDD; `gathered` gets the row of every execution when its task ends."""
    tasks: list[Task] = []
    with report.phase("measure.rows"):
        for group in groups:
            with report.spark_progress(context, len(tasks) + len(group), done=len(tasks)):
                measurements.make(group)
            tasks += group
    # Cached rows are read again; without caching, the tasks measure again, except those that exceed the time limit.
    rdds, kept = measurements.rdds, gathered.uncensored(tasks)
    if kept:
        again = context.union(rdds) if experiment.caching and len(rdds) > 1 else rdds[0]
        all_rows = again if experiment.caching or len(rdds) == 1 else measurements.rdd_of(kept)
        _average_all(context, experiment, all_rows)
    measurements.end()


class _Measurements:
    """Makes measurements, until none of them was disturbed by the loss of an executor.

    Args:
        context: the SparkContext.
        subject: what is measured; what was prepared is a broadcast.
        profile: the profile that `executors.alone` has returned.
        gathered: gets the rows.
        watch: of the executors.

    Attributes:
        rdds: of the measurements that were made, in their order.
    """

    def __init__(
        self, context: Any, subject: Subject, profile: Any | None, gathered: Gathered, watch: losses.Watch
    ) -> None:
        self._context = context
        self._experiment = subject.experiment
        self._profile = profile
        self._gathered = gathered
        self._watch = watch
        watch.lost()  # before the first measurement: nothing of theirs was cached
        self.rdds: list[Any] = []
        executed = context.accumulator(gathered, _Rows())
        experiment, workload, shared = subject.experiment, subject.workload, subject.prepared

        def measure_task(task: Task) -> Row:
            row = measured(Subject(experiment, workload, shared.value), task)
            if repeated := TaskContext.get().attemptNumber():  # what came before failed, or was lost with its executor
                row["discarded"] = repeated
            executed.add([row])
            return row

        self._measure_task = measure_task

    def rdd_of(self, chosen: Sequence[Task]) -> Any:
        """An RDD with a task for each measurement."""
        rdd = self._context.parallelize(chosen, len(chosen)).map(self._measure_task)
        if self._profile:
            rdd = rdd.withResources(self._profile)
        return _persisted(rdd, self._experiment) if self._experiment.caching else rdd

    def make(self, group: Sequence[Task]) -> None:
        """Make measurements, and those again during which an executor was lost.

        Raises:
            MachineError: executors were lost again and again.
            Exception: a measurement failed, although no executor was lost.
        """
        chosen, lost = group, list[losses.Loss]()
        for _ in range(losses.MOST):
            self.rdds.append(self.rdd_of(chosen))
            lost = self._collected(self.rdds[-1])
            self._gathered.discard_during(lost)
            chosen = self._gathered.missing(group) if lost else []
            if not chosen:
                return
        raise losses.given_up(chosen, "; ".join(map(str, lost)))

    def _collected(self, rdd: Any) -> list[losses.Loss]:
        """Let all measurements of an RDD be made; returns the executors that were lost meanwhile."""
        try:
            rdd.collect()
        except Exception:
            if executors.is_gone(self._context) or not (lost := self._watch.lost()):
                raise
            return lost
        return self._watch.lost()

    def end(self) -> None:
        """Discard later executions during which an executor was lost, which are not made again, and uncache all."""
        self._gathered.discard_during(self._watch.lost())
        if self._experiment.caching:
            for rdd in self.rdds:
                rdd.unpersist()


def _persisted(rdd: Any, experiment: Declared) -> Any:
    level = experiment.storage_level
    return rdd.persist(getattr(StorageLevel, level)) if level else rdd.cache()


def _average_all(context: Any, experiment: Declared, rdd: Any) -> None:
    # One task per cell is needed only for measuring. One or a few tasks are enough to read the rows, or to measure one
    # cell after the other without caching: a Python task costs 40 ms, more than the rest of these actions.
    rows = rdd.coalesce(1 if experiment.caching else context.defaultParallelism)
    series = itemgetter(*experiment.categorical) if experiment.categorical else None
    for names in (*((name,) for name in experiment.numeric), ("repetition",), *experiment.products):
        with report.phase(f"measure.by_{'_x_'.join(names)}"):
            _average(rows, experiment.count, series, names)


def _average(rdd: Any, count: str, series: Callable[[Row], Any] | None, names: Sequence[str]) -> dict[Any, float]:
    """The rate for each value of a parameter or product, by an action on the RDD: a sum of counts by one of seconds."""

    def part(row: Row) -> tuple[Any, tuple[float, float]]:
        value = 1
        for name in names:
            value *= row[name]
        return (series(row) if series else None, value), (row[count], row["seconds"])

    measured_rows = rdd.filter(lambda row: not row["censored"])
    totals = measured_rows.map(part).reduceByKeyLocally(lambda a, b: (a[0] + b[0], a[1] + b[1]))
    return {name: counted / seconds for name, (counted, seconds) in totals.items() if seconds}
