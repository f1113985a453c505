"""A Dataproc cluster's machines, what they cost, and what they need of a region's quotas."""

from __future__ import annotations

from dataclasses import dataclass

from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.dataproc import config
from flowerexp.cluster.google.machines import Machine, Types, machine
from flowerexp.cluster.quota import Demand


@dataclass(frozen=True)
class Group:
    """Machines of a cluster that are alike: the master, or all workers. The disk is in GB, which are 2^30 bytes."""

    role: str
    count: int
    machine: Machine
    disk_type: str
    disk_gb: int


@dataclass(frozen=True)
class Nodes:
    """A cluster that was found in the cloud: what its price depends on, by the names of a config."""

    region: str
    master: config.Machine
    workers: config.Workers
    internal_ip_only: bool

    def rate(self, prices: Prices) -> Rate:
        """What it costs, see `rate`."""
        return rate(self, prices)


def groups(cluster: config.Dataproc | Nodes, further: Types) -> list[Group]:
    """The machines of a cluster: the master, and the workers if there are any.

    Args:
        cluster: its config, or what was found.
        further: machine types of the user's own.

    Raises:
        ConfigError: a machine type is unknown.
    """
    return [
        Group(
            role,
            count,
            machine(node.machine_type, further, f"cluster.{role}.machine_type"),
            node.disk_type,
            node.disk_gb,
        )
        for role, count, node in (("master", 1, cluster.master), ("workers", cluster.workers.count, cluster.workers))
        if count
    ]


def demand(cluster: config.Dataproc, further: Types) -> Demand:
    """What a cluster needs of its region's quotas; see `groups` for the arguments and errors."""
    needed = Demand()
    for group in groups(cluster, further):
        vcpus, disk = group.count * group.machine.vcpus, group.count * group.disk_gb
        needed += Demand(
            vcpus,
            0 if cluster.internal_ip_only else group.count,
            0 if group.disk_type == "pd-standard" else disk,
            disk if group.disk_type == "pd-standard" else 0,
            vcpus if group.machine.series in ("n1", "e2") else 0,
            vcpus if group.machine.series == "n2" else 0,
        )
    return needed


def rate(cluster: config.Dataproc | Nodes, prices: Prices) -> Rate:
    """What a cluster costs.

    Args:
        cluster: its config, or what was found.
        prices: see `Prices.load`.

    Raises:
        ConfigError: a machine type, disk or region has no price.
    """
    content, region = prices.content, cluster.region
    nodes = groups(cluster, prices.machine_types)
    machines = sum(group.count * _machine(group, region, prices) for group in nodes)
    monthly = sum(group.count * group.disk_gb * _disk(group, region, prices) for group in nodes)
    addresses = 0 if cluster.internal_ip_only else sum(group.count for group in nodes)
    vcpus = sum(group.count * group.machine.vcpus for group in nodes)
    return Rate(
        machines,
        monthly / float(content["hours_of_a_month"]),
        addresses * float(content["address_per_hour"]),
        vcpus * float(content["dataproc_per_vcpu_hour"]),
        float(content["minimum_seconds"]),
    )


def _machine(group: Group, region: str, prices: Prices) -> float:
    """US dollars an hour of one machine."""
    where = f"cluster.{group.role}.machine_type"
    if group.machine.name in prices.machine_types:
        listed = prices.content["machine_types"][group.machine.name].get("per_hour", {})
        if region not in listed:
            raise prices.missing(f"{group.machine.name} in {region}", where)
        return float(listed[region])
    series = prices.region(region).get("machines", {})
    if group.machine.series not in series:
        raise prices.missing(f"{group.machine.series} machines in {region}", where)
    each = series[group.machine.series]
    return group.machine.vcpus * float(each["vcpu"]) + group.machine.memory_gb * float(each["gb"])


def _disk(group: Group, region: str, prices: Prices) -> float:
    """US dollars a month of one GB."""
    disks = prices.region(region).get("disks", {})
    if group.disk_type not in disks:
        raise prices.missing(f"{group.disk_type} disks in {region}", f"cluster.{group.role}.disk_type")
    return float(disks[group.disk_type])
