"""What is known of a Dataproc cluster by its config alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowerexp.cluster import Backend
from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.dataproc import nodes
from flowerexp.cluster.dataproc.ceilings import ceilings
from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.cluster.dataproc.smaller import smaller
from flowerexp.cluster.google.kind import GoogleKind
from flowerexp.cluster.kind import Changes, Size
from flowerexp.cluster.quota import Demand, QuotaLimits
from flowerexp.config.schema import Config
from flowerexp.errors import ConfigError


class DataprocKind(GoogleKind[Dataproc]):
    """Machines that are rented from the creation of a cluster to its deletion."""

    config = Dataproc
    start_seconds = 120.0

    def backend(self) -> Backend:
        """See `Kind.backend`."""
        from flowerexp.cluster.dataproc.backend import DataprocBackend

        return DataprocBackend(self.cluster)

    def describe(self) -> str:
        """See `Kind.describe`: `four_nodes: dataproc us-central1, 1 x n1-standard-2 (...) + ...`."""
        workers = self.cluster.workers
        parts = [
            f"{count} x {node.machine_type} ({node.disk_type} {node.disk_gb:,} GB)"
            for count, node in ((1, self.cluster.master), (workers.count, workers))
            if count
        ]
        return f"{self.cluster.name}: dataproc {self.cluster.region}, {' + '.join(parts)}"

    def check(self, config: Config) -> None:
        """See `Kind.check`: all data must be in buckets, and the cluster must not delete itself while it is idle."""
        super().check(config)
        idle, auto = self.cluster.idle_delete_minutes, self.cluster.auto_delete_minutes
        if auto <= idle:
            problem = f"{auto} minutes after its creation the cluster would delete itself, even before it was idle"
            hint = f"set it to more than cluster.idle_delete_minutes={idle} and than the longest job takes"
            raise ConfigError(f"{problem} for {idle} minutes", where="cluster.auto_delete_minutes", hint=hint)

    def rate(self, prices: Prices) -> Rate:
        """See `Kind.rate`."""
        return nodes.rate(self.cluster, prices)

    def demand(self, prices: Prices) -> Demand:
        """See `Kind.demand`."""
        return nodes.demand(self.cluster, prices.machine_types)

    def smaller(self, limits: QuotaLimits, prices: Prices) -> Iterator[Sequence[Changes]]:
        """See `Kind.smaller`."""
        return smaller(self.cluster, limits, prices.machine_types)

    def ceilings(self, prices: Prices) -> dict[str, float]:
        """See `Kind.ceilings`; nothing for a machine type that is not known."""
        try:
            return ceilings(self._working(prices))
        except ConfigError:
            return {}

    def size(self, prices: Prices) -> Size:
        """See `Kind.size`."""
        working = self._working(prices)
        machine = working.machine
        return Size(machine.vcpus, machine.memory_gb, working.count, machine.series, working.disk_type)

    def _working(self, prices: Prices) -> nodes.Group:
        """The machines that run tasks: the workers; of a single node, the master."""
        return nodes.groups(self.cluster, prices.machine_types)[-1]
