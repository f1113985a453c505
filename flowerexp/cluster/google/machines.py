"""Machine types of Compute Engine: what their names say, by `machines.yaml`; no service is asked."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flowerexp.errors import ConfigError, did_you_mean

_FILE = Path(__file__).with_name("machines.yaml")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one, where PyYAML has it: it is ten times as fast
_SHAPES = ("standard", "highmem", "highcpu")
_MIB = 256  # the memory of a custom type is a multiple of this


@dataclass(frozen=True)
class Machine:
    """A machine type.

    Attributes:
        name: such as `n1-standard-2`.
        series: such as `n1`.
        vcpus: their number.
        memory_gb: in GB of 2^30 bytes.
        is_custom: is it a custom type, which has prices of its own?
        extended_gb: how much of its memory is more than the series has for so many vCPUs.
    """

    name: str
    series: str
    vcpus: int
    memory_gb: float
    is_custom: bool = False
    extended_gb: float = 0.0


Types = Mapping[str, Machine]
"""Machine types by name."""


@functools.cache
def _content() -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml.load(_FILE.read_text(encoding="utf-8"), _LOADER)
    return content


def series(name: str) -> Mapping[str, Any]:
    """What `machines.yaml` says of a series; nothing of one that it does not have."""
    found: Mapping[str, Any] = _content()["series"].get(name, {})
    return found


def refusal(name: str) -> str | None:
    """Why no cluster can have machines of a type; None if one can, or that is not known."""
    return next((reason for pattern, reason in _content()["refused"].items() if re.fullmatch(pattern, name)), None)


def find(name: str, further: Types | None = None, where: str | None = None) -> Machine | None:
    """What a machine type's name says; None if it is not known.

    Args:
        name: such as `n1-standard-2`, `custom-4-16384` or `n2-custom-6-55296-ext`.
        further: machine types beside the known ones.
        where: the config key that names it, for the message.

    Raises:
        ConfigError: no cluster can have it.
    """
    if further and name in further:
        return further[name]
    if reason := refusal(name):
        hint = f"choose one of the series {', '.join(_content()['series'])}"
        raise ConfigError(f"{name} cannot be used: {reason}", where=where, hint=hint)
    return _predefined(name) or _custom(name, where)


def machine(name: str, further: Types | None = None, where: str | None = None) -> Machine:
    """The same as `find`.

    Raises:
        ConfigError: it is unknown, or no cluster can have it.
    """
    found = find(name, further, where)
    if found:
        return found
    near = did_you_mean(name, [*known(), *(further or {})])
    hint = "set budget.prices=live, or add it under machine_types to a file named by budget.prices"
    raise ConfigError(
        f"the machine type {name} is not known", where=where, hint=f"{near} Else {hint}" if near else hint
    )


def _predefined(name: str) -> Machine | None:
    match = re.fullmatch(r"([a-z]\d[a-z]?)-([a-z]+)-(\d+)", name)
    if not match or match[2] not in _SHAPES:
        return None
    shape, vcpus = series(match[1]).get(match[2]), int(match[3])
    if not shape or vcpus not in shape["vcpus"]:
        return None
    return Machine(name, match[1], vcpus, float(shape.get("gb", {}).get(vcpus, vcpus * shape["gb_per_vcpu"])))


def _custom(name: str, where: str | None) -> Machine | None:
    match = re.fullmatch(r"(?:([a-z]\d[a-z]?)-)?custom-(\d+)-(\d+)(-ext)?", name)
    if not match or (limits := series(match[1] or "n1").get("custom")) is None:
        return None
    vcpus, memory_gb, is_extended = int(match[2]), int(match[3]) / 1024, bool(match[4])
    (least, most), (low, high) = limits.get("vcpus", (2, None)), limits.get("gb_per_vcpu", (0.0, None))
    reason = ""
    if vcpus < least or (most and vcpus > most) or (vcpus > 1 and vcpus % 2):
        reason = f"it has {vcpus} vCPUs; an even number from {least}{f' to {most}' if most else ' on'} is possible"
    elif int(match[3]) % _MIB:
        reason = f"its memory of {match[3]} MB is not a multiple of {_MIB}"
    elif is_extended and not limits.get("extended", True):
        reason = "its series has no extended memory"
    elif high and not low * vcpus <= memory_gb <= (memory_gb if is_extended else high * vcpus):
        ext = ", and more with -ext behind its name" if limits.get("extended", True) else ""
        reason = f"it has {memory_gb:g} GB of memory; {low * vcpus:g} to {high * vcpus:g} are possible{ext}"
    if reason:
        raise ConfigError(f"{name} cannot be used: {reason}", where=where, hint="choose other numbers")
    extended = max(0.0, memory_gb - high * vcpus) if is_extended and high else 0.0
    return Machine(name, match[1] or "n1", vcpus, memory_gb, is_custom=True, extended_gb=extended)


def check_disk(machine: Machine, disk_type: str, where: str) -> None:
    """Refuse a disk from which a machine does not boot.

    Args:
        machine: its type; one of a series that is not known here boots from any.
        disk_type: such as `pd-ssd`.
        where: the config key that names the disk, for the message.

    Raises:
        ConfigError: it does not.
    """
    disks = series(machine.series).get("disks", [disk_type])
    if disk_type not in disks:
        problem = f"{machine.name} does not boot from {disk_type}: {machine.series.upper()} machines have {_or(disks)}"
        raise ConfigError(problem, where=where, hint=f"set {where}={disks[0]}")


def _or(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def known() -> list[str]:
    """The names of all predefined machine types that are known by themselves."""
    return [
        f"{name}-{shape}-{vcpus}"
        for name, each in _content()["series"].items()
        for shape in _SHAPES
        for vcpus in each.get(shape, {}).get("vcpus", ())
    ]


def smaller(name: str) -> list[str]:
    """The names of the machine types of the same series and class with fewer vCPUs, the largest first.

    Those with one vCPU are left out: Dataproc's images since 2.0 refuse them. A custom type and one of the user's own
    have none.
    """
    found = _predefined(name)
    return [*_smaller(found)] if found else []


def _smaller(machine: Machine) -> Iterator[str]:
    shape = machine.name.split("-")[1]
    for size in sorted(series(machine.series)[shape]["vcpus"], reverse=True):
        if 2 <= size < machine.vcpus:
            yield f"{machine.series}-{shape}-{size}"
