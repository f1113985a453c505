"""Measure a group-by or a join of rows that Spark SQL has generated: `spark-submit aggregate.py --job JOB.json`.

A table has the columns id, key and value. The frequency of the keys 1, 2, 3, ... follows Zipf's law in its continuous
form: it falls with the key to the power of `skew`, and with a skew of 0 all keys are equally frequent.
"""

from typing import Any

from pyspark.sql import functions

from flowerexp.workload import main

FILES = 16
VERSION = 1  # of the tables that `generated` writes


def prepare(spark: Any, config: dict[str, Any]) -> dict[str, Any]:
    """A table for each number of rows, and the table to join them with; existing tables are reused."""
    settings, place = config["entrypoint"]["settings"], config["storage"]["generated"]
    tables = {rows: generated(spark, place, rows, **settings) for rows in config["grid"]["rows"]}
    keys = spark.range(1, settings["keys"] + 1).select(functions.col("id").alias("key"), functions.hash("id"))
    return {"tables": tables, "keys": keys}


def generated(spark: Any, place: str, rows: int, skew: float, keys: int) -> Any:
    """A table in a folder named by its content; all executors write it, and it appears only when it is complete."""
    name = f"aggregate-v{VERSION}-{rows}-skew{skew:g}-keys{keys}"
    paths = spark._jvm.org.apache.hadoop.fs
    whole, aside = (paths.Path(f"{place}/{part}") for part in (name, f"_{name}-{spark.sparkContext.applicationId}"))
    files = whole.getFileSystem(spark._jsc.hadoopConfiguration())
    if not files.exists(whole) or spark.read.parquet(str(whole)).count() != rows:
        files.delete(whole, True)  # renaming a bucket's folder takes several steps, so it can be incomplete
        chance = functions.xxhash64("id") / 2.0**64 + 0.5  # from 0 to 1, decided by the id
        power, end = 1 - skew, keys + 1.0  # for the inverse of the law's cumulative distribution from 1 to `end`
        drawn = (1 + chance * (end**power - 1)) ** (1 / power) if power else functions.pow(functions.lit(end), chance)
        key = functions.least(functions.floor(drawn), functions.lit(keys)).alias("key")
        table = spark.range(0, rows, 1, FILES).select("id", key, (functions.hash("id") % 1000).alias("value"))
        table.write.mode("overwrite").parquet(str(aside))
        files.rename(aside, whole)
    return spark.read.parquet(str(whole))


def measure(prepared: dict[str, Any], cell: dict[str, Any]) -> dict[str, int]:
    """Compute the whole result and discard it; the rows need no counting, since their number is the parameter."""
    table = prepared["tables"][cell["rows"]]
    table.sparkSession.conf.set("spark.sql.shuffle.partitions", cell["shuffle_partitions"])
    table.sparkSession.conf.set("spark.sql.adaptive.enabled", cell["adaptive"])
    if cell["shape"] == "group_by":
        result = table.groupBy("key").agg(functions.sum("value"), functions.max("id"))
    else:  # the hint, since Spark would send a small table to all executors and shuffle nothing
        result = table.join(prepared["keys"].hint("merge"), "key")
    result.write.format("noop").mode("overwrite").save()
    return {"rows": cell["rows"]}


if __name__ == "__main__":
    main(measure, prepare)
