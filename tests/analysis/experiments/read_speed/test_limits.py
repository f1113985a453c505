import pytest

from flowerexp.analysis.experiments.read_speed.limits import CORES, DECODE, DISK, NETWORK, Reading, against_limits

FACTS = {NETWORK: 250.0, DISK: 100.0, CORES: 4, DECODE: 900.0}


def test_over_the_network_the_lowest_of_network_and_cpu_limits():
    small = against_limits(Reading(900, 25_000, remote=True, warm=False), FACTS)
    assert small is not None
    assert small.ceilings == {"network": 10_000, "cpu": 3600}
    assert (small.limit, small.fraction) == ("cpu", 0.25)
    large = against_limits(Reading(1000, 125_000, remote=True, warm=False), FACTS)
    assert large is not None
    assert (large.limit, large.fraction) == ("network", 0.5)


@pytest.mark.parametrize(("warm", "ceilings"), [(False, {"disk", "cpu"}), (True, {"cpu"})])
def test_a_warm_page_cache_takes_the_disk_away(warm, ceilings):
    found = against_limits(Reading(900, 25_000, remote=False, warm=warm), FACTS)
    assert found is not None
    assert set(found.ceilings) == ceilings


def test_disks_count_in_mebibytes():
    found = against_limits(Reading(1, 2**20, remote=False, warm=False), {DISK: 100.0})
    assert found is not None
    assert found.ceilings == {"disk": 100.0}


def test_tasks_that_measure_at_once_share_their_host():
    found = against_limits(Reading(450, 25_000, remote=True, warm=False, tasks=4), FACTS)
    assert found is not None
    assert found.fraction == 0.5


def test_vcpus_are_those_of_all_hosts_and_a_rate_is_that_of_one():
    found = against_limits(Reading(450, 25_000, remote=True, warm=False, hosts=2), FACTS)
    assert found is not None
    assert found.ceilings["cpu"] == 1800


def test_without_facts_nothing_is_said():
    assert against_limits(Reading(900, 25_000, remote=True, warm=False), {CORES: 4}) is None
    assert against_limits(Reading(900, 25_000, remote=False, warm=False), {NETWORK: 250}) is None
