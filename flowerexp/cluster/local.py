"""Spark in local mode: driver and executor in one process of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from flowerexp.cluster import JobFiles
from flowerexp.cluster.spark_submit import LOOPBACK, SparkSubmit, shared_home


class Local(SparkSubmit):
    """Spark in local mode."""

    @property
    def cores(self) -> int:
        """How many tasks run at once: the config's number, else the cores that this process may use."""
        return int(self.cluster["cores"] or len(os.sched_getaffinity(0)))

    def own_properties(self) -> dict[str, str]:
        """See `SparkSubmit.own_properties`."""
        return {"spark.master": f"local[{self.cores}]", **LOOPBACK}

    def home(self, files: JobFiles) -> Path:
        """See `SparkSubmit.home`: one for all jobs of this user."""
        return shared_home()
