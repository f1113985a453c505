"""Executors that are lost while measurements are made: the measurements are discarded, counted, and made again."""

from types import SimpleNamespace
from typing import Any

import pytest

from flowerexp.errors import MachineError
from flowerexp.workload import executors, host
from flowerexp.workload.engine import in_driver, losses
from flowerexp.workload.engine.cells import planned
from flowerexp.workload.engine.declared import Subject
from flowerexp.workload.engine.gathered import Gathered
from flowerexp.workload.engine.losses import Loss
from flowerexp.workload.engine.stream import Stream, read
from tests.workload.engine.losing import run_losing
from tests.workload.engine.test_gathered import row
from tests.workload.engine.tiny import Lines, declared, workload


@pytest.fixture
def run(tmp_path):
    """`run(where)` measures on two executors, one of which is killed; returns the run's status and rows."""

    def run(where, caching):
        ended = run_losing(tmp_path, where, caching=caching)
        return ended.status(), ended.rows()

    return run


@pytest.mark.spark
@pytest.mark.long
@pytest.mark.parametrize(("where", "caching"), [("driver", True), ("executor", False)])
def test_a_measurement_during_which_an_executor_is_killed_is_made_again(run, where, caching):
    status, rows = run(where, caching=caching)
    assert (status["state"], status["error"]) == ("finished", None)
    firsts = [row for row in rows if row["execution"] == 1]
    assert sorted((row["size"], row["repetition"]) for row in firsts) == [(s, r) for s in (1, 2, 3) for r in (1, 2)]
    discarded = {(row["size"], row["repetition"]): row["discarded"] for row in firsts if row.get("discarded")}
    assert discarded[2, 2] == 1
    assert status["facts"]["measurements_discarded"] == sum(discarded.values())
    (note,) = [note for note in status["notes"] if "discarded" in note]
    assert "was lost" in note
    assert max(row["seconds"] for row in firsts) < 30  # the one that slept is not among them
    assert not any("executors_lacking" in row for row in rows)  # Spark has started another executor
    if where == "driver":
        assert {row["things"] for row in firsts} == {40}
        assert list(discarded) == [(2, 2)]


def loss(at, executor="1"):
    return Loss(executor, "w-1", at, "the machine was taken back")


class TestGathered:
    @pytest.fixture
    def tasks(self):
        return planned(Subject(declared({"size": [0, 1, 2]}, repetitions=1), workload(print), None))

    @pytest.fixture
    def gathered(self, tmp_path):
        with Stream(str(tmp_path), keep=False) as stream:
            yield Gathered(declared({"size": [0, 1, 2]}, repetitions=1), (), stream)

    def test_rows_of_that_time_are_missing_again_and_the_next_one_says_so(self, gathered, tasks, told):
        gathered.extend([row(0, 0, 5), row(1, 10, 5, discarded=2), row(2, 20, 5)])
        gathered.discard_during([loss(12), loss(17, "2")])
        assert [task.cell["size"] for task in gathered.missing(tasks)] == [1]
        gathered.add(row(1, 30, 5))
        gathered.report_discarded()
        assert [(row["order"], row.get("discarded")) for row in gathered.numbered()] == [(0, None), (1, 3), (2, None)]
        assert told.facts["measurements_discarded"] == 3
        (note,) = told.notes
        assert note.startswith("3 measurements were discarded and made again: executor 1 on w-1 was lost (the machine")

    def test_a_later_execution_leaves_the_first_one_as_it_is(self, gathered, tasks):
        gathered.extend([row(0, 0, 5), row(1, 10, 5), row(2, 20, 5), row(1, 30, 5)])
        gathered.discard_during([loss(31)])
        assert gathered.missing(tasks) == []
        assert len(gathered.rows) == 3

    def test_a_cell_that_was_stopped_while_it_was_disturbed_is_measured_again(self, gathered, tasks):
        gathered.add(row(1, 10, 5, censored=True))
        gathered.discard_during([loss(12)])
        assert len(gathered.missing(tasks)) == 3

    def test_without_a_loss_nothing_is_said(self, gathered, told):
        gathered.add(row(0, 0, 5))
        gathered.discard_during([])
        gathered.report_discarded()
        assert (told.facts, told.notes) == ({}, [])

    def test_what_was_written_already_does_not_count_for_a_run_that_is_resumed(self, tmp_path, told):
        with Stream(str(tmp_path), keep=False) as stream:
            gathered = Gathered(declared({"size": [0, 1, 2]}), (), stream)
            gathered.extend([row(0, 0, 5), row(1, 10, 5)])
            while not read([str(tmp_path / "rows")], ()):
                pass
            gathered.add(row(2, 11, 5))
            gathered.discard_during([loss(12)])
        assert [row["order"] for row in read([str(tmp_path / "rows")], ())] == [0]


def test_too_many_losses_say_what_to_do():
    tasks = planned(Subject(declared({"size": [7]}, repetitions=1), workload(print), None))
    error = losses.given_up(tasks, str(loss(1)))
    assert isinstance(error, MachineError)
    assert "size=7 was discarded 5 times; the last time executor 1 on w-1 was lost" in str(error)
    assert "cluster.secondary.kind=standard" in str(error)


