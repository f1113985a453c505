"""Machine types by name, and a cluster in one line."""

import pytest

from flowerexp.cluster import machines
from flowerexp.errors import ConfigError
from tests.cluster.configs import made


@pytest.mark.parametrize(
    ("name", "vcpus", "memory"),
    [("n1-standard-2", 2, 7.5), ("n1-highmem-16", 16, 104), ("n1-highcpu-8", 8, 7.2), ("e2-standard-4", 4, 16),
     ("e2-highcpu-2", 2, 2), ("n2-highmem-2", 2, 16)],
)  # fmt: skip
def test_what_a_name_says(name, vcpus, memory):
    one = machines.machine(name)
    assert (one.series, one.vcpus) == (name[:2], vcpus)
    assert one.memory_gb == pytest.approx(memory)


@pytest.mark.parametrize("name", ["n1-standrd-2", "n1-standard-3", "e2-standard-1", "c3-standard-4", "n1", ""])
def test_an_unknown_one_says_what_to_do(name):
    with pytest.raises(ConfigError) as caught:
        machines.machine(name, where="cluster.master.machine_type")
    assert str(caught.value).startswith("cluster.master.machine_type: the machine type")
    assert "machine_types" in str(caught.value)
    assert "budget.prices" in str(caught.value)


def test_the_nearest_name_is_proposed():
    with pytest.raises(ConfigError, match="did you mean 'n1-standard-2'"):
        machines.machine("n1-standrd-2")


def test_types_of_one_s_own():
    one = machines.machine("c3-standard-4", {"c3-standard-4": machines.Machine("c3-standard-4", "c3", 4, 16)})
    assert (one.series, one.vcpus, one.memory_gb) == ("c3", 4, 16)


def test_smaller_ones_leave_out_what_dataproc_refuses():
    assert machines.smaller("n1-standard-8") == ["n1-standard-4", "n1-standard-2"]
    assert machines.smaller("c3-standard-4") == []


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
    assert machines.describe(made(*overrides).cluster) == line
