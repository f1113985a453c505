"""Measure on executors, one Spark task per measurement; without caching, each action on their RDD measures again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from pyspark import StorageLevel, cloudpickle
from pyspark.accumulators import AccumulatorParam

from flowerexp.errors import JobError
from flowerexp.workload import executors, report
from flowerexp.workload.engine.cells import Task, warmth_of
from flowerexp.workload.engine.declared import Declared, Row, Subject
from flowerexp.workload.engine.gathered import Gathered
from flowerexp.workload.engine.measurement import measured
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


def measure(context: Any, subject: Subject, tasks: Sequence[Task], gathered: Gathered) -> None:
    """Warm the workers up, and make all missing measurements.

    Raises:
        JobError: the prepared data cannot be sent to executors.
        Exception: a measurement failed; the rows of those that had ended are gathered.
    """
    experiment = subject.experiment
    missing = gathered.missing(tasks)
    if not missing:
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
        _warm_up_workers(context, subject, shared, missing, profile)
    with report.phase("measure"):
        _act(context, subject, shared, missing, profile, gathered)


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
    context: Any, subject: Subject, shared: Any, tasks: Sequence[Task], profile: Any | None, gathered: Gathered
) -> None:
    """Run the actions on the measurement RDD; `gathered` gets the row of every execution when its task ends."""
    executed = context.accumulator(gathered, _Rows())
    experiment, workload = subject.experiment, subject.workload  # not what was prepared, which executors have already

    def measure_task(task: Task) -> Row:
        row = measured(Subject(experiment, workload, shared.value), task)
        executed.add([row])
        return row

    def rdd_of(chosen: Sequence[Task]) -> Any:
        rdd = context.parallelize(chosen, len(chosen)).map(measure_task)
        if profile:
            rdd = rdd.withResources(profile)
        return _persisted(rdd, experiment) if experiment.caching else rdd

    rdds = []
    with report.spark_progress(context, len(tasks)), report.phase("measure.rows"):
        for group in _groups(experiment, tasks):
            missing = gathered.missing(group)
            if missing:
                rdds.append(rdd_of(missing))
                rdds[-1].collect()
    # Cached rows are read again; without caching, the tasks measure again, except those that exceed the time limit.
    kept = gathered.uncensored(tasks)
    if kept:
        again = context.union(rdds) if experiment.caching and len(rdds) > 1 else rdds[0]
        _average_all(context, experiment, again if experiment.caching or len(rdds) == 1 else rdd_of(kept))
    if experiment.caching:
        for rdd in rdds:
            rdd.unpersist()


def _persisted(rdd: Any, experiment: Declared) -> Any:
    level = experiment.storage_level
    return rdd.persist(getattr(StorageLevel, level)) if level else rdd.cache()


def _groups(experiment: Declared, tasks: Sequence[Task]) -> Iterable[Sequence[Task]]:
    """The tasks of each action: all tasks or, if there is a time limit that a cell can exceed, one repetition."""
    if experiment.max_seconds is None:
        return [tasks]
    repetitions: dict[int, list[Task]] = {}
    for task in tasks:
        repetitions.setdefault(task.cell.repetition, []).append(task)
    return repetitions.values()


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
