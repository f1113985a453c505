"""Measure a group-by or a join of rows that Spark SQL has generated: `spark-submit aggregate.py --job JOB.json`.

A table has the columns id, key and value; the keys 1, 2, 3, ... are as frequent as a Zipf law says (its continuous
form): a key is rarer by its place to the power of `skew`, and with 0 all are alike.
"""

from typing import Any

from pyspark.sql import functions

from flowerexp.workload import main

FILES = 16
VERSION = 1  # of what `generated` makes


def prepare(spark: Any, config: dict[str, Any]) -> dict[str, Any]:
    """A table of each number of rows, and the table to join them with; what is there already is read."""
    settings, place = config["entrypoint"]["settings"], config["storage"]["generated"]
    tables = {rows: generated(spark, place, rows, **settings) for rows in config["grid"]["rows"]}
    keys = spark.range(1, settings["keys"] + 1).select(functions.col("id").alias("key"), functions.hash("id"))
    return {"tables": tables, "keys": keys}


def generated(spark: Any, place: str, rows: int, skew: float, keys: int) -> Any:
    """A table of the folder that is named after what is in it; made whole or not at all, by all executors."""
    name = f"aggregate-v{VERSION}-{rows}-skew{skew:g}-keys{keys}"
    paths = spark._jvm.org.apache.hadoop.fs
    whole, aside = (paths.Path(f"{place}/{one}") for one in (name, f"_{name}-{spark.sparkContext.applicationId}"))
    files = whole.getFileSystem(spark._jsc.hadoopConfiguration())
    if not files.exists(whole) or spark.read.parquet(str(whole)).count() != rows:
        files.delete(whole, True)  # a bucket's folder is not renamed in one step, and can be there in part
        chance = functions.xxhash64("id") / 2.0**64 + 0.5  # from 0 to 1, of the id alone
        power, end = 1 - skew, keys + 1.0  # the law's cumulative distribution from 1 to `end`, turned around
        drawn = (1 + chance * (end**power - 1)) ** (1 / power) if power else functions.pow(functions.lit(end), chance)
        key = functions.least(functions.floor(drawn), functions.lit(keys)).alias("key")
        table = spark.range(0, rows, 1, FILES).select("id", key, (functions.hash("id") % 1000).alias("value"))
        table.write.mode("overwrite").parquet(str(aside))
        files.rename(aside, whole)
    return spark.read.parquet(str(whole))


def measure(prepared: dict[str, Any], cell: dict[str, Any]) -> dict[str, int]:
    """Compute all of the result, and keep none of it; the rows that it says were counted when they were generated."""
    table = prepared["tables"][cell["rows"]]
    table.sparkSession.conf.set("spark.sql.shuffle.partitions", cell["shuffle_partitions"])
    table.sparkSession.conf.set("spark.sql.adaptive.enabled", cell["adaptive"])
    if cell["shape"] == "group_by":
        result = table.groupBy("key").agg(functions.sum("value"), functions.max("id"))
    else:  # a small table would be sent to all executors, and nothing be shuffled
        result = table.join(prepared["keys"].hint("merge"), "key")
    result.write.format("noop").mode("overwrite").save()
    return {"rows": cell["rows"]}


if __name__ == "__main__":
    main(measure, prepare)
