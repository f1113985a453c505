"""What a serverless batch costs: by its config before it has run, and by its own usage afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.serverless.config import Serverless

# The disk of the standard tier by default, and the least of the premium tier, which is asked for. Examples agree
# (400g with 4 cores, 375g); that 16 cores of the premium tier need 750g is not confirmed.
_STANDARD_GB_PER_CORE = 100
_PREMIUM_GB = {4: 375, 8: 375, 16: 750}
UNPRICED = "no price of shuffle storage is known, which is billed beside it"


@dataclass(frozen=True)
class FoundBatch:
    """A batch that was found in the cloud: what its price depends on, by the names of a config."""

    region: str
    executors: int
    cores: int
    tier: str = "standard"

    def rate(self, prices: Prices) -> Rate:
        """What it costs, see `rate`."""
        return rate(self, prices)


def vcpus(batch: Serverless | FoundBatch) -> int:
    """The vCPUs of a batch: the driver has as many as each executor."""
    return (batch.executors + 1) * batch.cores


def disk_gb(cores: int, tier: str) -> int:
    """The disk of the driver, and of each executor, in GB."""
    return _PREMIUM_GB[cores] if tier == "premium" else _STANDARD_GB_PER_CORE * cores


def rate(batch: Serverless | FoundBatch, prices: Prices) -> Rate:
    """The rate of a batch: the driver and its executors, each with the memory and the disk that it has by default.

    Args:
        batch: its config, or what was found.
        prices: see `Prices.of`.

    Raises:
        ConfigError: its region has no price.
    """
    unit, dcu = prices.content["serverless"], _dcu(batch, prices)
    each = float(unit["dcu_per_vcpu"]) + float(unit["gb_per_vcpu"]) * float(unit["dcu_per_gb"])
    shuffle = _shuffle(batch, prices)
    return Rate(
        machines=vcpus(batch) * each * dcu,
        disks=(batch.executors + 1) * disk_gb(batch.cores, batch.tier) * (shuffle or 0.0),
        minimum_seconds=float(prices.content["minimum_seconds"]),
        left_out=UNPRICED if shuffle is None else "",
    )


def billed(batch: Serverless, milli_dcu_seconds: int, shuffle_storage_gb_seconds: int, prices: Prices) -> float:
    """What batches cost, in US dollars, by their own usage.

    Args:
        batch: their config.
        milli_dcu_seconds: as Dataproc's `UsageMetrics` has them, of all batches together.
        shuffle_storage_gb_seconds: the same.
        prices: see `Prices.of`; without one of shuffle storage, that is not counted.

    Raises:
        ConfigError: their region has no price.
    """
    shuffle = (_shuffle(batch, prices) or 0.0) * shuffle_storage_gb_seconds
    return (_dcu(batch, prices) * milli_dcu_seconds / 1000 + shuffle) / 3600


def _dcu(batch: Serverless | FoundBatch, prices: Prices) -> float:
    """US dollars an hour of one DCU."""
    key, of = ("dcu_premium", "premium ") if batch.tier == "premium" else ("dcu", "")
    dcu = prices.region(batch.region).get(key)
    if dcu is None:
        raise prices.missing(f"a {of}serverless DCU in {batch.region}", "cluster.region")
    return float(dcu)


def _shuffle(batch: Serverless | FoundBatch, prices: Prices) -> float | None:
    """US dollars an hour of one GB of shuffle storage; None where that is not known."""
    key = "shuffle_gb_premium" if batch.tier == "premium" else "shuffle_gb"
    monthly = prices.region(batch.region).get(key)
    return None if monthly is None else float(monthly) / float(prices.content["hours_of_a_month"])
