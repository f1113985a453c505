"""Spark's own numbers of a measurement, from a real Spark."""

import time
from types import SimpleNamespace

import pytest
from pyspark import InheritableThread
from pyspark.sql import Window, functions

from flowerexp.workload import report
from flowerexp.workload.engine.spark_metrics import recorded

COLUMNS = {
    *(
        "spark_jobs",
        "spark_stages",
        "spark_tasks",
        "spark_failed_tasks",
        "shuffle_read_bytes",
        "shuffle_write_bytes",
        "spill_bytes",
    ),
    *("gc_seconds", "task_seconds", "executor_cpu_seconds", "slowest_task_seconds", "median_task_seconds"),
}

pytestmark = pytest.mark.spark


def pairs(context, keys=4, partitions=3):
    return context.parallelize([(number % keys, number) for number in range(100)], partitions)


def test_tasks_and_what_they_shuffled_are_counted(spark, told):
    context = spark.sparkContext
    with recorded(context, "one") as numbers:
        assert numbers == {}
        pairs(context).reduceByKey(lambda a, b: a + b, 2).collect()
    assert numbers.keys() == COLUMNS
    assert [numbers[name] for name in ("spark_jobs", "spark_stages", "spark_tasks")] == [1, 2, 5]
    assert numbers["shuffle_read_bytes"] == numbers["shuffle_write_bytes"] > 0
    assert 0 < numbers["median_task_seconds"] <= numbers["slowest_task_seconds"] <= numbers["task_seconds"]
    assert told.notes == []


def test_each_measurement_has_its_own_jobs_and_not_those_around_it(spark, told):
    context = spark.sparkContext
    context.setJobGroup("outer", "preparing")
    for count in (1, 3):
        pairs(context).count()
        with recorded(context, f"own-{count}") as numbers:
            for _ in range(count):
                pairs(context, partitions=2).count()
        assert (numbers["spark_jobs"], numbers["spark_tasks"]) == (count, 2 * count)
    outer = ("spark.jobGroup.id", "spark.job.description")
    assert [context.getLocalProperty(name) for name in outer] == ["outer", "preparing"]
    for name in outer:
        context.setLocalProperty(name, None)
    assert told.notes == []


def test_jobs_are_called_what_their_phase_is_called(spark):
    """Which the table of phases of a report is made from."""
    context = spark.sparkContext
    with report.phase("measure"), recorded(context, "named"):
        pairs(context).count()
    (number,) = context.statusTracker().getJobIdsForGroup("named")
    assert context._jsc.sc().statusStore().job(number).description().get() == "measure"


def test_stages_that_were_skipped_do_not_count(spark):
    context = spark.sparkContext
    shuffled = pairs(context).reduceByKey(lambda a, b: a + b, 2)
    shuffled.count()
    with recorded(context, "again") as numbers:
        shuffled.count()  # what was shuffled is there
    assert (numbers["spark_stages"], numbers["spark_tasks"], numbers["shuffle_write_bytes"]) == (1, 2, 0)


@pytest.mark.parametrize("adaptive", [True, False])
def test_jobs_that_sql_starts_in_threads_of_its_own_count(spark, told, adaptive):
    large = spark.range(0, 1000, 1, 2).withColumn("key", functions.col("id") % 10)
    small = functions.broadcast(spark.range(0, 10, 1, 3).withColumnRenamed("id", "key"))
    spark.conf.set("spark.sql.adaptive.enabled", adaptive)
    try:
        with recorded(spark.sparkContext, f"broadcast-{adaptive}") as numbers:
            large.join(small, "key").write.format("noop").mode("overwrite").save()
    finally:
        spark.conf.unset("spark.sql.adaptive.enabled")
    assert (numbers["spark_jobs"], numbers["spark_tasks"]) == (2, 5)  # three of the broadcast
    assert told.notes == []


def test_a_measurement_without_jobs_has_none(spark):
    with recorded(spark.sparkContext, "nothing") as numbers:
        pass
    assert (numbers["spark_jobs"], numbers["spark_tasks"], numbers["task_seconds"]) == (0, 0, 0)
    assert "slowest_task_seconds" not in numbers


def test_what_spills_to_disk_is_counted(spark):
    limits = ("spark.sql.windowExec.buffer.in.memory.threshold", "spark.sql.windowExec.buffer.spill.threshold")
    for limit in limits:
        spark.conf.set(limit, 1000)
    try:
        with recorded(spark.sparkContext, "spill") as numbers:
            whole = Window.partitionBy(functions.lit(1))
            rows = spark.range(0, 20_000, 1, 2).select("id", functions.sum("id").over(whole))
            rows.write.format("noop").mode("overwrite").save()
    finally:
        for limit in limits:
            spark.conf.unset(limit)
    assert numbers["spill_bytes"] > 0


@pytest.mark.parametrize(("count", "middle"), [(1, 0.8), (2, 0.45), (5, 0.1)])
def test_the_slowest_task_is_of_the_stage_with_most_task_time(spark, count, middle):
    def work(number):
        time.sleep(0.8 if number == 0 else 0.1)
        return number

    context = spark.sparkContext
    pairs(context).count()  # else its Python workers may start within the other stage, for longer than these sleep
    with recorded(context, f"skewed-{count}") as numbers:
        context.parallelize(range(count), count).map(work).collect()
        pairs(context).count()
    assert numbers["slowest_task_seconds"] >= 0.8
    assert numbers["median_task_seconds"] >= middle
    assert (numbers["median_task_seconds"] == numbers["slowest_task_seconds"]) == (count == 1)


def test_jobs_of_other_threads_are_counted_or_told(spark, told):
    context = spark.sparkContext
    with recorded(context, "inherited") as numbers:
        thread = InheritableThread(target=lambda: pairs(context).count())
        thread.start()
        thread.join()
    assert (numbers["spark_jobs"], told.notes) == (1, [])
    for turn in range(2):
        with recorded(context, f"elsewhere-{turn}") as numbers:
            context.setJobGroup("my own", "counting")
            pairs(context).count()
        assert numbers["spark_jobs"] == 0
    (note,) = told.notes  # once
    assert "setJobGroup" in note


def test_a_measurement_whose_body_fails_leaves_no_numbers_and_the_group_as_it_was(spark):
    context = spark.sparkContext
    with pytest.raises(AssertionError), recorded(context, "failing") as numbers:
        assert pairs(context).count() == 0
    assert numbers == {}
    assert context.getLocalProperty("spark.jobGroup.id") is None


def test_a_spark_that_does_not_say_costs_the_columns_and_a_note(told):
    properties: dict[str, str | None] = {}
    context = SimpleNamespace(
        getLocalProperty=properties.get,
        setLocalProperty=properties.__setitem__,
        setJobGroup=lambda group, _: properties.update({"spark.jobGroup.id": group}),
        _jsc=SimpleNamespace(sc=lambda: SimpleNamespace()),
    )
    for turn in range(2):
        with recorded(context, f"group-{turn}") as numbers:
            assert properties["spark.jobGroup.id"] == f"group-{turn}"
        assert numbers == {}
    (note,) = told.notes
    assert note.startswith("the rows lack Spark's own numbers: AttributeError")
