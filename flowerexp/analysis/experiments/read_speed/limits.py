"""The ceilings of a host for reading images, in images/s: its network, its disks and its vCPUs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Ceiling = Literal["network", "disk", "cpu"]

NETWORK, DISK, CORES = "limit/network_mb_s", "limit/disk_read_mib_s", "limit/vcpus"
"""The facts of a run that name its limits: MB/s of a host's network (10**6 bytes), MiB/s read from a host's disks, and
the vCPUs of all hosts together."""

DECODE = "limit/decode_images_s"
"""The images that one vCPU decodes in a second."""


@dataclass(frozen=True)
class Ceilings:
    """The ceilings of one host in images/s, for images of a known size; those that are known and apply.

    Attributes:
        bytes_per_image: of what is read, on average.
        ceilings: images/s that each resource allows.
        achieved: images/s of the host.
    """

    bytes_per_image: float
    ceilings: Mapping[Ceiling, float]
    achieved: float

    @property
    def limit(self) -> Ceiling:
        """The lowest ceiling."""
        return min(self.ceilings, key=lambda name: self.ceilings[name])

    @property
    def fraction(self) -> float:
        """Achieved over the lowest ceiling: near 1 that resource is the limit; far below, something else is."""
        return self.achieved / self.ceilings[self.limit]


@dataclass(frozen=True)
class Reading:
    """What was read, and how.

    Attributes:
        rate: images/s of one measuring task.
        bytes_per_image: of what is read, on average.
        remote: whether files are read over the network; else from a disk of the host.
        warm: whether a host's own files were in the page cache, so that no disk was read.
        tasks: measuring tasks at once on a host.
        hosts: among how many hosts the vCPUs are divided.
    """

    rate: float
    bytes_per_image: float
    remote: bool
    warm: bool
    tasks: int = 1
    hosts: int = 1


def against_limits(reading: Reading, limits: Mapping[str, float]) -> Ceilings | None:
    """Compare a rate with the ceilings of its host.

    Args:
        reading: the rate, and how it was reached.
        limits: any of `NETWORK`, `DISK`, `CORES` and `DECODE`; others are passed over.

    Returns:
        The ceilings, or None where none is known.
    """
    ceilings: dict[Ceiling, float] = {}
    if reading.remote and limits.get(NETWORK):
        ceilings["network"] = limits[NETWORK] * 1e6 / reading.bytes_per_image
    if not reading.remote and not reading.warm and limits.get(DISK):
        ceilings["disk"] = limits[DISK] * 2**20 / reading.bytes_per_image
    if limits.get(CORES) and limits.get(DECODE):
        ceilings["cpu"] = limits[CORES] / reading.hosts * limits[DECODE]
    return Ceilings(reading.bytes_per_image, ceilings, reading.rate * reading.tasks) if ceilings else None
