"""What Spark did during a measurement: its jobs, stages and tasks, and what these read, wrote, spilled and waited for.

The numbers come from Spark's status store, which the same events feed that the event log holds: an application's log
can be read only when it has ended, and rows are written as they come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JError

from flowerexp.workload import report

Numbers = dict[str, int | float]

# Spark's names of what a stage's tasks add up to, and the unit of ours in theirs.
_SUMS = {
    "shuffle_read_bytes": ("shuffleReadBytes", 1),
    "shuffle_write_bytes": ("shuffleWriteBytes", 1),
    "spill_bytes": ("diskBytesSpilled", 1),
    "gc_seconds": ("jvmGcTime", 1e3),
    "task_seconds": ("executorRunTime", 1e3),
    "executor_cpu_seconds": ("executorCpuTime", 1e9),
}
_NOT_RUN = ("SKIPPED", "PENDING")
_RUN_TIME = "ert"  # the status store's index of tasks by their run time


@contextmanager
def recorded(context: Any, group: str) -> Iterator[Numbers]:
    """Run the body's Spark jobs under a job group, and say afterwards what they did.

    Jobs that Spark SQL starts in threads of its own, such as a broadcast's, belong to the group as well.

    Args:
        context: the SparkContext.
        group: of this measurement alone.

    Yields:
        A dict, empty until the body has ended without an error; then `spark_jobs`, `spark_stages` and `spark_tasks`
        (those that ran: without skipped stages, with tasks that failed), `shuffle_read_bytes`, `shuffle_write_bytes`,
        `spill_bytes` (to disk), `gc_seconds`, `task_seconds` and `executor_cpu_seconds` (sums over tasks), and
        `slowest_task_seconds` and `median_task_seconds` of the stage whose tasks ran longest in all. It stays empty
        where Spark does not say these: a note of the run says so, and the measurement counts all the same.
    """
    numbers: Numbers = {}
    started = _jobs_so_far(context)
    with report.job_group(context, group):
        yield numbers
    try:
        found = _read(context, group)
    except Exception as error:  # py4j raises several
        reason = " ".join(str(error).split())
        report.note(f"the rows lack Spark's own numbers: {type(error).__name__}: {reason:.200}")
        return
    numbers.update(found)
    ended = _jobs_so_far(context)
    if started is None or ended is None:
        report.note("Spark does not say how many jobs it has started: its own numbers may lack some of a measurement")
    elif ended - started > found["spark_jobs"]:
        report.note(
            "Spark's own numbers lack jobs of other job groups than the measurement's: those of a thread that is not a "
            "pyspark.InheritableThread, or after sparkContext.setJobGroup"
        )


def _jobs_so_far(context: Any) -> int | None:
    """How many jobs the application has started; None if Spark does not say."""
    try:
        return int(context._jsc.sc().dagScheduler().numTotalJobs())
    except (Py4JError, AttributeError, TypeError):  # it is not a public method of Spark
        return None


def _read(context: Any, group: str) -> Numbers:
    """What the jobs of a group did, in all."""
    spark = context._jsc.sc()
    spark.listenerBus().waitUntilEmpty()
    store, jobs = spark.statusStore(), [*spark.statusTracker().getJobIdsForGroup(group)]
    stages = [stage for stage in _stages(context, store, jobs) if stage.status().toString() not in _NOT_RUN]
    numbers: Numbers = {
        "spark_jobs": len(jobs),
        "spark_stages": len(stages),
        "spark_tasks": sum(stage.numCompleteTasks() + stage.numFailedTasks() for stage in stages),
    }
    for name, (method, scale) in _SUMS.items():
        total = sum(getattr(stage, method)() for stage in stages)
        numbers[name] = total / scale if scale > 1 else total
    # A stage can have run without one whole task, where an action needed none of it any more.
    longest = max(stages, key=lambda stage: stage.executorRunTime(), default=None)
    if longest is not None and (count := longest.numCompleteTasks()):
        (numbers["slowest_task_seconds"],) = _task_seconds(context, store, longest, 0, 1, rising=False)
        middle = _task_seconds(context, store, longest, (count - 1) // 2, 2 - count % 2, rising=True)
        numbers["median_task_seconds"] = sum(middle) / len(middle)
    return numbers


def _stages(context: Any, store: Any, jobs: Sequence[int]) -> list[Any]:
    """Each attempt of each stage of some jobs; jobs that run side by side can share stages."""
    listed = [store.job(number).stageIds() for number in jobs]
    numbers = {stages.apply(place) for stages in listed for place in range(stages.size())}
    no_quantiles = context._gateway.new_array(context._jvm.double, 0)
    attempts = [store.stageData(number, False, None, False, no_quantiles) for number in sorted(numbers)]
    return [one.apply(place) for one in attempts for place in range(one.size())]


def _task_seconds(context: Any, store: Any, stage: Any, place: int, count: int, rising: bool) -> list[float]:
    """The run times of some tasks of a stage, sorted by them: so many, from a place on, which is counted from 0.

    Spark's own quantiles sort the tasks by each of 25 numbers: twice this function's cost, and seconds of 100,000.
    """
    by = context._jvm.scala.Option.apply(_RUN_TIME)
    tasks = store.taskList(stage.stageId(), stage.attemptId(), place, count, by, rising, None)
    return [tasks.apply(number).taskMetrics().get().executorRunTime() / 1e3 for number in range(tasks.size())]
