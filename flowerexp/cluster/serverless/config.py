"""The config of a cluster of the kind `serverless`."""

from __future__ import annotations

from dataclasses import dataclass, field

from flowerexp.cluster.google.config import GoogleCluster
from flowerexp.config import names
from flowerexp.config.fields import ACCOUNT, number, optional, text


@dataclass(frozen=True, kw_only=True)
class Serverless(GoogleCluster):
    """Dataproc batches: no cluster, `executors` of `cores` cores each, and a driver of as many.

    The tier is that of compute and of disks, of the driver and the executors alike.
    """

    runtime_version: str = text(names.RUNTIME_VERSION)
    executors: int = number(min=2, max=2000)
    cores: int = field(default=4, metadata={"choices_of_numbers": (4, 8, 16)})
    tier: str = field(default="standard", metadata={"choices": ("standard", "premium")})
    container: str | None = optional(names.CONTAINER)
    ttl_minutes: int = number(min=10, max=20_160, **ACCOUNT)
