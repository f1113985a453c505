"""The config of a cluster of the kind `spark_master`."""

from __future__ import annotations

from dataclasses import dataclass

from flowerexp.config.fields import spark_memory, text
from flowerexp.config.schema import Cluster

_MASTER = {
    "pattern": r"(spark|k8s|mesos)://\S+|yarn|local(-cluster)?(\[.*\])?",
    "pattern_wanted": "a Spark master",
    "pattern_hint": "write cluster.master=spark://HOST:7077, or yarn",
}


@dataclass(frozen=True, kw_only=True)
class SparkMaster(Cluster):
    """A cluster that exists: any master that spark-submit takes. Job folders must lie where all its nodes see them."""

    master: str = text(_MASTER)
    executor_memory: str = spark_memory()
    memory: str = spark_memory()
