"""Spark in local mode: driver and executor in one process of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from flowerexp.cluster import JobFiles
from flowerexp.cluster.spark_submit import LEAN_JVM, LOOPBACK, LOOPBACK_ENVIRONMENT, SparkSubmit, shared_home
from flowerexp.config import schema


class Local(SparkSubmit[schema.Local]):
    """Spark in local mode."""

    in_driver = True

    @property
    def cores(self) -> int:
        """How many tasks run at once: the config's number, else the cores that this process may use."""
        return self.cluster.cores or len(os.sched_getaffinity(0))

    def own_properties(self) -> dict[str, str]:
        """See `SparkSubmit.own_properties`."""
        from flowerexp.cluster import archive  # which runs a job of this kind itself

        java_options = {"spark.driver.extraJavaOptions": f"{LEAN_JVM} {archive.options()}".rstrip()}
        return {"spark.master": f"local[{self.cores}]", **LOOPBACK, **java_options}

    def home(self, files: JobFiles) -> Path:
        """See `SparkSubmit.home`: one for all jobs of this user."""
        return shared_home()

    def environment(self, files: JobFiles) -> dict[str, str]:
        """See `SparkSubmit.environment`."""
        return {**super().environment(files), **LOOPBACK_ENVIRONMENT}
