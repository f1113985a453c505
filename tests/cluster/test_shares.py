"""Whose share of a cluster's bill is what."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowerexp.cluster.cost import Rate
from flowerexp.cluster.shares import shares

HOURLY = Rate(machines=3600.0, minimum_seconds=60)  # a dollar a second


def test_own_time_start_and_idle():
    bill = shares(HOURLY, alive=300, start=100, runs={"a": 30, "b": 90})
    assert bill.runs == pytest.approx({"a": 30, "b": 90})
    assert (bill.start, bill.idle) == pytest.approx((100, 80))
    share = bill.share("b")
    assert (share.own, share.start, share.idle) == pytest.approx((90, 75, 60))


def test_side_by_side_they_do_not_cost_more_than_the_cluster():
    bill = shares(HOURLY, alive=200, start=100, runs={"a": 100, "b": 300})
    assert bill.runs == pytest.approx({"a": 25, "b": 75})
    assert bill.idle == pytest.approx(0)


def test_what_makes_up_the_minute_is_idle():
    bill = shares(HOURLY, alive=10, start=10, runs={})
    assert (bill.start, bill.idle) == pytest.approx((10, 50))


@settings(max_examples=50)
@given(
    alive=st.floats(0, 1e6),
    start=st.floats(0, 1e6),
    runs=st.dictionaries(st.text(max_size=2), st.floats(0, 1e5), min_size=1, max_size=5),
)
def test_nothing_is_lost(alive, start, runs):
    bill = shares(HOURLY, alive, start, runs)
    assert bill.total == pytest.approx(HOURLY.usd(alive), abs=1e-6)
    assert min(bill.start, bill.idle, *bill.runs.values()) >= 0
    parts = [bill.share(run) for run in runs]
    assert sum(one.own + one.start + one.idle for one in parts) == pytest.approx(bill.total, abs=1e-6)
