"""Jobs on Spark in local mode: driver and executor are one process of this machine."""

from __future__ import annotations

from pathlib import Path

from flowerexp.cluster import JobFiles
from flowerexp.cluster.local import archive
from flowerexp.cluster.local.config import Local
from flowerexp.cluster.spark_submit import LEAN_JVM, LOOPBACK, LOOPBACK_ENVIRONMENT, SparkSubmit, shared_home


class LocalBackend(SparkSubmit[Local]):
    """Spark in local mode."""

    in_driver = True

    def own_properties(self) -> dict[str, str]:
        """See `SparkSubmit.own_properties`."""
        java_options = {"spark.driver.extraJavaOptions": f"{LEAN_JVM} {archive.options()}".rstrip()}
        return {
            "spark.master": f"local[{self.cluster.tasks_at_once}]",
            "spark.driver.memory": self.cluster.memory,
            **LOOPBACK,
            **java_options,
        }

    def home(self, files: JobFiles) -> Path:
        """See `SparkSubmit.home`: one for all jobs of this user."""
        return shared_home()

    def environment(self, files: JobFiles) -> dict[str, str]:
        """See `SparkSubmit.environment`."""
        return {**super().environment(files), **LOOPBACK_ENVIRONMENT}
