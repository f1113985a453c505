"""Which tasks waited for a measuring slot, and when: made-up logs with rows of the same measurements."""

import math
import random
from typing import Any

import pytest

from flowerexp.analysis.event_log import EventLog, read
from flowerexp.analysis.utilisation import over_time, use
from flowerexp.analysis.waiting import Span, with_waits
from tests.analysis.events import START, executor, job, task, write


def log_of(tmp_path, *events):
    return read(write(list(events), tmp_path / "events" / "app"))


def measured(pid, at, seconds, waited=0.0, host="a"):
    return Span(host, pid, START + at, seconds, waited)


def waits(log: EventLog) -> list[Any]:
    """Of each task, from when to when it waited, in seconds since the start."""
    spans = [[(since - START, until - START) for since, until in one.waits] for one in log.tasks]
    return [[pytest.approx(span, abs=0.002) for span in own] for own in spans]


def test_of_four_tasks_of_a_host_one_measures_and_the_others_wait(tmp_path):
    tasks = [task(0, "1", 0, 2.02 + 2 * place) for place in range(4)]
    log = log_of(tmp_path, executor("1", "a", 4), job(0, "measure"), *tasks)
    rows = [measured(10 + place, 0.01 + 2 * place, 2.0, waited=2.0 * place) for place in range(4)]
    found = with_waits(log, rows[::-1])
    assert waits(found) == [[], [(0, 2)], [(0, 4)], [(0, 6)]]
    _, working, waiting = over_time(found, START, START + 8, 4)
    assert working.tolist() == [pytest.approx([0.25] * 4, abs=0.01)]  # one core of four
    assert waiting.tolist() == [pytest.approx([0.75, 0.5, 0.25, 0], abs=0.01)]
    whole = use(found, found.tasks)
    assert whole is not None
    assert [whole.busy, whole.waiting] == pytest.approx([8 / 32, 12 / 32], abs=0.01)
    assert whole.parallel == pytest.approx(1, abs=0.02)


def test_a_task_that_makes_several_measurements_waits_before_each(tmp_path):
    """As where nothing is cached: two tasks take turns."""
    log = log_of(tmp_path, executor("1", "a", 2), job(0, "x"), task(0, "1", 0, 3.05), task(0, "1", 0, 4.05))
    rows = [measured(1, 0, 1), measured(2, 1, 1, waited=1), measured(1, 2, 1, waited=1), measured(2, 3, 1, waited=1)]
    assert waits(with_waits(log, rows)) == [[(1, 2)], [(0, 1), (2, 3)]]


def test_hosts_measure_side_by_side(tmp_path):
    """Two hosts at the same times, which differ in what their tasks waited for; the log knows them by longer names."""
    tasks = [task(0, name, 0, end) for name in "12" for end in (1.01, 2.01)]
    for place, one in enumerate(tasks):
        one["Task Info"]["Host"] = f"{'ab'[place // 2]}.internal"
    log = log_of(tmp_path, executor("1", "a.internal", 2), executor("2", "b.internal", 2), job(0, "x"), *tasks)
    rows = [
        measured(1, 0, 1),
        measured(2, 1, 1, waited=0.9),
        measured(1, 0, 1, host="b"),
        measured(2, 1.5, 0.5, 0.7, "b"),
    ]
    assert waits(with_waits(log, rows)) == [[], [(0, 0.9)], [], [(0, 0.7)]]


def test_a_host_that_the_log_knows_by_another_name_is_found_by_the_times(tmp_path):
    log = log_of(tmp_path, executor("1", "127.0.0.1", 2), job(0, "x"), task(0, "1", 0, 1.1), task(0, "1", 0, 2.1))
    found = with_waits(log, [measured(1, 0, 1, host="laptop"), measured(2, 1, 1, 1, host="laptop")])
    assert waits(found) == [[], [(0, 1)]]


def test_measurements_of_a_driver_and_rows_without_times_change_nothing(tmp_path):
    log = log_of(tmp_path, executor("1", "a", 2), job(0, "x"), task(0, "1", 1, 2), task(0, "1", 1, 2.5))
    assert with_waits(log, [measured(1, 0.5, 3.0, waited=0.5)]) == log  # its tasks are inside of it
    assert with_waits(log, [measured(1, 1.1, math.nan, waited=0.5)]) == log
    assert with_waits(log, []) == log


def test_no_task_waits_longer_than_it_ran_whatever_the_rows_say(tmp_path):
    log = log_of(tmp_path, executor("1", "a", 1), job(0, "x"), task(0, "1", 1, 3))
    assert waits(with_waits(log, [measured(1, 2, 0.9, waited=50)])) == [[(1, 2)]]


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_all_waiting_of_many_tasks_is_found(tmp_path, cores):
    """Tasks of one slot, in random order: while one measures, the others of its time wait."""
    chance = random.Random(cores)
    free, starts, rows, tasks = 0.0, [0.0] * cores, [], []
    for _ in range(200):
        core = min(range(cores), key=lambda place: starts[place])
        start, seconds = starts[core], chance.uniform(0.1, 1)
        begin = max(start, free)
        rows.append(measured(core, begin + 0.001, seconds, waited=begin - start))
        free = begin + 0.001 + seconds + 0.005
        starts[core] = free + 0.003
        tasks.append(task(0, "1", start, free + 0.002))
    found = with_waits(log_of(tmp_path, executor("1", "a", cores), job(0, "x"), *tasks), rows)
    expected = [row.waited if row.waited > 0.002 else 0 for row in rows]
    assert [one.waited for one in found.tasks] == pytest.approx(expected, abs=0.003)
