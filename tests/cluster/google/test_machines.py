"""Machine types by name."""

import pytest

from flowerexp.cluster.google import machines
from flowerexp.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "vcpus", "memory"),
    [("n1-standard-2", 2, 7.5), ("n1-highmem-16", 16, 104), ("n1-highcpu-8", 8, 7.2), ("e2-standard-4", 4, 16),
     ("e2-highcpu-2", 2, 2), ("n2-highmem-2", 2, 16), ("n2-highmem-128", 128, 864), ("n2d-standard-224", 224, 896),
     ("c2-standard-30", 30, 120), ("c2d-highcpu-112", 112, 224), ("c3-highmem-176", 176, 1408),
     ("c3-standard-22", 22, 88), ("c4-standard-2", 2, 7), ("c4-standard-4", 4, 15), ("c4-highmem-2", 2, 15),
     ("c4-highmem-144", 144, 1116),
     ("n4-highcpu-80", 80, 160),
     ("n4d-standard-96", 96, 384)],
)  # fmt: skip
def test_what_a_name_says(name, vcpus, memory):
    """As gcloud lists them: tools/machinetypes.csv of Cyclenerd/google-cloud-pricing-cost-calculator, 2026-07-01."""
    one = machines.machine(name)
    assert (one.series, one.vcpus) == (name.partition("-")[0], vcpus)
    assert one.memory_gb == pytest.approx(memory)


@pytest.mark.parametrize(
    ("name", "series", "vcpus", "memory", "extended"),
    [("custom-4-16384", "n1", 4, 16, 0), ("custom-1-1024", "n1", 1, 1, 0), ("n2-custom-6-49152", "n2", 6, 48, 0),
     ("n2-custom-6-55296-ext", "n2", 6, 54, 6), ("n2d-custom-8-4096", "n2d", 8, 4, 0),
     ("e2-custom-2-1024", "e2", 2, 1, 0), ("n4-custom-10-40960", "n4", 10, 40, 0),
     ("custom-2-15360-ext", "n1", 2, 15, 2)],
)  # fmt: skip
def test_custom_types(name, series, vcpus, memory, extended):
    one = machines.machine(name)
    assert one == machines.Machine(name, series, vcpus, memory, is_custom=True, extended_gb=extended)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("custom-3-8192", "3 vCPUs; an even number from 1 to 96"),
        ("e2-custom-34-65536", "34 vCPUs; an even number from 2 to 32"),
        ("n2-custom-4-1000", "its memory of 1000 MB is not a multiple of 256"),
        ("custom-4-32768", "32 GB of memory; 3.6 to 26 are possible, and more with -ext"),
        ("e2-custom-4-65536-ext", "its series has no extended memory"),
        ("e2-custom-4-65536", r"64 GB of memory; 2 to 32 are possible;"),
        ("n4-custom-5-20480", "5 vCPUs; an even number from 2 on"),
        ("c3d-standard-4", "Dataproc's list of supported machine types does not have its series"),
        ("t2d-standard-4", "Dataproc's list of supported machine types does not have its series"),
        ("c4a-standard-4", "its processors are ARM"),
        ("e2-medium", "Dataproc does not support shared-core machines"),
    ],
)
def test_what_no_cluster_can_have_is_refused_with_the_reason(name, reason):
    with pytest.raises(ConfigError, match=f"^cluster.workers.machine_type: {name} cannot be used: .*{reason}"):
        machines.machine(name, where="cluster.workers.machine_type")


@pytest.mark.parametrize(
    ("name", "disks"),
    [("n1-standard-2", ["pd-standard", "pd-balanced", "pd-ssd"]),
     ("c2d-standard-2", ["pd-standard", "pd-balanced", "pd-ssd"]),
     ("c3-standard-4", ["pd-balanced", "pd-ssd", "hyperdisk-balanced"]), ("c4-standard-2", ["hyperdisk-balanced"]),
     ("n4-standard-2", ["hyperdisk-balanced"]), ("n4d-standard-2", ["hyperdisk-balanced"])],
)  # fmt: skip
def test_what_each_series_boots_from(name, disks):
    for disk in ("pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"):
        if disk in disks:
            machines.check_disk(machines.machine(name), disk, "cluster.master.disk_type")
        else:
            series = name.partition("-")[0].upper()
            with pytest.raises(
                ConfigError, match=f"{name} does not boot from {disk}: {series} machines have {disks[0]}"
            ):
                machines.check_disk(machines.machine(name), disk, "cluster.master.disk_type")


@pytest.mark.parametrize(
    "name", ["n1-standrd-2", "n1-standard-3", "e2-standard-1", "m1-ultramem-40", "c3-custom-4-8192", "n1", ""]
)
def test_an_unknown_one_says_what_to_do(name):
    with pytest.raises(ConfigError) as caught:
        machines.machine(name, where="cluster.master.machine_type")
    assert str(caught.value).startswith("cluster.master.machine_type: the machine type")
    assert "machine_types" in str(caught.value)
    assert "budget.prices" in str(caught.value)


def test_the_nearest_name_is_proposed():
    with pytest.raises(ConfigError, match="did you mean 'n1-standard-2'"):
        machines.machine("n1-standrd-2")


def test_types_of_the_user():
    one = machines.machine("c3d-standard-4", {"c3d-standard-4": machines.Machine("c3d-standard-4", "c3d", 4, 16)})
    assert (one.series, one.vcpus, one.memory_gb) == ("c3d", 4, 16)


def test_smaller_ones_leave_out_what_dataproc_refuses():
    assert machines.smaller("n1-standard-8") == ["n1-standard-4", "n1-standard-2"]
    assert machines.smaller("c3-standard-22") == ["c3-standard-8", "c3-standard-4"]
    assert machines.smaller("c3-standard-4") == machines.smaller("n2-custom-4-8192") == machines.smaller("mine") == []
