"""What the tests of Dataproc share: an empty cloud that the product finds by itself, and somebody who is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flowerexp.cluster import JobFiles, backend
from flowerexp.config.schema import Cluster, Config
from tests.fakes.cloud import Cloud
from tests.fakes.plugin import cloud, cloud_servers

__all__ = ["cloud", "cloud_servers"]

SCOPE = "2026-11-23-15-00-00-ab12-01234567"
BUCKET = "flowerexp-tests-bucket"


@dataclass
class Told:
    """A `ClusterObserver` that remembers what it was told."""

    stopping: bool = False
    events: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    stop_at: str = ""

    def tell(self, state: str, handle: Mapping[str, Any], message: str = "") -> None:
        self.events.append((state, dict(handle), message))
        self.stopping = self.stopping or state == self.stop_at

    @property
    def states(self) -> list[str]:
        return [state for state, _, _ in self.events]


@pytest.fixture
def google(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The cloud, as this process's environment says."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    return cloud


@pytest.fixture
def life() -> Told:
    return Told()


Clusters = Callable[..., Cluster]


@pytest.fixture
def cluster(config: Callable[..., Config]) -> Clusters:
    """`cluster("four_nodes", ...)` is a cluster's checked config; by default, nothing is installed on its nodes."""

    def compose(name: str = "four_nodes", *overrides: str) -> Cluster:
        place = [f"cluster={name}", f"gcp.project={Cloud.project}", f"gcp.bucket={BUCKET}"]
        return config(*place, "cluster.packages=image", *overrides).cluster

    return compose


@pytest.fixture
def dataproc(google: Cloud, cluster: Clusters) -> Callable[..., Any]:
    """`dataproc(...)` is a new backend of that config; two of one config stand for two processes."""
    return lambda *arguments: backend(cluster(*arguments))


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., JobFiles]:
    """`files(program)` is what is submitted: a script that is no Spark job, to be quick, unless it makes itself one."""

    def write(program: str = "print('hello')", name: str = "job") -> JobFiles:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "job.json").write_text('{"runs": []}')
        (folder / "entry.py").write_text(program)
        (folder / "flowerexp-0123.zip").write_bytes(b"PK\x05\x06" + bytes(18))
        return JobFiles(folder, folder / "entry.py", folder / "flowerexp-0123.zip", folder / "job.json", SCOPE)

    return write
