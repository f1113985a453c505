"""What a kind of cluster says of a cluster before anything is started: cost, quota, size, and how its jobs are run.

A kind is a subclass of `Kind` and a dataclass of its config's keys. One of another package is registered as
`flowerexp.config.kinds` says, gets a file in a folder `cluster/` of a config folder of its own, and is checked by
`flowerexp.testing.ClusterContract`.
"""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from flowerexp.cluster import Backend
from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.quota import Demand, QuotaLimits
from flowerexp.config import plain
from flowerexp.config.kinds import CLUSTERS
from flowerexp.config.redact import redacted
from flowerexp.config.schema import Cluster, Config

C = TypeVar("C", bound=Cluster)
_GB = {"k": 1 / 1024**2, "m": 1 / 1024, "g": 1.0, "t": 1024.0}

Changes = Mapping[str, Any]
"""Other values for some keys of a cluster's config: `KEY` or `KEY.KEY`."""


@dataclass(frozen=True)
class Place:
    """Where a cloud counts quotas and bills: a project and a region."""

    project: str
    region: str


@dataclass(frozen=True)
class Size:
    """How large a cluster is: what a search compares.

    Attributes:
        vcpus_per_node: of each node that runs tasks.
        memory_gb_per_node: in GB of 2^30 bytes.
        nodes: how many run tasks.
        cpu_class: such as n2; empty where that is not known.
        disk_class: such as pd-ssd.
    """

    vcpus_per_node: float
    memory_gb_per_node: float
    nodes: float
    cpu_class: str = ""
    disk_class: str = ""


class Kind(ABC, Generic[C]):
    """A kind of cluster, asked about one cluster; nothing here starts anything or asks a cloud, but `live_limits`.

    The defaults are those of a cluster outside of the cloud, which costs nothing.

    Attributes:
        config: the dataclass of its config's keys.
        start_seconds: how long a cluster is paid for beside its runs: an assumption, not a measurement.
        on_this_machine: do all of its jobs' processes run on this machine, with what is installed here?

    Args:
        cluster: a checked config's `cluster` node.
    """

    config: ClassVar[type[Cluster]]
    start_seconds: ClassVar[float] = 0.0
    on_this_machine: ClassVar[bool] = False

    def __init__(self, cluster: C) -> None:
        self.cluster = cluster

    @abstractmethod
    def backend(self) -> Backend:
        """A new backend, which runs jobs. Its module is imported here: it may need large libraries."""

    def describe(self) -> str:
        """The cluster in one line, for people."""
        kind, name = self.cluster.kind, self.cluster.name or self.cluster.kind
        values = redacted(plain(self.cluster))
        settings = [f"{key}={value}" for key, value in values.items() if key not in ("kind", "name")]
        shown = [setting for setting in settings if not setting.endswith(("=None", "={}"))]
        return " ".join([kind if kind == name else f"{name}: {kind}", *shown])

    @property
    def place(self) -> Place | None:
        """Where its quotas are counted; None for a cluster outside of the cloud."""
        return None

    def check(self, config: Config) -> None:
        """Refuse a run's config that fits no cluster of this kind.

        Args:
            config: the run's, whose cluster this is.

        Raises:
            ConfigError: it does not fit.
        """

    def notes(self, today: datetime.date) -> Iterator[str]:
        """What a plan says of the cluster beside what it costs, such as that its version is out of support.

        Args:
            today: the day of the plan.
        """
        return iter(())

    def rate(self, prices: Prices) -> Rate | None:
        """What the cluster costs; None where that is not known.

        Args:
            prices: those that the config names, with machine types of the user's own.

        Raises:
            ConfigError: a machine type, disk or region has no price.
        """
        return Rate()

    def billed(self, jobs: Sequence[Path], prices: Prices) -> float | None:
        """What its jobs have cost, in US dollars, where the cloud has measured that; None where only time shows it.

        Args:
            jobs: the folders of all its jobs, which have ended.
            prices: those that the config names.

        Raises:
            ConfigError: there is no price.
        """
        return None

    def starts(self, scripts: int) -> int:
        """How many starts a sweep pays for whose jobs run this number of scripts."""
        return 1

    def demand(self, prices: Prices) -> Demand:
        """What it needs of its place's quotas.

        Raises:
            ConfigError: a machine type is unknown.
        """
        return Demand()

    def live_limits(self) -> QuotaLimits:
        """What is left of its place's quotas now; the cloud is asked.

        Raises:
            ClusterError: the cloud does not answer.
        """
        return QuotaLimits()

    def smaller(self, limits: QuotaLimits, prices: Prices) -> Iterator[Sequence[Changes]]:
        """Ways to make it smaller, the best first; each is a list of changes to try, the smallest change first."""
        return iter(())

    def ceilings(self, prices: Prices) -> dict[str, float]:
        """What the machines that run tasks can reach at most, to be compared with what was achieved.

        Returns:
            `limit/vcpus` of all of them; where they are known `limit/network_mb_s` (10^6 bytes), and
            `limit/disk_read_mib_s` and `limit/disk_write_mib_s` (2^20 bytes) of one machine, and each with `/cluster`
            of all machines. What is not known is left out.
        """
        return {}

    def size(self, prices: Prices) -> Size | None:
        """How large it is; None where only its own master knows.

        Raises:
            ConfigError: a machine type is unknown.
        """
        return None


def kind_of(cluster: Cluster) -> Kind[Any]:
    """The kind of a cluster, asked about this one.

    Raises:
        ConfigError: the package that brings it is not installed.
    """
    kind: Kind[Any] = CLUSTERS.find(cluster.kind)(cluster)
    return kind


def gigabytes(memory: str) -> float:
    """A size in Spark's notation, such as `512m`, in GB of 2^30 bytes."""
    return int(memory[:-1]) * _GB[memory[-1].lower()]
