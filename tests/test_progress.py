"""The bars of a terminal: their clocks go on, and the time that is left is known from the start if a plan knows it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from flowerexp.progress import Bars, Clock, Remaining


@pytest.fixture
def bars(monkeypatch):
    """`bars(runs, seconds)` makes bars whose clock is `bars.now`."""

    class Timed:
        now = 0.0

        def __call__(self, runs, seconds=None):
            console = Console(file=io.StringIO(), get_time=lambda: self.now)
            return Bars(console, runs, seconds)

    return Timed()


def clocks(made):
    return [str(Clock().render(task)) for task in made.progress.tasks]


def left(made):
    return [str(Remaining().render(task)) for task in made.progress.tasks]


def test_the_clock_of_a_phase_that_is_done_goes_on_until_the_next_one_starts_its_own(bars):
    made = bars(2)
    made.phase("measuring", 3, 3)
    bars.now = 10.0
    assert clocks(made) == ["0:00:10", "0:00:10"]
    made.phase("analysing", 0, None)
    bars.now = 15.0
    assert clocks(made) == ["0:00:15", "0:00:05"]
    made.phase("measuring", 0, 3)
    made.phase("measuring", 2, 3)
    bars.now = 17.0
    assert clocks(made) == ["0:00:17", "0:00:02"]


def test_the_clock_of_a_single_run_is_that_of_all_of_it(bars):
    made = bars(1)
    made.phase("preparing", 5, 5)
    bars.now = 10.0
    made.phase("measuring", 0, 12)
    bars.now = 12.0
    assert clocks(made)[1] == "0:00:12"


def test_the_time_that_is_left_is_known_from_the_start_and_then_by_the_runs_that_ended(bars):
    made = bars(4, 100.0)
    assert left(made)[0] == "0:01:40"
    bars.now = 30.0
    assert left(made)[0] == "0:01:10"
    made.ended("runs")
    bars.now = 60.0
    made.ended("runs")
    assert left(made)[0] == "0:01:00"
    assert left(bars(4))[0] == "-:--:--"
