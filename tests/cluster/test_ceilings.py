"""The ceilings of clusters."""

import os

import pytest

from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
from tests.cluster.configs import made


def found(*overrides):
    return kind_of(made(*overrides).cluster).ceilings(Prices.load())


def test_of_workers_one_and_all():
    limits = found("cluster=four_nodes")
    assert limits["limit/vcpus"] == 6
    assert (limits["limit/network_mb_s"], limits["limit/network_mb_s/cluster"]) == (1250, 3750)
    assert limits["limit/disk_read_mib_s"] == pytest.approx(0.12 * 666)
    assert limits["limit/disk_read_mib_s/cluster"] == pytest.approx(3 * 0.12 * 666)


def test_a_single_node_is_its_own_worker():
    limits = found("cluster=single_node")
    assert (limits["limit/vcpus"], limits["limit/network_mb_s"]) == (8, 2000)
    assert limits["limit/disk_read_mib_s"] == pytest.approx(240 + 48)


@pytest.mark.parametrize(
    ("machine", "disk", "gb", "read", "write"),
    [
        ("n1-standard-2", "pd-standard", 5000, 240, 240),
        ("n1-standard-8", "pd-standard", 10_000, 800, 400),
        ("n1-standard-16", "pd-standard", 20_000, 1200, 400),
        ("n1-standard-1", "pd-ssd", 500, 240, 204),
        ("n1-standard-16", "pd-ssd", 20_000, 1200, 1200),
        ("e2-standard-16", "pd-balanced", 20_000, 1200, 1000),
        ("n2-standard-8", "pd-balanced", 100, 168, 168),
        ("c2-standard-16", "pd-ssd", 20_000, 600, 480),
        ("c2d-standard-112", "pd-balanced", 20_000, 1224, 408),
        ("c3-standard-22", "pd-ssd", 20_000, 800, 800),
        ("n4-standard-4", "hyperdisk-balanced", 100, 140, 140),
        ("c4-standard-8", "hyperdisk-balanced, disk_mib_s: 500", 100, 500, 500),
    ],
)
def test_a_machine_caps_its_disks(machine, disk, gb, read, write):
    limits = found(
        "cluster=single_node",
        f"cluster.master={{machine_type: {machine}, disk_type: {disk}, disk_gb: {gb}}}",
    )
    assert limits["limit/disk_read_mib_s"] == pytest.approx(read)
    assert limits["limit/disk_write_mib_s"] == pytest.approx(write)


@pytest.mark.parametrize(
    ("machine", "mb_s"),
    [("n1-standard-1", 250), ("n1-standard-4", 1250), ("n1-standard-8", 2000), ("n1-standard-16", 4000),
     ("e2-standard-2", 500), ("e2-standard-32", 2000), ("n2-standard-4", 1250), ("c3-standard-22", 2875),
     ("c4-standard-2", 1250), ("c4-standard-288", 12_500), ("n4-standard-64", 5625), ("n2-custom-10-20480", 2000)],
)  # fmt: skip
def test_the_network_of_a_machine(machine, mb_s):
    assert found("cluster=single_node", f"cluster.master.machine_type={machine}").get("limit/network_mb_s") == mb_s


def test_here_the_cores_of_this_machine():
    here = len(os.sched_getaffinity(0))
    assert found("cluster=local") == {"limit/vcpus": here}
    assert found("cluster=local", "cluster.cores=1") == {"limit/vcpus": 1}
    assert found("cluster=local_nodes", "cluster.nodes=200") == {"limit/vcpus": here}


def test_what_nobody_knows_is_left_out():
    assert found("cluster=spark_master", "cluster.master=spark://a:7077") == {}
    assert found("cluster=single_node", "cluster.master.machine_type=m1-ultramem-40") == {}
    assert found("cluster=serverless") == {"limit/vcpus": 8}
