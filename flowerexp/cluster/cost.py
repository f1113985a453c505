"""What clusters cost: a dated file of prices, and dollars by the hour and for some seconds."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flowerexp.cluster.google.machines import Machine, Types
from flowerexp.errors import ConfigError, did_you_mean

_SHIPPED = Path(__file__).with_name("prices.yaml")
# The C one, where PyYAML has it: it takes a tenth of the time of the other, which each plan would wait for.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
        """What a cluster costs that lives for some seconds; nothing if it was never created (0)."""
        return self.total * max(seconds, self.minimum_seconds) / 3600 if seconds > 0 else 0.0
