"""What limits reading: images/s achieved against the ceilings of the host it ran on."""

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
        """Achieved over the lowest ceiling: near 1 that resource limits, far below something else does, as latency."""
        return self.achieved / self.ceilings[self.limit]


def against_limits(
    achieved: float,
    limits: Mapping[str, float],
    bytes_per_image: float,
    remote: bool,
    warm: bool,
    tasks: int = 1,
    hosts: int = 1,
) -> Ceilings | None:
    """Compare a rate with the ceilings of its host.

    Args:
        achieved: images/s of one measuring task.
        limits: any of `NETWORK`, `DISK`, `CORES` and `DECODE`; others are passed over.
        bytes_per_image: of what is read, on average.
        remote: are files read over the network? Else from a disk of the host.
        warm: were a host's own files in the page cache? Then no disk was read.
        tasks: measuring tasks at once on a host.
        hosts: among how many hosts the vCPUs are divided.

    Returns:
        The ceilings and the fraction, or None where no ceiling is known.
    """
    ceilings: dict[Ceiling, float] = {}
    if remote and limits.get(NETWORK):
        ceilings["network"] = limits[NETWORK] * 1e6 / bytes_per_image
    if not remote and not warm and limits.get(DISK):
        ceilings["disk"] = limits[DISK] * 2**20 / bytes_per_image
    if limits.get(CORES) and limits.get(DECODE):
        ceilings["cpu"] = limits[CORES] / hosts * limits[DECODE]
    return Ceilings(bytes_per_image, ceilings, achieved * tasks) if ceilings else None
