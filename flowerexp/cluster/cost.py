"""What clusters cost: a dated file of prices, and dollars by the hour and for some seconds."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flowerexp.cluster.google.machines import Machine, Types
from flowerexp.config.schema import LIVE, Budget, Cluster, Gcp
from flowerexp.errors import ConfigError, did_you_mean

_SHIPPED = Path(__file__).with_name("prices.yaml")
# The C one, where PyYAML has it: it takes a tenth of the time of the other, which each plan would wait for.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Prices:
    """A file of prices, see `prices.yaml`.

    Attributes:
        content: what it holds.
        source: what it is, or its path, for messages.
        machine_types: those beside the known series.
        shipped_on: the day of the prices that are not live, where the others are.
    """

    content: Mapping[str, Any]
    source: str
    machine_types: Types
    shipped_on: datetime.date | None = None

    @classmethod
    def of(cls, budget: Budget, where: Cluster | Gcp) -> Prices:
        """The prices that a config names, for one of its clusters.

        Args:
            budget: a checked config's `budget` node. With `prices: live`, Google is asked unless it was today.
            where: the cluster or place whose project is asked; without one nothing costs, and nobody is asked.

        Raises:
            ConfigError: the user's own file cannot be read.
            MissingError: `prices: live`, and Google's libraries are not installed.
            ClusterError: `prices: live`, and Google does not answer.
        """
        project = getattr(where, "project", None)
        if budget.prices == LIVE:
            return cls._live(project) if project else cls.load(None)
        return cls.load(budget.prices)

    @classmethod
    @functools.cache
    def _live(cls, project: str) -> Prices:
        from flowerexp.cluster.google import live

        shipped = cls.load(None)
        dated, regions = live.prices()
        content = _laid_over(shipped.content, {"dated": dated, "regions": regions})
        return cls(content, "live prices", live.machine_types(project), shipped.dated)

    @classmethod
    @functools.cache
    def load(cls, path: str | None = None) -> Prices:
        """The shipped prices, with those of the user's own file laid over them.

        Raises:
            ConfigError: the file cannot be read, or is not a file of prices.
        """
        shipped = yaml.load(_SHIPPED.read_text(encoding="utf-8"), _LOADER)
        if path is None:
            return cls(shipped, "the shipped prices", {})
        try:
            own = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not YAML"
            raise ConfigError(f"{path} cannot be read: {reason}", where="budget.prices") from error
        _check(own, shipped, path)
        return cls(_laid_over(shipped, own), path, dict(_machine_types(own, path)))

    @property
    def dated(self) -> datetime.date:
        """The day of the prices."""
        day: datetime.date = self.content["dated"]
        return day

    @property
    def named(self) -> str:
        """What they are, and of which day, for people."""
        rest = f", Dataproc's own as shipped on {self.shipped_on}" if self.shipped_on else ""
        return f"{self.source} of {self.dated}{rest}"

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

    def hour(self, machine: Machine, region: str, model: str = "standard", where: str | None = None) -> float:
        """US dollars an hour of one machine, without its disk and address and Dataproc's fee.

        Args:
            machine: its type.
            region: where it runs.
            model: `standard`, `spot`, or `preemptible`, which is billed as spot is.
            where: the config key that names the machine, for the message.

        Raises:
            ConfigError: it has no price of that kind there.
        """
        kind = "" if model == "standard" else f"{model} "
        listed = self.content["machine_types"].get(machine.name)
        if listed is not None:
            hourly = listed.get("per_hour" if model == "standard" else "spot_per_hour", {})
            if region not in hourly:
                raise self.missing(f"{kind}{machine.name} in {region}", where)
            return float(hourly[region])
        series = f"{machine.series}-custom" if machine.is_custom else machine.series
        each = self.region(region).get("machines", {}).get(series, {})
        each = each if model == "standard" else each.get("spot", {})
        parts = {
            "vcpu": machine.vcpus,
            "gb": machine.memory_gb - machine.extended_gb,
            "extended_gb": machine.extended_gb,
        }
        if any(amount and part not in each for part, amount in parts.items()):
            raise self.missing(f"{kind}{series} machines in {region}", where)
        return sum(amount * float(each[part]) for part, amount in parts.items() if amount)

    def missing(self, what: str, where: str | None, near: str | None = None) -> ConfigError:
        """The error that something has no price."""
        live = "" if self.shipped_on else "set budget.prices=live, or "
        hint = (
            f"{near + ' Else ' if near else ''}{live}add it to a file named by budget.prices, in the form of {_SHIPPED}"
        )
        return ConfigError(f"there is no price of {what} in {self.source} of {self.dated}", where=where, hint=hint)


def _check(own: Any, shipped: Mapping[str, Any], path: str) -> None:
    if not isinstance(own, dict):
        raise ConfigError(f"{path} holds no prices", where="budget.prices", hint=f"write it in the form of {_SHIPPED}")
    for key in own:
        if key not in shipped:
            raise ConfigError(
                f"unknown key {key} in {path}", where="budget.prices", hint=did_you_mean(str(key), shipped)
            )
    if type(own.get("dated", shipped["dated"])) is not datetime.date:
        raise ConfigError(f"dated in {path} is not a day", where="budget.prices", hint="write one such as 2026-11-23")


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
        minimum_seconds: that are charged for.
        secondary: vCPUs and memory of secondary workers, at the price of their kind.
        left_out: what costs something beside it, and has no known price.
    """

    machines: float = 0.0
    disks: float = 0.0
    addresses: float = 0.0
    fee: float = 0.0
    minimum_seconds: float = 0.0
    secondary: float = 0.0
    left_out: str = ""

    @property
    def total(self) -> float:
        """All parts together."""
        return self.machines + self.secondary + self.disks + self.addresses + self.fee

    def usd(self, seconds: float) -> float:
        """What a cluster costs that lives for some seconds; nothing if it was never created (0)."""
        return self.total * max(seconds, self.minimum_seconds) / 3600 if seconds > 0 else 0.0
