"""What the kinds of cluster in Google Cloud say in common."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from flowerexp import storage
from flowerexp.cluster.google.config import GoogleCluster
from flowerexp.cluster.kind import Kind, Place
from flowerexp.cluster.quota import QuotaLimits
from flowerexp.config.paths import data_folders
from flowerexp.config.schema import Config
from flowerexp.errors import ConfigError, require

C = TypeVar("C", bound=GoogleCluster)


class GoogleKind(Kind[C]):
    """A kind of cluster in Google Cloud: it reads and writes buckets, and is limited by a region's quotas."""

    @property
    def place(self) -> Place:
        """See `Kind.place`."""
        return Place(self.cluster.project, self.cluster.region)

    def installed(self) -> None:
        """Are Google's libraries here?

        Raises:
            MachineError: they are not.
        """
        require(f"cluster={self.cluster.name}", ("google.cloud.dataproc_v1", "google.cloud.storage", "gcsfs"))

    def live_limits(self) -> QuotaLimits:
        """See `Kind.live_limits`."""
        from flowerexp.cluster.google.quotas import left

        require("quota=live", ("google.cloud.compute_v1",))
        return left(self.cluster.project, self.cluster.region)

    def check(self, config: Config) -> None:
        """See `Kind.check`: all data must be in buckets."""
        for key, path in data_folders(config).items():
            if storage.is_local(path):
                there = f"gs://{self.cluster.bucket}/{Path(path).name or 'data'}"
                problem = f"{path} is a folder of this machine, which a cluster in the cloud cannot read"
                hint = f"copy it to the bucket: gcloud storage cp -r {path} {there}, and set dataset.{key}={there}"
                raise ConfigError(problem, where=f"dataset.{key}", hint=hint)
        for key, folder in config.storage.folders.items():
            if storage.is_local(folder):
                problem = f"{folder} is a folder of this machine, where a cluster in the cloud cannot write"
                raise ConfigError(problem, where=f"storage.{key}", hint="set storage=bucket")
