"""Changes that make a Dataproc cluster smaller, so that it fits into a quota."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from flowerexp.cluster.dataproc.config import HYPERDISK, Dataproc, Machine
from flowerexp.cluster.dataproc.nodes import demand
from flowerexp.cluster.google.machines import Types, machine, series
from flowerexp.cluster.google.machines import smaller as smaller_types
from flowerexp.cluster.kind import Changes
from flowerexp.cluster.quota import QuotaLimits, changed

_LEAST_DISK = 50  # GB: smaller boot disks are not proposed, since they have hardly room for image and data


def smaller(cluster: Dataproc, limits: QuotaLimits, further: Types) -> Iterator[Sequence[Changes]]:
    """See `Kind.smaller`: fewer addresses, then smaller disks, fewer secondary and other workers, smaller machines."""
    yield [{"internal_ip_only": True}]
    ways: list[Sequence[Changes]] = [
        list(_disks(cluster, limits, further)),
        [{"secondary.count": number} for number in range(cluster.secondary.count - 1, -1, -1)],
        [{"workers.count": number} for number in range(cluster.workers.count - 1, 1, -1)],
        list(_machines(cluster)),
    ]
    for way in ways:
        both = [] if cluster.internal_ip_only else [{"internal_ip_only": True, **changes} for changes in way]
        yield [*way, *both]


def _machines(cluster: Dataproc) -> Iterator[Changes]:
    """Smaller machines for the workers, for the master, or for both."""
    types = {role: smaller_types(node.machine_type) for role, _, node in _nodes(cluster)}
    for role, names in types.items():
        yield from ({f"{role}.machine_type": name} for name in names)
    if len(types) > 1:
        yield from (
            {"master.machine_type": first, "workers.machine_type": second}
            for first, second in itertools.product(types["master"], types["workers"])
        )


def _disks(cluster: Dataproc, limits: QuotaLimits, further: Types) -> Iterator[Changes]:
    """The largest disks that the quota has room for, or standard ones in the place of SSD."""
    for role, count, node in _nodes(cluster):
        name = {"pd-standard": "standard_disk_gb", HYPERDISK: ""}.get(node.disk_type, "ssd_gb")
        if name:  # no quota of Hyperdisks is known
            others = getattr(demand(changed(cluster, {f"{role}.disk_gb": 0}), further), name)
            most = ((getattr(limits, name) or 0) - others) // count
            if _LEAST_DISK <= most < node.disk_gb:
                yield {f"{role}.disk_gb": most}
        boots = series(machine(node.machine_type, further).series).get("disks", ["pd-standard"])
        if node.disk_type != "pd-standard" and "pd-standard" in boots:
            yield {f"{role}.disk_type": "pd-standard"}


def _nodes(cluster: Dataproc) -> list[tuple[str, int, Machine]]:
    """The parts of a cluster, the workers first if there are any: key, number with secondary ones, and machine."""
    workers = cluster.workers
    count = workers.count + cluster.secondary.count
    return [*([("workers", count, workers)] if workers.count else []), ("master", 1, cluster.master)]
