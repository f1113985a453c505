"""Machine types of Compute Engine: what their names say; no service is asked.

Sources: the tables of https://cloud.google.com/compute/docs/general-purpose-machines (N1, N2, E2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from flowerexp.errors import ConfigError, did_you_mean

# GB of memory for each vCPU, by series and class.
_MEMORY = {
    "n1": {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9},
    "n2": {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0},
    "e2": {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0},
}

# The numbers of vCPUs in which each is offered.
_SIZES = {
    "n1": {
        "standard": (1, 2, 4, 8, 16, 32, 64, 96),
        "highmem": (2, 4, 8, 16, 32, 64, 96),
        "highcpu": (2, 4, 8, 16, 32, 64, 96),
    },
    "n2": {
        "standard": (2, 4, 8, 16, 32, 48, 64, 80, 96, 128),
        "highmem": (2, 4, 8, 16, 32, 48, 64, 80, 96),
        "highcpu": (2, 4, 8, 16, 32, 48, 64, 80, 96),
    },
    "e2": {"standard": (2, 4, 8, 16, 32), "highmem": (2, 4, 8, 16), "highcpu": (2, 4, 8, 16, 32)},
}


@dataclass(frozen=True)
class Machine:
    """A machine type: its name, its series (`n1`), its vCPUs, and its memory in GB (2^30 bytes)."""

    name: str
    series: str
    vcpus: int
    memory_gb: float


Types = Mapping[str, Machine]
"""Machine types by name."""


def machine(name: str, further: Types | None = None, where: str | None = None) -> Machine:
    """What a machine type's name says.

    Args:
        name: such as `n1-standard-2`.
        further: machine types of the user's own.
        where: the config key that names it, for the message.

    Raises:
        ConfigError: it is unknown.
    """
    if further and name in further:
        return further[name]
    series, _, rest = name.partition("-")
    match = re.fullmatch(r"([a-z]+)-(\d+)", rest)
    if match and series in _MEMORY:
        shape, vcpus = match[1], int(match[2])
        if vcpus in _SIZES[series].get(shape, ()):
            return Machine(name, series, vcpus, vcpus * _MEMORY[series][shape])
    near = did_you_mean(name, [*known(), *(further or {})])
    hint = f"{near + ' Else ' if near else ''}add it under machine_types to a file named by budget.prices"
    raise ConfigError(f"the machine type {name} is not known", where=where, hint=hint)


def known() -> list[str]:
    """The names of all machine types that are known by themselves."""
    return [
        f"{series}-{shape}-{vcpus}"
        for series, shapes in _SIZES.items()
        for shape, sizes in shapes.items()
        for vcpus in sizes
    ]


def smaller(name: str) -> list[str]:
    """The names of the machine types of the same series and class with fewer vCPUs, the largest first.

    Those with one vCPU are left out: Dataproc's images since 2.0 refuse them. A type of the user's own has none.
    """
    if name not in known():
        return []
    series, shape, vcpus = name.split("-")
    return [
        f"{series}-{shape}-{size}" for size in sorted(_SIZES[series][shape], reverse=True) if 2 <= size < int(vcpus)
    ]
