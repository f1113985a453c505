"""The theoretical ceilings of machines of Compute Engine, to be compared with what was achieved.

What machines allow is in `google/machines.yaml`, with its sources. A disk has a rate for each GiB beside a base that
balanced and SSD disks have (https://cloud.google.com/compute/docs/disks/performance, as read on 2026-11-23), and no
more than its machine allows; a Hyperdisk has what is provisioned for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from flowerexp.cluster.dataproc.nodes import Group
from flowerexp.cluster.google.machines import series

_Value = TypeVar("_Value")

_MB_OF_GBIT = 125.0  # 10^6 bytes

# MiB/s: the base of a machine's disks of that type, and what each GiB adds.
_DISK = {"pd-standard": (0.0, 0.12), "pd-balanced": (140.0, 0.28), "pd-ssd": (240.0, 0.48)}


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
    cap = _step(series(group.machine.series).get("gbit_s", {}), group.machine.vcpus)
    return {"limit/network_mb_s": _MB_OF_GBIT * cap} if cap else {}


def _disks(group: Group) -> dict[str, float]:
    if group.disk_mib_s:  # its machine may allow less: nobody has read that yet
        return dict.fromkeys(("limit/disk_read_mib_s", "limit/disk_write_mib_s"), float(group.disk_mib_s))
    table = "standard_mib_s" if group.disk_type == "pd-standard" else "ssd_mib_s"
    caps: tuple[float, float] | None = _step(series(group.machine.series).get(table, {}), group.machine.vcpus)
    if caps is None:
        return {}
    base, each = _DISK[group.disk_type]
    disk = base + each * group.disk_gb
    return {"limit/disk_read_mib_s": min(disk, caps[0]), "limit/disk_write_mib_s": min(disk, caps[1])}


def _step(steps: Mapping[int, _Value], vcpus: int) -> _Value | None:
    """The value of the highest step that is reached."""
    reached = [lowest for lowest in steps if lowest <= vcpus]
    return steps[max(reached)] if reached else None
