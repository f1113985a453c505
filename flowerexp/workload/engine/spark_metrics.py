"""Read what Spark did during a measurement: its jobs, stages and tasks, their shuffles, spills and run times.

The numbers come from Spark's status store, which the same events fill as the event log. The log can be read only when
the application has ended, but rows are written while it runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JError

from flowerexp.workload import report

Numbers = dict[str, int | float]

# Spark's name of each sum over a stage's tasks, and how many of Spark's units are one of ours.
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
    """Run the body's Spark jobs in a job group, and read afterwards what they did.

    Jobs that Spark SQL starts in its own threads, such as those of a broadcast, belong to the group as well.

    Args:
        context: the SparkContext.
        group: the job group, used for this measurement only.

    Yields:
        A dict that is empty until the body has ended without an error. Then it has `spark_jobs`, `spark_stages` and
        `spark_tasks` (those that ran: without skipped stages, with failed tasks), `spark_failed_tasks` (those that
        failed and were repeated), `shuffle_read_bytes`,
        `shuffle_write_bytes`, `spill_bytes` (to disk), `gc_seconds`, `task_seconds` and `executor_cpu_seconds` (sums
        over tasks), and `slowest_task_seconds` and `median_task_seconds` of the stage with the longest total run time.
        If Spark does not give these numbers, it stays empty: a note of the run says so, and the measurement counts.
    """
    numbers: Numbers = {}
    started = _jobs_so_far(context)
    with report.job_group(context, group):
        yield numbers
    try:
        counted = _read(context, group)
    except Exception as error:  # py4j raises several classes
        reason = " ".join(str(error).split())
        report.note(f"the rows lack Spark's own numbers: {type(error).__name__}: {reason:.200}")
        return
    numbers.update(counted)
    ended = _jobs_so_far(context)
    if started is None or ended is None:
        report.note("Spark does not say how many jobs it has started: its own numbers may lack some of a measurement")
    elif ended - started > counted["spark_jobs"]:
        report.note(
            "Spark's own numbers lack jobs outside of the measurement's job group: those of a thread that is not a "
            "pyspark.InheritableThread, or after sparkContext.setJobGroup"
        )


def _jobs_so_far(context: Any) -> int | None:
    """The number of jobs that the application has started; None if Spark does not say."""
    try:
        return int(context._jsc.sc().dagScheduler().numTotalJobs())
    except (Py4JError, AttributeError, TypeError):  # it is not a public method of Spark
        return None


def _read(context: Any, group: str) -> Numbers:
    """The numbers of all jobs of a group."""
    spark = context._jsc.sc()
    spark.listenerBus().waitUntilEmpty()
    store, jobs = spark.statusStore(), [*spark.statusTracker().getJobIdsForGroup(group)]
    stages = [stage for stage in _stages(context, store, jobs) if stage.status().toString() not in _NOT_RUN]
    numbers: Numbers = {
        "spark_jobs": len(jobs),
        "spark_stages": len(stages),
        "spark_tasks": sum(stage.numCompleteTasks() + stage.numFailedTasks() for stage in stages),
        "spark_failed_tasks": sum(stage.numFailedTasks() for stage in stages),
    }
    for name, (method, scale) in _SUMS.items():
        total = sum(getattr(stage, method)() for stage in stages)
        numbers[name] = total / scale if scale > 1 else total
    # A stage may have run without a complete task, if an action needed no more of it.
    longest = max(stages, key=lambda stage: stage.executorRunTime(), default=None)
    if longest is not None and not longest.numFailedTasks() and (count := longest.numCompleteTasks()):
        (numbers["slowest_task_seconds"],) = _task_seconds(context, store, longest, 0, 1, rising=False)
        middle = _task_seconds(context, store, longest, (count - 1) // 2, 2 - count % 2, rising=True)
        numbers["median_task_seconds"] = sum(middle) / len(middle)
    return numbers


def _stages(context: Any, store: Any, jobs: Sequence[int]) -> list[Any]:
    """Each attempt of each stage of some jobs; jobs that run at the same time can share stages."""
    listed = [store.job(number).stageIds() for number in jobs]
    numbers = {stages.apply(place) for stages in listed for place in range(stages.size())}
    no_quantiles = context._gateway.new_array(context._jvm.double, 0)
    attempts = [store.stageData(number, False, None, False, no_quantiles) for number in sorted(numbers)]
    return [stage.apply(place) for stage in attempts for place in range(stage.size())]


def _task_seconds(context: Any, store: Any, stage: Any, place: int, count: int, rising: bool) -> list[float]:
    """The run times of `count` tasks of a stage, from a place on, counted from 0, in the order of the run times.

    Spark's own quantiles sort the tasks by each of 25 numbers: they take twice as long as this, seconds for 100,000.
    """
    by = context._jvm.scala.Option.apply(_RUN_TIME)
    tasks = store.taskList(stage.stageId(), stage.attemptId(), place, count, by, rising, None)
    return [tasks.apply(number).taskMetrics().get().executorRunTime() / 1e3 for number in range(tasks.size())]
