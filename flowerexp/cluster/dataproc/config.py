"""The config of a cluster of the kind `dataproc`."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from flowerexp.cluster.google.config import GoogleCluster
from flowerexp.config import names
from flowerexp.config.fields import ACCOUNT, number, one_of, text


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A virtual machine of Compute Engine, and its boot disk in GB (2^30 bytes, as Compute Engine counts them)."""

    machine_type: str = text(names.MACHINE_TYPE)
    disk_type: str = one_of("pd-standard", "pd-balanced", "pd-ssd")
    disk_gb: int = number(min=10, max=65_536)


@dataclass(frozen=True, kw_only=True)
class Workers(Machine):
    """The workers of a cluster: none for a single node, else two or more."""

    count: int = number(min=0, max=1000)


@dataclass(frozen=True, kw_only=True)
class Dataproc(GoogleCluster):
    """A Dataproc cluster that is created for a sweep and deleted after it.

    `zones` are tried one after the other when one has no machines left; without any, Dataproc chooses.
    """

    zones: tuple[str, ...] = field(default=(), metadata={"unique": True, **names.ZONE})
    image_version: str = text(names.IMAGE_VERSION)
    master: Machine = MISSING
    workers: Workers = MISSING
    idle_delete_minutes: int = number(min=5, max=20_160, **ACCOUNT)
    auto_delete_minutes: int = number(min=10, max=20_160, **ACCOUNT)
