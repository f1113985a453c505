"""One run of an experiment: prepare, plan, measure; also what is left of it, after data was mended or a run killed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from flowerexp.workload import failures, report
from flowerexp.workload.engine import caching, in_driver
from flowerexp.workload.engine.cells import Task, planned
from flowerexp.workload.engine.declared import Declared, Workload
from flowerexp.workload.engine.gathered import Gathered
from flowerexp.workload.engine.stream import Stream, line_of, read

Lines = Callable[[Any, dict[str, Any], Stream], Iterable[str]]
"""Makes a run: takes the Spark session, the run of the job file, and a stream for the rows as they come; gives all rows
as lines of JSON."""


def of_generator(run: Callable[[Any, dict[str, Any]], Iterable[dict[str, Any]]]) -> Lines:
    """The runs of a function that does everything by itself, and yields rows."""

    def lines(spark: Any, one: dict[str, Any], stream: Stream) -> Iterator[str]:
        if read(one.get("earlier", ()), ()):
            report.note("rows of earlier attempts are not used: this entrypoint measures everything again")
        for row in run(spark, one["config"]):
            if not isinstance(row, dict):
                raise TypeError(
                    f"a row has to be a dict, not {type(row).__name__}: {row!r:.100}; main(run) takes a function that "
                    "yields rows, and main(measure, prepare) one that returns what it counted"
                )
            stream.put(line := line_of(row))
            yield line

    return lines


def of_workload(workload: Workload) -> Lines:
    """The runs of an experiment that the engine measures."""

    def lines(spark: Any, one: dict[str, Any], stream: Stream) -> Iterator[str]:
        experiment = Declared.of(one["config"], one["run_key"])
        gathered = Gathered(experiment, one.get("earlier", ()), stream)
        failure: BaseException | None = None
        try:
            _make(spark, one["config"], experiment, workload, gathered)
        except (Exception, SystemExit) as error:
            failure = error
        yield from map(line_of, gathered.numbered())
        if failure:  # the rows before it are not lost
            raise failure

    return lines


def _make(spark: Any, config: dict[str, Any], experiment: Declared, workload: Workload, gathered: Gathered) -> None:
    with report.phase("prepare"):
        prepared = workload.prepare(spark, config)
    tasks = planned(experiment, workload, prepared)
    gathered.forget(tasks)
    if gathered.earlier:
        report.note(f"{gathered.earlier} rows of earlier attempts are kept; what they lack is measured")
    try:
        _measure(spark, experiment, workload, prepared, tasks, gathered)
    except Exception as error:
        known = failures.explained(error)
        if workload.recover is None or failures.is_machines(known):
            raise
        again = workload.recover(spark, config, prepared, known)
        if again is None:
            raise
        _measure(spark, experiment, workload, again, tasks, gathered)
    gathered.tell_censored()
    report.fact("measurements", len(tasks))
    report.fact("executions", len(gathered.rows))


def _measure(
    spark: Any,
    experiment: Declared,
    workload: Workload,
    prepared: Any,
    tasks: Sequence[Task],
    gathered: Gathered,
) -> None:
    if experiment.on_executors:
        from flowerexp.workload.engine import on_executors

        on_executors.measure(spark.sparkContext, experiment, workload, prepared, tasks, gathered)
        return
    if experiment.caching:
        with report.phase("cache"):
            prepared = caching.apply(prepared, experiment.storage_level)
    else:
        caching.remove(prepared)
    try:
        in_driver.measure(spark.sparkContext, experiment, workload, prepared, tasks, gathered)
    finally:
        caching.remove(prepared)
