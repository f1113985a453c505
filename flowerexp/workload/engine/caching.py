"""Cache or uncache what `prepare` returned, as the config's `caching` says, also against the experiment's code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pyspark import RDD, StorageLevel

from flowerexp.workload import report


def apply(prepared: Any, level: str | None) -> Any:
    """Cache each RDD and DataFrame, and fill the caches now, so that no measurement does it.

    Data that is cached at another level is cached again at this one.

    Args:
        prepared: what `prepare` returned: an RDD, a DataFrame, or dicts, lists and tuples of them, nested or not.
        level: Spark's name of the storage level, such as `MEMORY_ONLY`; None for the level of Spark's `cache()`: memory
            only for an RDD, memory and disk for a DataFrame.

    Returns:
        `prepared`.
    """
    cacheable = [*_cacheable(prepared, {})]
    for data in cacheable:
        wanted = _level(data, level)
        if _level_of(data) != wanted:
            data.unpersist(blocking=True)
            data.persist(wanted)
    for data in cacheable:
        _fill(data)
    if cacheable:
        _report_stored(_context(cacheable[0]))
    return prepared


def remove(prepared: Any) -> Any:
    """Uncache each RDD and DataFrame, also those that the experiment's own code has cached, and wait until it is done.

    Args:
        prepared: see `apply`.

    Returns:
        `prepared`.
    """
    cacheable = [*_cacheable(prepared, {})]
    for data in cacheable:
        data.unpersist(blocking=True)
    if cacheable and (left := _context(cacheable[0])._jsc.getPersistentRDDs().size()):
        report.note(f"{left} RDDs stay cached although `caching` is off: `prepare` did not return them")
    return prepared


def clear(spark: Any) -> None:
    """Uncache everything, so that a run neither reads nor counts what an earlier run of its application left cached.

    Args:
        spark: the SparkSession.
    """
    if frames := getattr(sys.modules.get("pyspark.sql"), "SparkSession", None):
        session = frames.getActiveSession()
        if session is not None:
            session.catalog.clearCache()  # else a frame that is equal to a cached one would be cached again
    for rdd in [*spark.sparkContext._jsc.getPersistentRDDs().values()]:
        rdd.unpersist(True)


def _cacheable(value: Any, seen: dict[int, Any]) -> Iterator[Any]:
    """Each RDD and DataFrame once."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if _is_frame(value) or isinstance(value, RDD):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _cacheable(part, seen)


def _is_frame(value: Any) -> bool:
    # DataFrames exist only if Spark SQL is imported, which takes a second that many experiments save.
    return isinstance(value, getattr(sys.modules.get("pyspark.sql"), "DataFrame", ()))


def _context(data: Any) -> Any:
    return data.sparkSession.sparkContext if _is_frame(data) else data.context


def _level(data: Any, name: str | None) -> StorageLevel:
    if name is None:
        return StorageLevel.MEMORY_AND_DISK_DESER if _is_frame(data) else StorageLevel.MEMORY_ONLY
    level = getattr(StorageLevel, name)
    # PySpark's constants are for RDDs, whose records are bytes already. With them, a DataFrame's columns would be
    # serialised, which `cache()` and Scala's constants of the same names do not do.
    return StorageLevel(level.useDisk, level.useMemory, False, _is_frame(data) and level.useMemory)


def _level_of(data: Any) -> StorageLevel:
    return data.storageLevel if _is_frame(data) else data.getStorageLevel()


def _fill(data: Any) -> None:
    """Compute every partition, with all columns."""
    if _is_frame(data):
        names = [f"column_{place}" for place in range(len(data.columns))]  # a join's result may have a name twice
        data.toDF(*names).write.format("noop").mode("overwrite").save()
    else:
        data._jrdd.count()  # in Java: Python does not need to read what it has just written


def _report_stored(context: Any) -> None:
    """Report how much is cached, and whether some partitions did not fit."""
    context._jsc.sc().listenerBus().waitUntilEmpty()
    stored = [*context._jsc.sc().getRDDStorageInfo()]
    report.fact("cached_memory_bytes", sum(rdd.memSize() for rdd in stored))
    report.fact("cached_disk_bytes", sum(rdd.diskSize() for rdd in stored))
    partitions = sum(rdd.getNumPartitions() for rdd in context._jsc.getPersistentRDDs().values())
    lacking = partitions - sum(rdd.numCachedPartitions() for rdd in stored)
    if lacking > 0:
        report.note(f"{lacking} of {partitions} partitions to cache do not fit into memory and are computed each time")
