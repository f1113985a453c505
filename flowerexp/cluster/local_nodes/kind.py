"""What is known of a small cluster on this machine by its config alone."""

from __future__ import annotations

import os

from flowerexp.cluster import Backend
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import Kind, Size, gigabytes
from flowerexp.cluster.local_nodes.config import LocalNodes


class LocalNodesKind(Kind[LocalNodes]):
    """A small cluster on this machine."""

    config = LocalNodes
    on_this_machine = True

    def backend(self) -> Backend:
        """See `Kind.backend`."""
        from flowerexp.cluster.local_nodes.backend import LocalNodesBackend

        return LocalNodesBackend(self.cluster)

    def ceilings(self, prices: Prices) -> dict[str, float]:
        """See `Kind.ceilings`."""
        return {"limit/vcpus": float(min(self.cluster.tasks_at_once, len(os.sched_getaffinity(0))))}

    def size(self, prices: Prices) -> Size:
        """See `Kind.size`."""
        return Size(self.cluster.cores, gigabytes(self.cluster.executor_memory), self.cluster.nodes, "local")
