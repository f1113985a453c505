"""Snapshots of the host: differences of counters over the time between two snapshots."""

import dataclasses
import subprocess
import sys
import time

import pytest

from flowerexp.workload import host

BEFORE = host.HostSnapshot(at=10.0, cores=4, busy=100.0, own=7.0, network=1_000, disk=None, load=1.5, memory=5_000)


def test_rates_are_differences_over_the_time_between_the_looks():
    after = dataclasses.replace(BEFORE, at=12.0, busy=104.0, own=8.0, network=9_000, load=99.0, memory=1)
    assert host.between(BEFORE, after) == {
        "load_before": 1.5,
        "host_cores": 4,
        "memory_available_bytes": 5_000,
        "cpu_percent": 50.0,  # 4 s on 4 cores in 2 s
        "others_cpu_percent": 37.5,
        "net_bytes_s": 4_000.0,
        "disk_bytes_s": None,  # not counted here
    }


def test_steps_of_the_counters_do_not_add_up_to_others(monkeypatch):
    """Counters that advance in steps of 10 ms are as often too low as too high: neither is cut off."""
    after = dataclasses.replace(BEFORE, at=10.01, busy=100.0, own=7.004)
    assert host.between(BEFORE, after)["others_cpu_percent"] == pytest.approx(-10)


def test_without_psutil_there_is_nothing_to_tell(monkeypatch):
    monkeypatch.setattr(host, "psutil", None)
    assert host.snapshot() is None
    assert host.between(None, None) == {}


def test_work_of_ones_own_is_not_that_of_others():
    """A process of ours that works as long as another: the host is busy with both, and half of it is ours."""
    code = "import time; end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    before = host.snapshot()
    subprocess.run([sys.executable, "-c", code], check=True)
    end = time.process_time() + 0.4
    while time.process_time() < end:
        pass
    after = host.snapshot()
    assert before
    assert after
    assert 0.4 <= after.own - before.own < 0.7
    assert after.busy - before.busy > (after.own - before.own) + 0.35
