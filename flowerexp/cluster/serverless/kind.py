"""What is known of serverless batches by their config alone."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path

from flowerexp.cluster import Backend
from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.google import versions
from flowerexp.cluster.google.kind import GoogleKind
from flowerexp.cluster.kind import Changes, Size
from flowerexp.cluster.quota import Demand, QuotaLimits
from flowerexp.cluster.serverless import usage
from flowerexp.cluster.serverless.config import Serverless
from flowerexp.cluster.serverless.rate import billed, rate, vcpus
from flowerexp.config.schema import Config


class ServerlessKind(GoogleKind[Serverless]):
    """Batches: each is paid for while it runs."""

    config = Serverless
    start_seconds = 60.0

    def backend(self) -> Backend:
        """See `Kind.backend`."""
        self.installed()
        from flowerexp.cluster.serverless.backend import ServerlessBackend

        return ServerlessBackend(self.cluster)

    def describe(self) -> str:
        """See `Kind.describe`."""
        executors = f"{self.cluster.executors} executors of {self.cluster.cores} vCPUs"
        tier = ", premium tier" if self.cluster.tier == "premium" else ""
        return f"{self.cluster.name}: serverless {self.cluster.region}, a driver and {executors}{tier}"

    def check(self, config: Config) -> None:
        """See `Kind.check`: all data must be in buckets, and its runtime must do."""
        super().check(config)
        staged = self.cluster.container is None and self.cluster.packages == "stage"
        versions.check("runtime", self.cluster.runtime_version, staged=staged)

    def notes(self, today: datetime.date) -> Iterator[str]:
        """See `Kind.notes`."""
        line = versions.find("runtime", self.cluster.runtime_version)
        return line.notes(today) if line else iter(())

    def rate(self, prices: Prices) -> Rate:
        """See `Kind.rate`."""
        return rate(self.cluster, prices)

    def billed(self, jobs: Sequence[Path], prices: Prices) -> float | None:
        """See `Kind.billed`: by the usage that Google measured."""
        used = usage.of_all(jobs)
        return billed(self.cluster, *used, prices) if used else None

    def starts(self, scripts: int) -> int:
        """See `Kind.starts`: each script is a batch."""
        return scripts

    def demand(self, prices: Prices) -> Demand:
        """See `Kind.demand`."""
        count = vcpus(self.cluster)
        return Demand(vcpus=count, by_metric={"CPUS": count})  # https://cloud.google.com/dataproc-serverless/quotas

    def smaller(self, limits: QuotaLimits, prices: Prices) -> Iterator[Sequence[Changes]]:
        """See `Kind.smaller`: fewer executors."""
        yield [{"executors": count} for count in range(self.cluster.executors - 1, 1, -1)]

    def ceilings(self, prices: Prices) -> dict[str, float]:
        """See `Kind.ceilings`."""
        return {"limit/vcpus": float(self.cluster.executors * self.cluster.cores)}

    def size(self, prices: Prices) -> Size:
        """See `Kind.size`."""
        memory = self.cluster.cores * float(prices.content["serverless"]["gb_per_vcpu"])
        tier = "serverless-premium" if self.cluster.tier == "premium" else "serverless"  # other machines, other prices
        return Size(self.cluster.cores, memory, self.cluster.executors, tier)
