"""All kinds of clusters keep the contract that ships."""

from collections.abc import Callable
from typing import Any

import pytest

from flowerexp.rehearsal.cloud import Cloud
from flowerexp.testing import BackendContract, KindContract
from tests.cluster.conftest import BUCKET

KINDS = {
    "local": [],
    "local_nodes": [],
    "spark_master": ["cluster.master='local[2]'"],
    "single_node": [],
    "eight_nodes": ["cluster.internal_ip_only=false", "cluster.secondary.count=2"],
    "serverless": [],
}


def composed(config: Callable[..., Any], name: str) -> Any:
    place = [f"gcp.project={Cloud.project}", f"gcp.bucket={BUCKET}"]
    packages = ["cluster.packages=image"] if name in ("single_node", "serverless") else []
    return config(f"cluster={name}", *place, *packages, *KINDS[name]).cluster


class TestKinds(KindContract):
    @pytest.fixture(params=KINDS)
    def cluster(self, request, config):
        return composed(config, request.param)


@pytest.mark.spark
@pytest.mark.slow
class TestBackends(BackendContract):
    @pytest.fixture(params=[name for name in KINDS if name != "eight_nodes"])
    def cluster(self, request, config):
        if request.param in ("single_node", "serverless"):
            request.getfixturevalue("google")
        return composed(config, request.param)
