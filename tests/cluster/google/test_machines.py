"""Machine types by name."""

import pytest

from flowerexp.cluster.google import machines
from flowerexp.errors import ConfigError


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


def test_types_of_the_user():
    one = machines.machine("c3-standard-4", {"c3-standard-4": machines.Machine("c3-standard-4", "c3", 4, 16)})
    assert (one.series, one.vcpus, one.memory_gb) == ("c3", 4, 16)


def test_smaller_ones_leave_out_what_dataproc_refuses():
    assert machines.smaller("n1-standard-8") == ["n1-standard-4", "n1-standard-2"]
    assert machines.smaller("c3-standard-4") == []
