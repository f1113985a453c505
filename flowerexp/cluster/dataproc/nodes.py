"""A Dataproc cluster's machines, what they cost, and what they need of a region's quotas."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.dataproc import config
from flowerexp.cluster.google.machines import Machine, Types, check_disk, find, machine, series
from flowerexp.cluster.quota import Demand
from flowerexp.errors import ConfigError

# "Hyperdisk Balanced volumes include, at no extra charge, up to 3,000 IOPS and 140 MiB/s of throughput."
# https://docs.cloud.google.com/compute/docs/disks/hd-types/hyperdisk-balanced
INCLUDED_IOPS = 3000
INCLUDED_MIB_S = 140


@dataclass(frozen=True)
class Group:
    """Machines of a cluster that are alike: the master, the primary workers, or the secondary ones.

    Attributes:
        role: the config key.
        count: of the machines.
        machine: their type.
        disk_type: of the boot disk of each.
        disk_gb: its size in GB of 2^30 bytes.
        disk_iops: what is provisioned for a Hyperdisk; None for other disks, whose size decides.
        disk_mib_s: the same in MiB/s.
        model: `standard`, `spot` or `preemptible`.
    """

    role: str
    count: int
    machine: Machine
    disk_type: str
    disk_gb: int
    disk_iops: int | None = None
    disk_mib_s: int | None = None
    model: str = "standard"

    @property
    def key(self) -> str:
        """The config key that says what machines they are: secondary workers are what the primary ones are."""
        return f"cluster.{'workers' if self.role == 'secondary' else self.role}"


@dataclass(frozen=True)
class Nodes:
    """A cluster that was found in the cloud: what its price depends on, by the names of a config."""

    region: str
    master: config.Machine
    workers: config.Workers
    secondary: config.Secondary
    internal_ip_only: bool

    def rate(self, prices: Prices) -> Rate:
        """What it costs, see `rate`."""
        return rate(self, prices)


def groups(cluster: config.Dataproc | Nodes, further: Types) -> list[Group]:
    """The machines of a cluster: the master, and the workers and secondary workers if there are any.

    Args:
        cluster: its config, or what was found.
        further: machine types of the user's own.

    Raises:
        ConfigError: a machine type is unknown.
    """
    workers, secondary = cluster.workers, cluster.secondary
    found = [_group("master", 1, cluster.master, further)]
    if workers.count:
        found.append(_group("workers", workers.count, workers, further))
    if secondary.count:
        found.append(replace(found[-1], role="secondary", count=secondary.count, model=secondary.kind))
    return found


def _group(role: str, count: int, node: config.Machine, further: Types) -> Group:
    kind = machine(node.machine_type, further, f"cluster.{role}.machine_type")
    return Group(role, count, kind, node.disk_type, node.disk_gb, *provisioned(node))


def working(cluster: config.Dataproc, further: Types) -> Group:
    """The machines that run tasks: all workers, the secondary ones as well; of a single node, the master."""
    first, *workers = groups(cluster, further)
    return replace(workers[0], count=sum(group.count for group in workers)) if workers else first


def provisioned(node: config.Machine) -> tuple[int | None, int | None]:
    """The IOPS and MiB/s of a Hyperdisk, which are asked for so that they are known; None of another disk."""
    if node.disk_type != config.HYPERDISK:
        return None, None
    return node.disk_iops or INCLUDED_IOPS, node.disk_mib_s or INCLUDED_MIB_S


def check(cluster: config.Dataproc, further: Types) -> None:
    """Refuse machines with disks that they do not boot from, provisioned rates of disks that have none, and so on.

    Args:
        cluster: its config.
        further: machine types of the user's own.

    Raises:
        ConfigError: the first thing that is wrong, or a machine type that no cluster can have.
    """
    if cluster.secondary.count and not cluster.workers.count:
        # https://docs.cloud.google.com/dataproc/docs/concepts/compute/secondary-vms: it would add two primary ones.
        problem = "a single node has no secondary workers: Dataproc wants two primary workers or more beside them"
        hint = "set cluster.workers.count=2 or more, or cluster.secondary.count=0"
        raise ConfigError(problem, where="cluster.secondary.count", hint=hint)
    for role, node in (("master", cluster.master), ("workers", cluster.workers)):
        if role == "workers" and not cluster.workers.count:
            continue
        if found := find(node.machine_type, further, f"cluster.{role}.machine_type"):
            check_disk(found, node.disk_type, f"cluster.{role}.disk_type")
        for key in ("disk_iops", "disk_mib_s"):
            if getattr(node, key) is not None and node.disk_type != config.HYPERDISK:
                problem = f"a {node.disk_type} has the speed of its size: nothing can be provisioned for it"
                raise ConfigError(
                    problem, where=f"cluster.{role}.{key}", hint=f"leave it out, or use {config.HYPERDISK}"
                )


def demand(cluster: config.Dataproc, further: Types) -> Demand:
    """What a cluster needs of its region's quotas; see `groups` for the arguments and errors."""
    needed = Demand()
    for group in groups(cluster, further):
        vcpus, disk = group.count * group.machine.vcpus, group.count * group.disk_gb
        metric = series(group.machine.series).get("quota")
        needed += Demand(
            vcpus,
            0 if cluster.internal_ip_only else group.count,
            # Under which metric Hyperdisks count was not found; it is not one of these two.
            disk if group.disk_type in ("pd-balanced", "pd-ssd") else 0,
            disk if group.disk_type == "pd-standard" else 0,
            {metric: vcpus} if metric and group.model == "standard" else {},
            {metric or "": vcpus} if group.model != "standard" else {},
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
    hourly = {
        group.role: group.count * prices.hour(group.machine, region, group.model, f"{group.key}.machine_type")
        for group in nodes
    }
    secondary = hourly.pop("secondary", 0.0)
    monthly = sum(group.count * _disk(group, region, prices) for group in nodes)
    addresses = 0 if cluster.internal_ip_only else sum(group.count for group in nodes)
    vcpus = sum(group.count * group.machine.vcpus for group in nodes)
    return Rate(
        sum(hourly.values()),
        monthly / float(content["hours_of_a_month"]),
        addresses * float(content["address_per_hour"]),
        vcpus * float(content["dataproc_per_vcpu_hour"]),
        float(content["minimum_seconds"]),
        secondary,
    )


def _disk(group: Group, region: str, prices: Prices) -> float:
    """US dollars a month of one boot disk, with what is provisioned for it beyond what its price includes."""
    where, disks = f"{group.key}.disk_type", prices.region(region).get("disks", {})
    beyond = {
        group.disk_type: group.disk_gb,
        f"{group.disk_type}_iops": (group.disk_iops or INCLUDED_IOPS) - INCLUDED_IOPS,
        f"{group.disk_type}_mib_s": (group.disk_mib_s or INCLUDED_MIB_S) - INCLUDED_MIB_S,
    }
    for name, amount in beyond.items():
        if amount and name not in disks:
            raise prices.missing(f"{name} disks in {region}", where)
    return sum(amount * float(disks[name]) for name, amount in beyond.items() if amount)
