"""The signals that stop a sweep: the first is remembered, and what comes after it does not end the cleaning up."""

from __future__ import annotations

import os
import signal

import pytest

from flowerexp.orchestrate.interrupt import Interrupt


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may themselves run under nohup
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_is_remembered(number):
    with Interrupt() as interrupt:
        interrupt.raise_if_came()
        os.kill(os.getpid(), number)
        with pytest.raises(KeyboardInterrupt):
            interrupt.raise_if_came()


def test_a_closed_terminal_sends_it_more_than_once():
    with Interrupt():
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)  # while clusters are deleted


def test_under_nohup_it_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGHUP)
        interrupt.raise_if_came()


def test_without_a_signal_all_is_as_before():
    before = signal.getsignal(signal.SIGHUP)
    with Interrupt():
        pass
    assert signal.getsignal(signal.SIGHUP) is before
