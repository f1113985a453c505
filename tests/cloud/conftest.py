"""A home whose clusters are in the cloud of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowerexp.rehearsal.cloud import Cloud
from tests.cloud.marked import Marked
from tests.rehearsal.plugin import cloud, cloud_servers

__all__ = ["cloud", "cloud_servers"]


@pytest.fixture
def marked(tmp_path: Path, cloud: Cloud) -> Iterator[Marked]:
    """A home with the marking entrypoint; whatever runs in it ends with the test."""
    made = Marked(tmp_path, cloud)
    yield made
    made.close()
