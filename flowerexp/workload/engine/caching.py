"""Caching as a factor of an experiment: what `prepare` returned is cached, or is not, whatever its code did."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pyspark import RDD, StorageLevel

from flowerexp.workload import report


def apply(prepared: Any, level: str | None) -> Any:
    """Cache each RDD and DataFrame, and fill the caches now, so that no measurement does it.

    What is cached already, at another level, is cached anew.

    Args:
        prepared: what `prepare` returned: an RDD, a DataFrame, or dicts, lists and tuples of them, nested or not.
        level: Spark's name of it, such as `MEMORY_ONLY`; None for what `cache()` means in Spark: memory alone for an
            RDD, memory and disk for a DataFrame.

    Returns:
        What it was given.
    """
    found = [*_found(prepared, {})]
    for data in found:
        wanted = _level(data, level)
        if _level_of(data) != wanted:
            data.unpersist(blocking=True)
            data.persist(wanted)
    for data in found:
        _fill(data)
    if found:
        _tell_what_is_stored(_context(found[0]))
    return prepared


def remove(prepared: Any) -> Any:
    """Uncache each RDD and DataFrame, also those that were cached by the experiment's own code; wait until it is done.

    Args:
        prepared: as of `apply`.

    Returns:
        What it was given.
    """
    found = [*_found(prepared, {})]
    for data in found:
        data.unpersist(blocking=True)
    if found and (left := _context(found[0])._jsc.getPersistentRDDs().size()):
        report.note(f"{left} RDDs stay cached, whatever `caching` says: they were not in what `prepare` returned")
    return prepared


def _found(value: Any, seen: dict[int, Any]) -> Iterator[Any]:
    """Each RDD and DataFrame once."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if _is_frame(value) or isinstance(value, RDD):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _found(one, seen)


def _is_frame(value: Any) -> bool:
    # There are DataFrames only where Spark SQL was imported, which takes a second that many experiments need not pay.
    return isinstance(value, getattr(sys.modules.get("pyspark.sql"), "DataFrame", ()))


def _context(data: Any) -> Any:
    return data.sparkSession.sparkContext if _is_frame(data) else data.context


def _level(data: Any, name: str | None) -> StorageLevel:
    if name is None:
        return StorageLevel.MEMORY_AND_DISK_DESER if _is_frame(data) else StorageLevel.MEMORY_ONLY
    level = getattr(StorageLevel, name)
    # PySpark's constants are for RDDs, whose records are bytes already. A DataFrame's columns would be made into bytes
    # once more, which `cache()` and Scala's constants of the same names do not do.
    return StorageLevel(level.useDisk, level.useMemory, False, _is_frame(data) and level.useMemory)


def _level_of(data: Any) -> StorageLevel:
    return data.storageLevel if _is_frame(data) else data.getStorageLevel()


def _fill(data: Any) -> None:
    """Compute every partition, with all columns."""
    if _is_frame(data):
        names = [f"column_{place}" for place in range(len(data.columns))]  # a join's result may have a name twice
        data.toDF(*names).write.format("noop").mode("overwrite").save()
    else:
        data._jrdd.count()  # in Java: Python need not read what it has just written


def _tell_what_is_stored(context: Any) -> None:
    """Record how much is cached, and say so where not everything found room."""
    context._jsc.sc().listenerBus().waitUntilEmpty()
    stored = [*context._jsc.sc().getRDDStorageInfo()]
    report.fact("cached_memory_bytes", sum(one.memSize() for one in stored))
    report.fact("cached_disk_bytes", sum(one.diskSize() for one in stored))
    partitions = sum(rdd.getNumPartitions() for rdd in context._jsc.getPersistentRDDs().values())
    lacking = partitions - sum(one.numCachedPartitions() for one in stored)
    if lacking > 0:
        report.note(f"{lacking} of {partitions} partitions to cache found no room in memory and are computed each time")
