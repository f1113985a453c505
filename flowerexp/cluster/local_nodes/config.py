"""The config of a cluster of the kind `local_nodes`."""

from __future__ import annotations

from dataclasses import dataclass

from flowerexp.config.fields import number, spark_memory
from flowerexp.config.schema import Cluster


@dataclass(frozen=True, kw_only=True)
class LocalNodes(Cluster):
    """A cluster on this machine: `nodes` executors of `cores` cores each, in processes of their own."""

    nodes: int = number(min=1, max=256)
    cores: int = number(min=1, max=256)
    executor_memory: str = spark_memory()
    memory: str = spark_memory()

    @property
    def tasks_at_once(self) -> int:
        """How many tasks run at once, on all nodes together."""
        return self.nodes * self.cores
