"""How fast can images be read? Measure every cell of a grid, with each reader, as one Spark task a measurement."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any

from pyspark.accumulators import AccumulatorParam

from flowerexp.errors import DataError
from flowerexp.workload import examine, executors, failures, measure, report, write_tfrecords
from flowerexp.workload.existing import find, source_of
from flowerexp.workload.listing import Listing, data_fingerprint, list_photographs
from flowerexp.workload.measure import Task
from flowerexp.workload.photographs import Photographs
from flowerexp.workload.prepared import Prepared
from flowerexp.workload.readers import IMAGE_FILES, TFRECORDS, Source, data_of

Row = dict[str, Any]

FEWEST = 10_000
"""Photographs of a large data set that are chosen at least; of a smaller one, any may be read."""


class _Rows(AccumulatorParam):  # type: ignore[misc]
    """Gathers rows from all executions, also those whose result an action throws away."""

    def zero(self, value: list[Row]) -> list[Row]:
        return []

    def addInPlace(self, value1: list[Row], value2: list[Row]) -> list[Row]:  # noqa: N802  Spark's name
        value1.extend(value2)
        return value1


def run(spark: Any, config: dict[str, Any]) -> Iterable[Row]:
    """The entrypoint: one row a measurement and execution, as `measure.measure` returns them.

    With caching off, each action on the measurement RDD measures again; the rows of all executions are returned,
    numbered. Where a measurement fails, the rows before it are returned, and then the error is raised.

    Raises:
        DataError: there is nothing to read, or not enough for the grid; or a file is damaged.
    """
    sources, mend = _sources(spark, config)
    tasks = plan_tasks(config, {name: source.images for name, source in sources.items()})
    context = spark.sparkContext
    executed = context.accumulator([], _Rows())
    try:
        _measure(context, tasks, sources, config, executed)
    except Exception as error:
        if failures.is_machines(failures.explained(error)) or not mend():
            return _before(error, numbered(executed.value))
        executed = context.accumulator([], _Rows())
        _measure(context, tasks, sources, config, executed)
    rows = numbered(executed.value)
    report.fact("measurements", len(tasks))
    report.fact("executions", len(rows))
    empty = [row for row in rows if not row["images"]]
    if empty:
        raise DataError(f"{len(empty)} of {len(rows)} measurements read no image at all", where="dataset")
    return rows


def _before(error: Exception, rows: Iterable[Row]) -> Iterator[Row]:
    yield from rows
    raise error


def _measure(
    context: Any, tasks: Sequence[Task], sources: Mapping[str, Source], config: dict[str, Any], executed: Any
) -> None:
    """Warm the workers up, and make all measurements.

    Args:
        context: the SparkContext.
        tasks: the measurements.
        sources: what each reader reads.
        config: the run's.
        executed: an accumulator of `_Rows`, for the row of each execution.
    """
    shared = context.broadcast(sources)
    profile = executors.alone(context) if config["measure"]["concurrency"] == 1 else None
    with report.phase("warm_up"):
        _warm_up_workers(context, shared, profile)
    with report.phase("measure"):
        _act(context, tasks, shared, config, profile, executed)


def _sources(spark: Any, config: dict[str, Any]) -> tuple[dict[str, Source], Callable[[], bool]]:
    """What each reader of the run reads; TFRecord files are prepared first where they are missing.

    Returns:
        The sources, and what to do where reading fails: it writes damaged files of prepared data again, and says
        whether there were any.
    """
    mend: Callable[[], bool] = bool  # nothing is prepared: there is nothing to mend
    existing = config["dataset"]["tfrecords"]
    of_photographs, of_records = (
        [reader for reader in config["grid"]["reader"] if data_of(reader) == data] for data in (IMAGE_FILES, TFRECORDS)
    )
    listing = list_photographs(spark, config) if of_photographs or not existing else None
    sources: dict[str, Source] = {}
    known: dict[str, Any] | None = None  # what decoding the photographs showed
    if of_records and existing:
        theirs = find(existing, bool(config["dataset"].get("anonymous")))
        sources |= _for_each(of_records, source_of(theirs, config))
        report.fact("data_fingerprint", data_fingerprint(listing.fingerprint if listing else None, theirs.files))
    elif of_records and listing:
        prepared = write_tfrecords.prepare(spark, config, listing)
        known = prepared.manifest
        counts = [file["records"] for file in prepared.manifest["files"]]
        made = Source(TFRECORDS, prepared.files, counts, _target(config), origin="storage.prepared")
        sources |= _for_each(of_records, made)
        mend = partial(_mend, spark, config, listing, prepared)

    if of_photographs and listing:
        photographs = listing.photographs.some(_enough(config), config["measure"]["seed"])
        known = known or examine.check(spark, photographs, config)
        for reader in of_photographs:
            skipped = examine.unreadable(reader, known, config["dataset"]["on_error"])
            source = replace(_photographs(photographs, skipped, config), narrow=bool(known["narrow"]["count"]))
            sources |= _for_each([reader], source)
    for name, source in sources.items():
        if not source.images:
            raise DataError(f"{name}: there is no image to read", where="dataset")
    return sources, mend


def _mend(spark: Any, config: dict[str, Any], listing: Listing, prepared: Prepared) -> bool:
    return bool(write_tfrecords.mend(spark, config, listing, prepared).written)


def _for_each(wanted: Sequence[str], source: Source) -> dict[str, Source]:
    return {reader: replace(source, reader=reader) for reader in wanted}


def _enough(config: dict[str, Any]) -> int:
    """How many photographs of a large data set are chosen: so many that no measurement need read those of another."""
    grid = config["grid"]
    return max(FEWEST, int(config["measure"]["repetitions"] * sum(grid["batch_size"]) * sum(grid["batch_number"])))


def _photographs(photographs: Photographs, skipped: set[str], config: dict[str, Any]) -> Source:
    if skipped:
        photographs = photographs.pick(n for n, one in enumerate(photographs) if one.relative not in skipped)
    files = photographs.uris
    anonymous = bool(config["dataset"].get("anonymous"))
    orientation = config["preprocess"]["orientation"]
    records = [1] * len(files)
    return Source(IMAGE_FILES, files, records, _target(config), anonymous=anonymous, orientation=orientation)


def _target(config: dict[str, Any]) -> tuple[int, int]:
    height, width = config["preprocess"]["target_size"]
    return height, width


def plan_tasks(config: dict[str, Any], available: Mapping[str, int]) -> list[Task]:
    """Every measurement of a run: each repetition has all readers and cells once, in a seeded random order.

    Args:
        config: the run's config.
        available: how many images each reader can read.

    Raises:
        DataError: a cell needs more images than there are and `on_short` is `fail`, or no cell is left.
    """
    grid, rules = config["grid"], config["measure"]
    cells = list(itertools.product(available, grid["batch_size"], grid["batch_number"]))
    short = [cell for cell in cells if cell[1] * cell[2] > available[cell[0]]]
    kept = [cell for cell in cells if cell not in short]
    if short and (config["entrypoint"]["settings"]["on_short"] == "fail" or not kept):
        reader, size, number = max(short, key=lambda cell: cell[1] * cell[2])
        raise DataError(
            f"batch_size {size} x batch_number {number} needs {size * number} images, {reader} has {available[reader]}",
            where="grid",
            hint="use more images or a smaller grid"
            + (", or entrypoint.settings.on_short=drop leaves such cells out" if kept else ""),
        )
    if short:
        cells_short = sorted({f"{size}x{number}" for _, size, number in short})
        report.fact("cells_dropped", len(short))
        report.note(f"cells left out, since they need more images than there are: {', '.join(cells_short)}")
    chance = random.Random(rules["seed"])
    tasks: list[Task] = []
    for repetition in range(1, rules["repetitions"] + 1):
        chance.shuffle(kept)
        for reader, size, number in kept:
            seed = _seed(rules["seed"], size, number, repetition)
            tasks.append(Task(reader, size, number, repetition, len(tasks), seed))
    return tasks


def _seed(*parts: int) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


_warmed: set[tuple[Any, ...]] = set()


def _warm_up_workers(context: Any, shared: Any, profile: Any | None) -> None:
    """Let every Python worker load what its readers need (TensorFlow, most of all), side by side, now.

    Otherwise they would do so one after the other, in front of a measurement. They settle alone, later:
    where they did so side by side, the first repetition was 5 % slower than the others (in seven runs; in eleven where
    they settled alone, it was not).
    The workers of an earlier run of this application are warm. One that came later warms up by itself, and holds its
    slot meanwhile.
    """
    settings = [(context.applicationId, profile is None, measure.settings(one)) for one in shared.value.values()]
    if _warmed.issuperset(settings):
        return

    def warm(_: int) -> None:
        for source in shared.value.values():
            measure.warm_up(source)

    executors.spread(context, warm, profile)
    _warmed.update(settings)


def _act(
    context: Any, tasks: Sequence[Task], shared: Any, config: dict[str, Any], profile: Any | None, executed: Any
) -> None:
    """Run the notebook's actions on one measurement RDD; every execution of every task comes to the accumulator."""
    concurrency, cache = config["measure"]["concurrency"], config["entrypoint"]["settings"]["page_cache"]

    def one(task: Task) -> Row:
        row = measure.measure(task, shared.value[task.reader], concurrency, cache)
        executed.add([row])
        return row

    rdd = context.parallelize(tasks, len(tasks)).map(one)
    if profile:
        rdd = rdd.withResources(profile)
    if config["caching"]:
        rdd = rdd.cache()
    with report.spark_progress(context, len(tasks)), report.phase("measure.rows"):
        rdd.collect()
    # A task a cell is for measuring. What only reads the rows takes one task, or few, which measure one cell after the
    # other, where nothing is cached: a Python task costs 40 ms, which is more than these actions take otherwise.
    rows = rdd.coalesce(1 if config["caching"] else context.defaultParallelism)
    for name, key in _AVERAGES.items():
        with report.phase(f"measure.{name}"):
            _average(rows, key)
    if config["caching"]:
        rdd.unpersist()


