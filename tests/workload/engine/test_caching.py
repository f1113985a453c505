"""Caching, as Spark itself lists it."""

import pytest
from pyspark import StorageLevel
from pyspark.sql import functions

from flowerexp.workload.engine import caching

pytestmark = pytest.mark.spark


def stored(spark):
    """What Spark has stored: of each the cached and all partitions, whether in memory and on disk, and the bytes."""
    spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
    return sorted(
        (rdd.numCachedPartitions(), rdd.numPartitions(), rdd.memSize() > 0, rdd.diskSize() > 0)
        for rdd in spark.sparkContext._jsc.sc().getRDDStorageInfo()
    )


def frame(spark, partitions=3):
    return spark.range(0, 3000, 1, partitions).withColumn("text", functions.concat(functions.lit("x"), "id"))


PLACES = {
    None: (True, False),
    "MEMORY_ONLY": (True, False),
    "MEMORY_AND_DISK": (True, False),
    "DISK_ONLY": (False, True),
}


@pytest.mark.parametrize("level", PLACES)
def test_rdds_and_frames_are_stored_whole_where_they_should_be(spark, told, level):
    rdd = spark.sparkContext.parallelize(range(100), 2).map(str)
    prepared = {"rdd": rdd, "of": [frame(spark), (frame(spark, 4), "text", 7)], "same": rdd}
    assert caching.apply(prepared, level) is prepared
    assert stored(spark) == [(count, count, *PLACES[level]) for count in (2, 3, 4)]
    assert told.facts["cached_memory_bytes" if PLACES[level][0] else "cached_disk_bytes"] > 0
    assert told.notes == []
    caching.remove(prepared)
    assert stored(spark) == []
    assert (rdd.is_cached, prepared["of"][0].is_cached) == (False, False)
    assert told.notes == []


def test_the_level_is_sparks_own_or_the_one_asked_for(spark):
    own, asked = frame(spark), frame(spark, 5)
    caching.apply(own, None)
    caching.apply(asked, "MEMORY_AND_DISK")
    # The same data is stored in the same way, so that a sweep of levels compares the levels alone.
    assert own.storageLevel == asked.storageLevel == frame(spark, 6).cache().storageLevel
    rdd, other = (spark.sparkContext.parallelize(range(9), 2) for _ in range(2))
    caching.apply([rdd], None)
    caching.apply((other,), "MEMORY_AND_DISK")
    assert rdd.getStorageLevel() == StorageLevel.MEMORY_ONLY
    assert other.getStorageLevel() == StorageLevel.MEMORY_AND_DISK


def test_what_was_cached_at_another_level_is_cached_anew(spark):
    mine, rdd = frame(spark).persist(StorageLevel.DISK_ONLY), spark.sparkContext.parallelize(range(9), 2)
    rdd.persist(StorageLevel.DISK_ONLY).count()
    mine.count()
    assert stored(spark) == [(2, 2, False, True), (3, 3, False, True)]
    caching.apply([mine, rdd], "MEMORY_ONLY")
    assert stored(spark) == [(2, 2, True, False), (3, 3, True, False)]


def test_all_columns_are_computed_once_and_never_again(spark):
    counted = spark.sparkContext.accumulator(0)

    def count(value):
        counted.add(1)
        return value

    made = frame(spark).select("id", functions.udf(count)("text").alias("text"), "id")
    caching.apply(made, None)
    assert counted.value == 3000
    assert made.select("text").filter("text like 'x1%'").count() == 1111
    made.toDF("a", "b", "c").write.format("noop").mode("overwrite").save()
    assert counted.value == 3000
    caching.remove(made)
    made.toDF("a", "b", "c").write.format("noop").mode("overwrite").save()
    assert counted.value == 6000


def test_what_the_experiments_code_cached_is_removed_and_what_is_hidden_is_told(spark, told):
    mine = frame(spark).cache()
    mine.count()
    hidden = spark.sparkContext.parallelize(range(9), 2).cache()
    hidden.count()
    caching.remove({"mine": mine})
    assert stored(spark) == [(2, 2, True, False)]
    (note,) = told.notes
    assert note.startswith("1 RDDs stay cached")
    caching.remove([hidden])
    assert stored(spark) == []


def test_what_an_earlier_run_left_cached_is_cleared(spark):
    left = frame(spark).cache()
    left.count()
    spark.sparkContext.parallelize(range(9), 2).cache().count()
    assert len(stored(spark)) == 2
    caching.clear(spark)
    assert stored(spark) == []
    frame(spark).count()  # equal to what was cached
    assert stored(spark) == []


@pytest.mark.parametrize("prepared", [None, 7, "text", {}, [], {"a": [(), {"b": 1}]}])
def test_where_there_is_nothing_to_cache_nothing_happens(prepared, told):
    assert caching.apply(prepared, "MEMORY_ONLY") is prepared
    assert caching.remove(prepared) is prepared
    assert told.notes == []


def test_what_holds_itself_is_looked_at_once(spark):
    prepared = [frame(spark)]
    prepared.append(prepared)
    caching.apply(prepared, None)
    assert len(stored(spark)) == 1
