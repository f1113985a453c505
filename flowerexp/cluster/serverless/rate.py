"""What a serverless batch costs."""

from __future__ import annotations

from dataclasses import dataclass

from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.serverless.config import Serverless


@dataclass(frozen=True)
class FoundBatch:
    """A batch that was found in the cloud: what its price depends on, by the names of a config."""

    region: str
    executors: int
    cores: int

    def rate(self, prices: Prices) -> Rate:
        """What it costs, see `rate`."""
        return rate(self, prices)


def vcpus(batch: Serverless | FoundBatch) -> int:
    """The vCPUs of a batch: the driver has as many as each executor."""
    return (batch.executors + 1) * batch.cores


def rate(batch: Serverless | FoundBatch, prices: Prices) -> Rate:
    """The rate of a batch: the driver and its executors, each with the memory that it has by default.

    Args:
        batch: its config, or what was found.
        prices: see `Prices.load`.

    Raises:
        ConfigError: its region has no price.
    """
    unit, dcu = prices.content["serverless"], prices.region(batch.region).get("dcu")
    if dcu is None:
        raise prices.missing(f"a serverless DCU in {batch.region}", "cluster.region")
    each = float(unit["dcu_per_vcpu"]) + float(unit["gb_per_vcpu"]) * float(unit["dcu_per_gb"])
    machines = vcpus(batch) * each * float(dcu)
    return Rate(machines=machines, minimum_seconds=float(prices.content["minimum_seconds"]))
