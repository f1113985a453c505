"""What the tests of clusters share: an empty cloud that the product finds by itself, and an observer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowerexp.cluster import JobFiles
from flowerexp.cluster.kind import kind_of
from flowerexp.config.schema import Cluster, Config
from flowerexp.rehearsal.cloud import Cloud
from flowerexp.testing import Observer
from flowerexp.testing.backend import SCOPE
from tests.rehearsal.plugin import cloud, cloud_servers

__all__ = ["SCOPE", "Observer", "cloud", "cloud_servers"]

BUCKET = "flowerexp-tests-bucket"


@pytest.fixture
def google(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The cloud, as this process's environment says."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    return cloud


@pytest.fixture
def observer() -> Observer:
    return Observer()


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
    return lambda *arguments: kind_of(cluster(*arguments)).backend()


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., JobFiles]:
    """`files(program)` is what is submitted: a script; it is a Spark job only if it makes itself one."""

    def write(program: str = "print('hello')", name: str = "job") -> JobFiles:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "job.json").write_text('{"runs": []}')
        (folder / "entry.py").write_text(program)
        (folder / "flowerexp-0123.zip").write_bytes(b"PK\x05\x06" + bytes(18))
        return JobFiles(folder, folder / "entry.py", folder / "flowerexp-0123.zip", folder / "job.json", SCOPE)

    return write
