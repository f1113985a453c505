"""What is known of a Dataproc cluster by its config alone."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from flowerexp.cluster import Backend
from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.dataproc import nodes
from flowerexp.cluster.dataproc.ceilings import ceilings
from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.cluster.dataproc.smaller import smaller
from flowerexp.cluster.google import versions
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
        self.installed()
        from flowerexp.cluster.dataproc.backend import DataprocBackend

        return DataprocBackend(self.cluster)

    def describe(self) -> str:
        """See `Kind.describe`: `four_nodes: dataproc us-central1, 1 x n1-standard-2 (...) + ...`."""
        workers, secondary = self.cluster.workers, self.cluster.secondary
        parts = [
            f"{count} x {kind}{node.machine_type} ({node.disk_type} {node.disk_gb:,} GB)"
            for count, kind, node in (
                (1, "", self.cluster.master),
                (workers.count, "", workers),
                (secondary.count, f"secondary {secondary.kind} ", workers),
            )
            if count
        ]
        return f"{self.cluster.name}: dataproc {self.cluster.region}, {' + '.join(parts)}"

    def check(self, config: Config) -> None:
        """See `Kind.check`: machines, their disks and the image must do; it must not delete itself while it is idle."""
        super().check(config)
        nodes.check(self.cluster, Prices.of(config.budget, self.cluster).machine_types)
        self._check_autoscaling(config)
        versions.check("image", self.cluster.image_version, staged=self.cluster.packages == "stage")
        idle, auto = self.cluster.idle_delete_minutes, self.cluster.auto_delete_minutes
        if auto <= idle:
            problem = f"{auto} minutes after its creation the cluster would delete itself, even before it was idle"
            hint = f"set it to more than cluster.idle_delete_minutes={idle} and than the longest job takes"
            raise ConfigError(f"{problem} for {idle} minutes", where="cluster.auto_delete_minutes", hint=hint)

    def _check_autoscaling(self, config: Config) -> None:
        """Refuse a cluster that changes its size while something is measured on it, or that has no size to change."""
        if not self.cluster.autoscaling_policy:
            return
        where, experiment = "cluster.autoscaling_policy", config.entrypoint
        if experiment.repeatable:
            problem = (
                f"{experiment.name} measures, and a cluster with a policy gains and loses machines while it measures"
            )
            hint = "set it to null; policies are for entrypoints that leave what they write (repeatable: false)"
            raise ConfigError(problem, where=where, hint=hint)
        if not self.cluster.workers.count:
            hint = "set cluster.workers.count=2 or more, or the policy to null"
            raise ConfigError("a single node has no workers that a policy could add to", where=where, hint=hint)

    def notes(self, today: datetime.date) -> Iterator[str]:
        """See `Kind.notes`."""
        line = versions.find("image", self.cluster.image_version)
        if line:
            yield from line.notes(today)
        workers, secondary = self.cluster.workers, self.cluster.secondary
        # https://docs.cloud.google.com/dataproc/docs/concepts/compute/secondary-vms, "Preemptible workers".
        if secondary.may_be_taken and secondary.count >= workers.count:
            taken = f"{secondary.count} of {secondary.count + workers.count} workers may be taken back"
            yield f"{taken}; Google advises fewer than half (cluster.secondary.count, cluster.workers.count)"
        if self.cluster.autoscaling_policy:
            yield f"the policy {self.cluster.autoscaling_policy} may add machines, which cost and quota here leave out"

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
            return ceilings(nodes.working(self.cluster, prices.machine_types))
        except ConfigError:
            return {}

    def size(self, prices: Prices) -> Size:
        """See `Kind.size`."""
        working = nodes.working(self.cluster, prices.machine_types)
        machine = working.machine
        return Size(machine.vcpus, machine.memory_gb, working.count, machine.series, working.disk_type)
