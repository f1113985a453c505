"""What a cluster costs: dollars an hour from its config and a dated file of prices."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flowerexp.cluster.machines import Batch, Group, Machine, Nodes, Types, machine_groups, vcpus_of
from flowerexp.config import schema
from flowerexp.errors import ConfigError, did_you_mean

_SHIPPED = Path(__file__).with_name("prices.yaml")
# The C one, where PyYAML has it: it takes a tenth of the time of the other, which each plan would wait for.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# How long a cluster is paid for beside its runs, until measured starts are known: an assumption, not a measurement.
_START_SECONDS = {"dataproc": 120.0, "serverless": 60.0}


@dataclass(frozen=True)
class Prices:
    """A file of prices, see `prices.yaml`.

    Attributes:
        content: what it holds.
        source: its path, for messages.
        machine_types: those beside the known series.
    """

    content: Mapping[str, Any]
    source: str
    machine_types: Types

    @classmethod
    @functools.cache
    def load(cls, path: str | None = None) -> Prices:
        """The shipped prices, with those of a file of the user's laid over them.

        Raises:
            ConfigError: the file cannot be read, or is no such file.
        """
        shipped = yaml.load(_SHIPPED.read_text(encoding="utf-8"), _LOADER)
        if path is None:
            return cls(shipped, "the shipped prices", {})
        try:
            own = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no YAML"
            raise ConfigError(f"{path} cannot be read: {reason}", where="budget.prices") from error
        _check(own, shipped, path)
        return cls(_laid_over(shipped, own), path, dict(_machine_types(own, path)))

    @property
    def dated(self) -> str:
        """The day of the prices."""
        return str(self.content["dated"])

    def region(self, name: str) -> Mapping[str, Any]:
        """The prices of a region.

        Raises:
            ConfigError: there are none.
        """
        regions: Mapping[str, Mapping[str, Any]] = self.content["regions"]
        if name not in regions:
            near = did_you_mean(name, regions)
            raise self.missing(f"the region {name}", "cluster.region", near)
        return regions[name]

    def missing(self, what: str, where: str, near: str | None = None) -> ConfigError:
        """The error that something has no price."""
        hint = f"{near + ' Else ' if near else ''}add it to a file named by budget.prices, in the form of {_SHIPPED}"
        return ConfigError(f"there is no price of {what} in {self.source} of {self.dated}", where=where, hint=hint)


def _check(own: Any, shipped: Mapping[str, Any], path: str) -> None:
    if not isinstance(own, dict):
        raise ConfigError(f"{path} holds no prices", where="budget.prices", hint=f"write it in the form of {_SHIPPED}")
    for key in own:
        if key not in shipped:
            raise ConfigError(
                f"unknown key {key} in {path}", where="budget.prices", hint=did_you_mean(str(key), shipped)
            )


def _machine_types(own: Mapping[str, Any], path: str) -> Iterator[tuple[str, Machine]]:
    for name, values in (own.get("machine_types") or {}).items():
        try:
            yield name, Machine(name, name.partition("-")[0], int(values["vcpus"]), float(values["memory_gb"]))
        except (KeyError, TypeError, ValueError) as error:
            problem = f"machine_types.{name} in {path} does not say how large it is"
            hint = f"write {name}: {{vcpus: 4, memory_gb: 16, per_hour: {{us-central1: 0.2}}}}"
            raise ConfigError(problem, where="budget.prices", hint=hint) from error


def _laid_over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _laid_over(merged[key], value) if both else value
    return merged


@dataclass(frozen=True)
class Rate:
    """What a cluster costs, in US dollars an hour, by part; at least `minimum_seconds` are charged.

    Attributes:
        machines: vCPUs and memory; of a serverless batch its DCUs.
        disks: the boot disks.
        addresses: external addresses in use.
        fee: Dataproc's own.
    """

    machines: float = 0.0
    disks: float = 0.0
    addresses: float = 0.0
    fee: float = 0.0
    minimum_seconds: float = 0.0

    @property
    def total(self) -> float:
        """All parts together."""
        return self.machines + self.disks + self.addresses + self.fee

    def usd(self, seconds: float) -> float:
        """What so many seconds cost, from the creation to the deletion; nothing if it was never created (0)."""
        return self.total * max(seconds, self.minimum_seconds) / 3600 if seconds > 0 else 0.0


def rate(cluster: schema.Cluster | Nodes | Batch, prices: Prices) -> Rate | None:
    """What a cluster costs.

    Args:
        cluster: its config, or what was found in the cloud.
        prices: see `Prices.load`.

    Returns:
        Zero for clusters on this machine; None where nobody can tell, as for a Spark master that is there already.

    Raises:
        ConfigError: a machine type, disk or region has no price.
    """
    if isinstance(cluster, schema.Dataproc | Nodes):
        return _dataproc(cluster, prices)
    if isinstance(cluster, schema.Serverless | Batch):
        return _serverless(cluster, prices)
    return None if isinstance(cluster, schema.SparkMaster) else Rate()


def _dataproc(cluster: schema.Dataproc | Nodes, prices: Prices) -> Rate:
    content, region = prices.content, cluster.region
    nodes = machine_groups(cluster, prices.machine_types)
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
        own = prices.content["machine_types"][group.machine.name].get("per_hour", {})
        if region not in own:
            raise prices.missing(f"{group.machine.name} in {region}", where)
        return float(own[region])
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


def _serverless(batch: schema.Serverless | Batch, prices: Prices) -> Rate:
    """A batch: the driver and its executors, each of `cores` vCPUs with the memory that they have by default."""
    unit, dcu = prices.content["serverless"], prices.region(batch.region).get("dcu")
    if dcu is None:
        raise prices.missing(f"a serverless DCU in {batch.region}", "cluster.region")
    each = float(unit["dcu_per_vcpu"]) + float(unit["gb_per_vcpu"]) * float(unit["dcu_per_gb"])
    machines = vcpus_of(batch) * each * float(dcu)
    return Rate(machines=machines, minimum_seconds=float(prices.content["minimum_seconds"]))


def start_seconds(cluster: schema.Cluster, measured: Sequence[float] = ()) -> float:
    """How long a cluster is paid for before its first run and after its last.

    Args:
        cluster: its config.
        measured: how long its like took in earlier sweeps, in seconds; the median is taken, if there are any.

    Returns:
        Seconds; an assumption where nothing was measured, zero for clusters that nobody starts.
    """
    return statistics.median(measured) if measured else _START_SECONDS.get(cluster.kind, 0.0)