def test_only_what_is_lost_from_now_on_counts(monkeypatch):
    def executor(number, gone):
        option = SimpleNamespace(isDefined=lambda: False)
        answers = {"id": number, "isActive": not gone, "hostPort": "h:1", "removeTime": option, "removeReason": option}
        return SimpleNamespace(**{name: lambda value=value: value for name, value in answers.items()})

    there = [executor("1", gone=True), executor("2", gone=False)]
    monkeypatch.setattr(executors, "in_driver", lambda _: False)
    monkeypatch.setattr(executors, "summaries", lambda _, active: there)
    bus = SimpleNamespace(waitUntilEmpty=lambda: None)
    context = SimpleNamespace(_jsc=SimpleNamespace(sc=lambda: SimpleNamespace(listenerBus=lambda: bus)))
    watch = losses.Watch(context)
    assert watch.lost() == []
    there[1] = executor("2", gone=True)
    assert [str(one) for one in watch.lost()] == ["executor 2 on h was lost (Spark does not say why)"]
    assert watch.lost() == []


class TestInDriver:
    """Measurements of the driver, without Spark: `made` says what each attempt gives, a row or an exception."""

    @pytest.fixture
    def driver(self, monkeypatch, told):
        state = SimpleNamespace(made=[], lost=[], lacking=0, recovered=0)

        def measured(subject, task, place):
            given = state.made.pop(0)
            if isinstance(given, Exception):
                raise given
            return given

        def wait(_):
            state.recovered += 1
            return "1 executors with 1 cores, not 2 executors, started within 120 s" if state.lacking else ""

        monkeypatch.setattr(in_driver, "measured", measured)
        monkeypatch.setattr(host, "Family", lambda _: None)
        for name, stub in (("in_driver", lambda _: False), ("is_gone", lambda _: False), ("wait", wait),
                           ("wait_until_idle", lambda _: None), ("lacking", lambda _: state.lacking)):  # fmt: skip
            monkeypatch.setattr(executors, name, stub)
        subject = Subject(declared({"size": [0]}, repetitions=1, caching=False), workload(print), None)
        state.gathered = Gathered(subject.experiment, (), Lines())
        state.task = planned(subject)[0]
        watch: Any = SimpleNamespace(lost=lambda: state.lost.pop(0) if state.lost else [])
        context = SimpleNamespace(cancelJobGroup=print)
        state.driver = in_driver._Driver(context, subject, state.gathered, watch)
        return state

    def test_a_measurement_that_is_disturbed_again_and_again_is_given_up(self, driver):
        driver.made = [row(0, start, 1) for start in range(9)]
        driver.lost = [[], *([[loss(0.5)], []] * 9)]
        with pytest.raises(MachineError, match=r"size=0 was discarded 5 times; .* executor 1 on w-1 was lost"):
            driver.driver.make(driver.task)
        assert len(driver.made) == 9 - losses.MOST
        assert driver.gathered.rows == []

    def test_one_that_fails_because_an_executor_is_lost_is_made_again(self, driver):
        driver.made = [RuntimeError("FetchFailed"), row(0, 1, 1)]
        driver.lost = [[], [loss(0.5)]]
        driver.driver.make(driver.task)
        (kept,) = driver.gathered.rows
        assert (kept["started_at"], kept["discarded"], driver.recovered) == (1, 1, 1)

    def test_one_that_fails_by_itself_fails_the_run(self, driver):
        driver.made = [RuntimeError("a mistake"), row(0, 1, 1)]
        with pytest.raises(RuntimeError, match="a mistake"):
            driver.driver.make(driver.task)

    def test_tasks_that_failed_and_were_repeated_took_time_that_does_not_count(self, driver, told):
        driver.made = [row(0, 0, 9, spark_failed_tasks=2), row(0, 10, 1, spark_failed_tasks=0)]
        driver.driver.make(driver.task)
        (kept,) = driver.gathered.rows
        assert (kept["seconds"], kept["discarded"]) == (1, 1)
        assert "spark_failed_tasks" not in kept
        driver.gathered.report_discarded()
        assert told.notes == ["1 measurement was discarded and made again: 2 tasks failed and were repeated"]

    def test_a_loss_between_measurements_is_recovered_from_and_discards_nothing(self, driver, told):
        driver.made = [row(0, 5, 1)]
        driver.lost = [[loss(0.5)]]
        driver.driver.make(driver.task)
        assert driver.recovered == 1
        assert "discarded" not in driver.gathered.rows[0]
        driver.gathered.report_discarded()
        assert told.notes[-1].startswith("while nothing was measured: executor 1 on w-1 was lost")

    def test_measurements_of_fewer_executors_say_so_until_the_others_are_back(self, driver, told):
        driver.made = [row(0, 0, 1), row(0, 5, 1), row(0, 9, 1)]
        driver.lost, driver.lacking = [[], [loss(0.5)]], 1
        driver.driver.make(driver.task)
        assert driver.gathered.rows[-1]["executors_lacking"] == 1
        assert told.notes == ["1 executors with 1 cores, not 2 executors, started within 120 s"]
        driver.lacking = 0
        driver.driver.make(driver.task)
        assert "executors_lacking" not in driver.gathered.rows[-1]
