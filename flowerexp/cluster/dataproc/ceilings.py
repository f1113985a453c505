"""The theoretical ceilings of machines of Compute Engine, to be compared with what was achieved.

Sources, as read on 2026-11-23:

- Network: the egress caps of N1 by vCPUs are in the table of
  https://docs.cloud.google.com/compute/docs/disks/optimizing-pd-performance, as far as 15 vCPUs. Those of other series,
  and of larger machines, are left out, since nobody has read them yet.
- Disks: https://cloud.google.com/compute/docs/disks/performance. A disk has a rate for each GiB beside a base that
  balanced and SSD disks have, and no more than its machine allows (the tables by vCPUs, taken from
  https://github.com/GoogleCloudPlatform/gcpdiag, gcpdiag/runbook/gce/disk_performance_benchmark, of 2026-08-07).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from flowerexp.cluster.dataproc.nodes import Group

_Value = TypeVar("_Value")

# From this number of vCPUs on, MB/s; None is not known.
_NETWORK_N1: Sequence[tuple[int, float | None]] = ((1, 250), (2, 1250), (8, 2000), (16, None))

_SERIES = ("n1", "n2", "e2")

# MiB/s: the base of a machine's disks of that type, and what each GiB adds.
_DISK = {"pd-standard": (0.0, 0.12), "pd-balanced": (140.0, 0.28), "pd-ssd": (240.0, 0.48)}

# From this number of vCPUs on, MiB/s that a machine reads and writes at most. Balanced and SSD disks share their caps.
_HDD = ((2, (240.0, 240.0)), (8, (800.0, 400.0)), (16, (1200.0, 400.0)))
_FLASH = ((2, (240.0, 240.0)), (8, (800.0, 800.0)), (16, (1200.0, 1200.0)))
_FLASH_E2 = ((2, (240.0, 240.0)), (8, (800.0, 800.0)), (16, (1200.0, 1000.0)))
_ONE_VCPU = ((1, (240.0, 204.0)),)


def ceilings(group: Group) -> dict[str, float]:
    """See `Kind.ceilings`.

    Args:
        group: the machines that run tasks.
    """
    each = _network(group) | _disks(group)
    return {
        "limit/vcpus": float(group.count * group.machine.vcpus),
        **each,
        **{f"{name}/cluster": group.count * value for name, value in each.items()},
    }


def _network(group: Group) -> dict[str, float]:
    cap = _step(_NETWORK_N1, group.machine.vcpus) if group.machine.series == "n1" else None
    return {"limit/network_mb_s": float(cap)} if cap else {}


def _disks(group: Group) -> dict[str, float]:
    machine = group.machine
    if group.disk_type not in _DISK or machine.series not in _SERIES:
        return {}
    flash = _FLASH_E2 if machine.series == "e2" else _FLASH
    steps = _HDD if group.disk_type == "pd-standard" else flash
    read, write = _step(_ONE_VCPU + steps, machine.vcpus)
    base, each = _DISK[group.disk_type]
    disk = base + each * group.disk_gb
    return {"limit/disk_read_mib_s": min(disk, read), "limit/disk_write_mib_s": min(disk, write)}


def _step(steps: Sequence[tuple[int, _Value]], vcpus: int) -> _Value:
    """The value of the highest step that is reached."""
    return [value for lowest, value in steps if lowest <= vcpus][-1]
