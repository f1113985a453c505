"""What is known of a Spark cluster that exists already: next to nothing, since only its own master knows it."""

from __future__ import annotations

from flowerexp.cluster import Backend
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import Kind
from flowerexp.cluster.spark_master.config import SparkMaster


class SparkMasterKind(Kind[SparkMaster]):
    """A Spark cluster that exists already."""

    config = SparkMaster

    def backend(self) -> Backend:
        """See `Kind.backend`."""
        from flowerexp.cluster.spark_master.backend import SparkMasterBackend

        return SparkMasterBackend(self.cluster)

    def rate(self, prices: Prices) -> None:
        """See `Kind.rate`: not known."""
