"""Make one run of an experiment: prepare, plan and measure; continue it after data was mended or a run was killed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flowerexp.errors import ConfigError
from flowerexp.workload import failures, report
from flowerexp.workload.engine import caching, in_driver, losses, on_executors
from flowerexp.workload.engine.declared import Declared, Subject, Workload
from flowerexp.workload.engine.gathered import Gathered
from flowerexp.workload.engine.schedule import Schedule
from flowerexp.workload.engine.stream import Stream, line_of, read

Lines = Callable[[Any, dict[str, Any], Stream], Iterable[str]]
"""Makes a run: takes the Spark session, the job file's entry of the run, and a stream for the rows while it runs; gives
all rows as lines of JSON."""


_NO_ROUNDS = "this entrypoint measures everything by itself, main(run), so that its cells cannot be repeated"


def of_generator(run: Callable[[Any, dict[str, Any]], Iterable[dict[str, Any]]]) -> Lines:
    """Make runs with a function that does everything by itself and yields rows."""

    def lines(spark: Any, entry: dict[str, Any], stream: Stream) -> Iterator[str]:
        if entry["config"].get("measure", {}).get("until"):
            raise ConfigError(_NO_ROUNDS, where="measure.until", hint="set it to null")
        if read(entry.get("earlier", ()), ()):
            report.note("rows of earlier attempts are not used: this entrypoint measures everything again")
        for row in run(spark, entry["config"]):
            if not isinstance(row, dict):
                raise TypeError(
                    f"a row must be a dict, not {type(row).__name__}: {row!r:.100}; main(run) takes a function that "
                    "yields rows, main(measure, prepare) one that returns a count"
                )
            stream.put(line := line_of(row))
            yield line

    return lines


def of_workload(workload: Workload) -> Lines:
    """Make runs of an experiment that the engine measures."""

    def lines(spark: Any, entry: dict[str, Any], stream: Stream) -> Iterator[str]:
        experiment = Declared.of(entry["config"], entry["run_key"])
        gathered = Gathered(experiment, entry.get("earlier", ()), stream)
        failure: BaseException | None = None
        try:
            _make(spark, entry["config"], experiment, workload, gathered)
        except (Exception, SystemExit) as error:
            failure = error
        yield from map(line_of, gathered.numbered())
        if failure:  # now that the rows before it are yielded
            raise failure

    return lines


def _make(spark: Any, config: dict[str, Any], experiment: Declared, workload: Workload, gathered: Gathered) -> None:
    watch = losses.Watch(spark.sparkContext)  # what was cached on an executor that is lost from now on is gone
    with report.phase("prepare"), report.job_group(spark.sparkContext, f"{experiment.run_key} prepare"):
        subject = Subject(experiment, workload, workload.prepare(spark, config))
    schedule = Schedule(subject, gathered)
    measure = on_executors.measure if experiment.on_executors else _in_driver
    gathered.forget(schedule.tasks)
    if gathered.earlier:
        report.note(f"{gathered.earlier} rows of earlier attempts are kept; the missing ones are measured")
    try:
        measure(spark.sparkContext, subject, schedule, gathered, watch)
    except Exception as error:
        known = failures.explained(error)
        if workload.recover is None or failures.is_machines(known):
            raise
        recovered = workload.recover(spark, config, subject.prepared, known)
        if recovered is None:
            raise
        measure(spark.sparkContext, Subject(experiment, workload, recovered), schedule, gathered, watch)
    gathered.report_censored()
    gathered.report_discarded()
    schedule.report()
    report.fact("measurements", schedule.measurements)
    report.fact("executions", len(gathered.rows))


def _in_driver(context: Any, subject: Subject, schedule: Schedule, gathered: Gathered, watch: losses.Watch) -> None:
    experiment, prepared = subject.experiment, subject.prepared
    if experiment.caching:
        with report.phase("cache"), report.job_group(context, f"{experiment.run_key} cache"):
            caching.apply(prepared, experiment.storage_level)
    else:
        caching.remove(prepared)
    try:
        in_driver.measure(context, subject, schedule, gathered, watch)
    finally:
        caching.remove(prepared)
