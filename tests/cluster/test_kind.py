"""What kinds of clusters say of a cluster: in one line, and where it is."""

import pytest

from flowerexp.cluster.kind import kind_of
from tests.cluster.configs import made


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["cluster=four_nodes"], "four_nodes: dataproc us-central1, 1 x n1-standard-2 (pd-ssd 100 GB) + "
                                 "3 x n1-standard-2 (pd-standard 666 GB)"),
        (["cluster=single_node"], "single_node: dataproc us-central1, 1 x n1-standard-8 (pd-ssd 100 GB)"),
        (["cluster=serverless"], "serverless: serverless us-central1, a driver and 2 executors of 4 vCPUs"),
        (["cluster.cores=2"], "local cores=2 memory=1g"),
        (["cluster.name=mine"], "mine: local memory=1g"),
    ],
)  # fmt: skip
def test_a_cluster_in_a_line(overrides, line):
    assert kind_of(made(*overrides).cluster).describe() == line
