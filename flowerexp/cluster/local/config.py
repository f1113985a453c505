"""The config of a cluster of the kind `local`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from flowerexp.config.fields import optional, spark_memory
from flowerexp.config.schema import Cluster


@dataclass(frozen=True, kw_only=True)
class Local(Cluster):
    """Spark in one process of this machine. Memory is the JVM's heap in Spark's notation (`1g`)."""

    cores: int | None = optional({"min": 1, "max": 4096})
    memory: str = spark_memory()

    @property
    def tasks_at_once(self) -> int:
        """How many tasks run at once: `cores`, by default the cores that this process may use."""
        return self.cores or len(os.sched_getaffinity(0))