_AVERAGES = {
    "by_batch_size": itemgetter("batch_size"),
    "by_batch_number": itemgetter("batch_number"),
    "by_repetition": itemgetter("repetition"),
    "by_product": lambda row: row["batch_size"] * row["batch_number"],
}


def _average(rdd: Any, key: Any) -> dict[Any, float]:
    """Images per second for each value of a parameter, as an action on the RDD: sums divided, not rates averaged."""
    sums = rdd.map(lambda row: ((row["reader"], key(row)), (row["images"], row["seconds"])))
    totals = sums.reduceByKeyLocally(lambda a, b: (a[0] + b[0], a[1] + b[1]))
    return {name: count / seconds for name, (count, seconds) in totals.items() if seconds}


def numbered(rows: Iterable[Row]) -> list[Row]:
    """Number the executions of each task by their start, and count how many others overlapped each on its host."""
    ordered = sorted(rows, key=lambda row: (row["order"], row["started_at"]))
    for _, group in itertools.groupby(ordered, key=itemgetter("order")):
        for number, row in enumerate(group, start=1):
            row["execution"] = number
    by_host: dict[str, list[Row]] = {}
    for row in ordered:
        by_host.setdefault(row["host"], []).append(row)
    for together in by_host.values():
        _count_neighbours(together)
    return sorted(ordered, key=lambda row: (row["execution"], row["order"]))


def _count_neighbours(rows: list[Row]) -> None:
    """Set each row's `neighbours`: measurements of the same host whose time overlapped its own."""
    rows.sort(key=itemgetter("started_ns"))
    running: list[Row] = []
    for row in rows:
        running = [other for other in running if other["ended_ns"] > row["started_ns"]]
        row["neighbours"] = len(running)
        for other in running:
            other["neighbours"] += 1
        running.append(row)
