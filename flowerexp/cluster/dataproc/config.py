"""The config of a cluster of the kind `dataproc`."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from flowerexp.cluster.google.config import GoogleCluster
from flowerexp.config import names
from flowerexp.config.fields import ACCOUNT, number, one_of, optional, text

HYPERDISK = "hyperdisk-balanced"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A virtual machine of Compute Engine, and its boot disk in GB (2^30 bytes, as Compute Engine counts them).

    Attributes:
        machine_type: a predefined or custom type.
        disk_type: of the boot disk; which ones a machine boots from depends on its series.
        disk_gb: its size.
        disk_iops: what is provisioned for a hyperdisk-balanced; None is what its price includes.
        disk_mib_s: the same in MiB/s.
    """

    machine_type: str = text(names.MACHINE_TYPE)
    disk_type: str = one_of("pd-standard", "pd-balanced", "pd-ssd", HYPERDISK)
    disk_gb: int = number(min=10, max=65_536)
    # https://docs.cloud.google.com/compute/docs/disks/hd-types/hyperdisk-balanced
    disk_iops: int | None = field(default=None, metadata={"min": 3000, "max": 160_000})
    disk_mib_s: int | None = field(default=None, metadata={"min": 140, "max": 2400})


@dataclass(frozen=True, kw_only=True)
class Workers(Machine):
    """The workers of a cluster: none for a single node, else two or more."""

    count: int = number(min=0, max=1000)


@dataclass(frozen=True, kw_only=True)
class Secondary:
    """Workers beside the primary ones: the same machines with the same disks, which compute and keep no data of HDFS.

    Attributes:
        count: their number.
        kind: `spot` and `preemptible` machines are cheaper and may be taken back at any time, preemptible ones after
            24 hours at the latest; `standard` machines stay.
        wait_seconds: how long a job waits for all of the cluster's executors, since these workers come after the
            cluster is there. A job that has fewer then says so, and measures with those.
    """

    count: int = field(default=0, metadata={"min": 0, "max": 1000})
    kind: str = field(default="spot", metadata={"choices": ("spot", "preemptible", "standard")})
    wait_seconds: int = field(default=300, metadata={"min": 1, "max": 3600})

    @property
    def may_be_taken(self) -> bool:
        """May Google take them back?"""
        return self.count > 0 and self.kind != "standard"


@dataclass(frozen=True, kw_only=True)
class Dataproc(GoogleCluster):
    """A Dataproc cluster that is created for a sweep and deleted after it.

    Attributes:
        zones: tried one after the other when one has no machines left; without any, Dataproc chooses.
        image_version: of Dataproc's images.
        master: its machine, which does the work as well where there are no workers.
        workers: the primary ones.
        secondary: further ones, which may be cheaper, and taken back.
        autoscaling_policy: the id of a policy of the project and region; None for a cluster that keeps its size.
        idle_delete_minutes: after this time without a job it deletes itself.
        auto_delete_minutes: after this time it deletes itself in any case.
    """

    zones: tuple[str, ...] = field(default=(), metadata={"unique": True, **names.ZONE})
    image_version: str = text(names.IMAGE_VERSION)
    master: Machine = MISSING
    workers: Workers = MISSING
    secondary: Secondary = field(default_factory=Secondary)
    autoscaling_policy: str | None = optional(names.AUTOSCALING_POLICY)
    idle_delete_minutes: int = number(min=5, max=20_160, **ACCOUNT)
    auto_delete_minutes: int = number(min=10, max=20_160, **ACCOUNT)
