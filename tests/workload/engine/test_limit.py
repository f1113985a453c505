"""The clock, and the limit that ends work in Python; test_run has work in Spark's Java process."""

import signal
import time
from types import SimpleNamespace

import pytest

from flowerexp.workload.engine import limit
from flowerexp.workload.engine.limit import clocked

LONG = 60.0  # nothing lasts as long, since the limit ends it


def test_what_is_timed_is_the_work_alone(monkeypatch):
    now = SimpleNamespace(ns=5)
    monkeypatch.setattr(time, "perf_counter_ns", lambda: now.ns)

    def work():
        now.ns += 2_500_000_000
        return "done"

    clock = clocked(work)
    assert (clock.result, clock.started_ns, clock.seconds, clock.censored) == ("done", 5, 2.5, False)


def test_work_that_ends_in_time_is_left_alone():
    before = signal.getsignal(signal.SIGALRM)
    clock = clocked(lambda: 7, LONG)
    assert (clock.result, clock.censored) == (7, False)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_sleep_is_ended():
    clock = clocked(lambda: time.sleep(LONG), 0.05)
    assert (clock.result, clock.censored) == (None, True)
    assert 0.05 <= clock.seconds < LONG / 2


def test_so_is_work_that_catches_what_ends_it(monkeypatch):
    monkeypatch.setattr(limit, "_AGAIN_SECONDS", 0.01)
    rings: list[BaseException] = []

    def stubborn():
        while len(rings) < 3:
            try:
                time.sleep(LONG)
            except BaseException as error:
                rings.append(error)
        time.sleep(LONG)

    assert clocked(stubborn, 0.01).censored
    assert len(rings) == 3
    assert not any(isinstance(error, Exception) for error in rings)  # work may catch those


def test_an_error_of_the_work_is_its_own():
    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        clocked(fails, LONG)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_raised_also_when_the_limit_is_reached(error):
    def interrupted():
        try:
            time.sleep(LONG)
        finally:
            raise error

    with pytest.raises(error):
        clocked(interrupted, 0.01)


def test_a_limit_that_is_reached_after_the_end_changes_nothing(monkeypatch):
    set_timer = signal.setitimer

    def late(which, seconds, interval=0.0):
        if not seconds:  # before the timer is turned off
            signal.raise_signal(signal.SIGALRM)
        return set_timer(which, seconds, interval)

    monkeypatch.setattr(signal, "setitimer", late)
    clock = clocked(lambda: 7, LONG)
    assert (clock.result, clock.censored) == (7, False)


def test_what_threads_have_started_in_java_is_cancelled_at_the_end():
    cancelled = []
    assert clocked(lambda: time.sleep(LONG), 0.01, lambda: cancelled.append(True)).censored
    assert cancelled == [True]
    clocked(lambda: 1, LONG, lambda: cancelled.append(True))
    assert cancelled == [True]


def test_while_work_waits_for_java_that_is_cancelled_and_no_exception_is_raised_there(monkeypatch):
    cancelled: list[bool] = []
    monkeypatch.setattr(limit, "_waits_for_java", lambda frame: not cancelled)

    def work():
        while not cancelled:
            time.sleep(0.001)
        return "the connection is whole"

    clock = clocked(work, 0.01, lambda: cancelled.append(True))
    assert (clock.result, clock.censored) == (None, True)


def test_without_a_way_to_cancel_it_work_in_java_is_ended_by_an_exception(monkeypatch):
    monkeypatch.setattr(limit, "_waits_for_java", lambda frame: True)
    clock = clocked(lambda: time.sleep(LONG), 0.01)
    assert clock.censored
    assert clock.seconds < LONG / 2


def frame(*files):
    """The innermost of some frames, given the files of their code from the outermost inwards."""
    innermost = None
    for file in files:
        innermost = SimpleNamespace(f_code=SimpleNamespace(co_filename=file), f_back=innermost)
    return innermost


def test_work_waits_for_java_if_py4j_is_anywhere_on_the_stack():
    assert limit._waits_for_java(frame("script.py", "/lib/py4j/java_gateway.py", "/lib/python3.11/socket.py"))
    assert not limit._waits_for_java(frame("script.py", "/lib/python3.11/socket.py"))
    assert not limit._waits_for_java(None)
