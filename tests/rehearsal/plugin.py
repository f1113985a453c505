"""The fixture `cloud`; register it in a conftest.py: `from tests.rehearsal.plugin import cloud, cloud_servers`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from flowerexp.rehearsal.cloud import Cloud

# gcsfs decides at its import, once, whether to ask an API that no emulator has: tests that use it in this process need
# the variable before that. Child processes get it from `Cloud.environment`.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")


@pytest.fixture(scope="session")
def cloud_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The two servers, started once; use `cloud`."""
    with Cloud(tmp_path_factory.mktemp("cloud")) as servers:
        yield servers


@pytest.fixture
def cloud(cloud_servers: Cloud) -> Iterator[Cloud]:
    """An empty cloud of the test's own, which fails it if a request of the product did not keep to its definition."""
    cloud_servers.reset()
    yield cloud_servers
    wrong = cloud_servers.wrong()
    cloud_servers.reset()
    assert wrong == []
