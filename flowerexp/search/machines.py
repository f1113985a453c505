"""Sizes of machine types by their names, as Google Compute Engine gives them: ``n2-standard-8``."""

from __future__ import annotations

import re

from flowerexp.errors import ConfigError
from flowerexp.search.candidate import Shape

MEMORY_GB = {
    "n1": {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9},
    "e2": {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0},
    "n2": {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0},
    "n2d": {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0},
    "n4": {"standard": 4.0, "highmem": 8.0, "highcpu": 2.0},
    "c2": {"standard": 4.0},
    "c2d": {"standard": 4.0, "highmem": 8.0, "highcpu": 2.0},
    "c3": {"standard": 4.0, "highmem": 8.0, "highcpu": 2.0},
    "t2d": {"standard": 4.0},
}
"""Memory for a vCPU, by series and kind; https://cloud.google.com/compute/docs/machine-resource. ``highmem`` of the
largest sizes has a little less; custom types say it in their names."""

_NAME = re.compile(r"(?P<series>[a-z]+\d[a-z]*)-(?P<kind>[a-z]+)-(?P<vcpus>\d+)")
_CUSTOM = re.compile(r"(?:(?P<series>[a-z]+\d[a-z]*)-)?custom-(?P<vcpus>\d+)-(?P<memory>\d+)(?:-ext)?")


def shape_of(machine_type: str, nodes: int, disk_class: str = "") -> Shape:
    """The shape of a cluster of machines of one type.

    Args:
        machine_type: such as ``n1-standard-8`` or ``n2-custom-4-16384``.
        nodes: those that do the work.
        disk_class: such as ``pd-ssd``.

    Raises:
        ConfigError: a type that is not known here.
    """
    if custom := _CUSTOM.fullmatch(machine_type):
        memory = int(custom["memory"]) / 1024  # the name gives MB
        return Shape(int(custom["vcpus"]), memory, nodes, custom["series"] or "n1", disk_class)
    name = _NAME.fullmatch(machine_type)
    each = MEMORY_GB.get(name["series"], {}).get(name["kind"]) if name else None
    if name is None or each is None:
        raise ConfigError(
            f"the size of machine type {machine_type} is not known",
            hint=f"give vCPUs and memory yourself, or choose from the series {', '.join(MEMORY_GB)}",
        )
    vcpus = int(name["vcpus"])
    return Shape(vcpus, vcpus * each, nodes, name["series"], disk_class)
