"""What is known of Spark in one process of this machine by its config alone."""

from __future__ import annotations

import os

from flowerexp.cluster import Backend
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import Kind, Size, gigabytes
from flowerexp.cluster.local.config import Local


class LocalKind(Kind[Local]):
    """Spark in one process of this machine."""

    config = Local
    on_this_machine = True

    def backend(self) -> Backend:
        """See `Kind.backend`."""
        from flowerexp.cluster.local.backend import LocalBackend

        return LocalBackend(self.cluster)

    def ceilings(self, prices: Prices) -> dict[str, float]:
        """See `Kind.ceilings`."""
        return {"limit/vcpus": float(min(self.cluster.tasks_at_once, len(os.sched_getaffinity(0))))}

    def size(self, prices: Prices) -> Size:
        """See `Kind.size`."""
        return Size(self.cluster.tasks_at_once, gigabytes(self.cluster.memory), 1, "local")
