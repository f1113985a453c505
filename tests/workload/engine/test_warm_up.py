"""Warm-up: a process is warm before the first measurement of a series."""

import gc
import time
from types import SimpleNamespace

import pytest

from flowerexp.workload.engine import warm_up
from flowerexp.workload.engine.cells import planned
from flowerexp.workload.engine.declared import Subject
from flowerexp.workload.engine.warm_up import WarmUp, is_steady, settle
from tests.workload.engine.tiny import declared, workload


@pytest.mark.parametrize(
    ("seconds", "steady"),
    [
        ([5, 5, 5, 5], True),
        ([9, 5, 5, 5], False),  # the second was faster than all before it, and is one of the last three
        ([5, 5, 5], None),  # too few to tell
        ([], None),
        ([9, 5, 5, 4], False),
        ([9, 8, 7, 6, 5, 4], False),
        ([9, 4, 5, 4.5, 4], True),
        ([9, 4, 5, 4.5, 3.9], True),  # by less than a twentieth
        ([9, 4, 8, 9, 8], True),  # neighbours make work slower, and no process cold
    ],
)
def test_a_process_is_warm_when_work_stops_getting_faster(seconds, steady):
    assert is_steady(seconds) is steady


@pytest.fixture
def work(monkeypatch):
    """Work that takes the next of `work.seconds` each time, and the last of them for ever; `work.done` says on what."""
    work = SimpleNamespace(done=[], seconds=[1.0], now=0)

    def do(prepared, cell):
        work.done.append(cell.key)
        work.now += int(work.seconds[min(len(work.done), len(work.seconds)) - 1] * 1e9)

    work.do = do
    monkeypatch.setattr(time, "perf_counter_ns", lambda: work.now)
    monkeypatch.setattr(warm_up, "_warm", {})
    monkeypatch.setattr(gc, "freeze", lambda: None)
    return work


def settled(of, where=0, **changes):
    subject = Subject(declared(warm_up_seconds=2.0, **changes), of, None)
    return settle(subject, planned(subject)[where])


def test_the_first_cell_of_the_series_is_measured_until_that_gets_no_faster(work):
    work.seconds = [0.3, 0.1, 0.05, 0.05, 0.05, 0.05]
    assert settled(workload(work.do)) == WarmUp(6, True)
    assert set(work.done) in ({("a", 1)}, {("b", 1)})


def test_once_for_each_series(work):
    work.seconds = [0.1]
    for where in range(6):
        assert settled(workload(work.do), where) == WarmUp(4, True)
    assert sorted(work.done) == [("a", 1)] * 4 + [("b", 1)] * 4


def test_or_for_each_warmth(work):
    work.seconds = [0.1]
    for where in range(6):
        settled(workload(work.do, warmth=lambda prepared, cell: "the same"), where)
    assert work.done == [("a", 1)] * 4


def test_a_workload_has_work_of_its_own_for_it(work):
    work.seconds = [0.1]
    settled(workload(lambda *_: pytest.fail("measured"), warm=work.do, ready=lambda *_: pytest.fail("made ready")))
    assert len(work.done) == 4


def test_making_ready_is_not_timed(work):
    def ready(prepared, cell):
        work.now += 10**9

    work.seconds = [0.1]
    assert settled(workload(work.do, ready=ready)) == WarmUp(4, True)


def test_what_never_settles_is_given_up_and_told(work):
    work.seconds = [0.9**number * 0.2 for number in range(99)]
    found = settled(workload(work.do))
    assert found.steady is False
    assert 4 < found.count <= 20


def test_slow_work_is_given_up_after_a_while_and_nothing_is_said_of_it(work):
    work.seconds = [0.8]
    assert settled(workload(work.do)) == WarmUp(3, None)


def test_no_time_is_no_warm_up(work):
    subject = Subject(declared(warm_up_seconds=0), workload(work.do), None)
    assert settle(subject, planned(subject)[0]) == WarmUp(0, None)
    assert work.done == []
