"""Jobs on a small cluster on this machine: executors in processes of their own, by Spark's `local-cluster` master.

Spark starts a standalone master and its workers inside the driver's process, and each worker an executor as a child
process. So the cluster begins and ends with its job, also when the driver is killed: an executor that loses its driver
leaves. Spark's own tests run on this master, and nothing in it asks for more than an installed PySpark has, but one
thing: workers keep their logs below SPARK_HOME, which would be the installed package.
"""

from __future__ import annotations

import math
from pathlib import Path

from flowerexp.cluster import JobFiles
from flowerexp.cluster.local_nodes.config import LocalNodes
from flowerexp.cluster.spark_submit import LEAN_JVM, LOOPBACK, LOOPBACK_ENVIRONMENT, SparkSubmit, linked_home

_MEGABYTES = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024**2}


class LocalNodesBackend(SparkSubmit[LocalNodes]):
    """`nodes` executors of `cores` cores each; they talk over the loopback interface alone."""

    def own_properties(self) -> dict[str, str]:
        """See `SparkSubmit.own_properties`."""
        nodes, cores, memory = self.cluster.nodes, self.cluster.cores, self.cluster.executor_memory
        megabytes = math.ceil(int(memory[:-1]) * _MEGABYTES[memory[-1].lower()])
        return {
            "spark.master": f"local-cluster[{nodes},{cores},{megabytes}]",
            "spark.driver.memory": self.cluster.memory,
            **LOOPBACK,
            "spark.executor.memory": memory,
            "spark.executor.cores": str(cores),
            "spark.executor.extraJavaOptions": LEAN_JVM,
            # Without this number the scheduler does not know how many executors to wait for.
            "spark.cores.max": str(self.cluster.tasks_at_once),
            "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        }

    def home(self, files: JobFiles) -> Path:
        """See `SparkSubmit.home`: in the job's folder, where the workers can write to it."""
        return linked_home(files.folder / "spark")

    def environment(self, files: JobFiles) -> dict[str, str]:
        """See `SparkSubmit.environment`."""
        return {**super().environment(files), **LOOPBACK_ENVIRONMENT}
