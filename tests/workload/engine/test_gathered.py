"""Gathered rows: numbered, with their neighbours counted, and not measured twice."""

import json
import random

import pytest

from flowerexp.workload.engine.cells import planned
from flowerexp.workload.engine.declared import Subject
from flowerexp.workload.engine.gathered import Gathered
from tests.workload.engine.tiny import Lines, declared, workload


def row(order, started, seconds, host="a", started_at=None, **others):
    """A row of a measurement of cell `size=order`, in whole seconds."""
    return {
        "size": order, "repetition": 1, "order": order, "host": host, "things": 1, "seconds": seconds,
        "started_ns": started * 10**9, "ended_ns": (started + seconds) * 10**9,
        "started_at": started if started_at is None else started_at, "execution": 1, "neighbours": 0,
        "censored": False, **others,
    }  # fmt: skip


def gathered_of(rows, grid=None, earlier=(), **changes):
    gathered = Gathered(declared(grid or {"size": list(range(9))}, **changes), earlier, Lines())
    gathered.extend(rows)
    return gathered


def test_executions_of_a_task_are_numbered_by_their_start():
    rows = [row(1, 40, 1), row(0, 30, 1), row(0, 10, 1), row(1, 20, 1), row(0, 50, 1)]
    random.Random(0).shuffle(rows)
    assert [(row["execution"], row["order"], row["started_at"]) for row in gathered_of(rows).numbered()] == [
        (1, 0, 10), (1, 1, 20), (2, 0, 30), (2, 1, 40), (3, 0, 50),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "neighbours"),
    [
        ([row(0, 0, 5), row(1, 5, 5)], [0, 0]),
        ([row(0, 0, 6), row(1, 5, 5)], [1, 1]),
        ([row(0, 0, 10), row(1, 1, 1), row(2, 3, 1)], [2, 1, 1]),
        ([row(0, 0, 10), row(1, 1, 9), row(2, 2, 1)], [2, 2, 2]),
        ([row(0, 0, 5), row(1, 1, 5), row(2, 5, 5)], [1, 2, 1]),
        ([row(0, 0, 5), row(1, 0, 5, host="b")], [0, 0]),
        ([row(0, 0, 5), row(0, 1, 5)], [1, 1]),
    ],
    ids=["one after the other", "two", "one beside two", "three", "chain", "two hosts", "two executions"],
)
def test_neighbours_overlapped_on_the_same_host(rows, neighbours):
    found = sorted(gathered_of(rows).numbered(), key=lambda row: row["started_ns"])
    assert [row["neighbours"] for row in found] == neighbours


def test_nothing():
    assert gathered_of([]).numbered() == []


def test_rows_are_in_the_stream_as_they_come_and_numbered_as_far_as_is_known():
    stream = Lines()
    gathered = Gathered(declared({"size": [0, 1]}), (), stream)
    gathered.extend([row(0, 0, 5), row(1, 4, 5), row(0, 9, 1)])
    streamed = [json.loads(line) for line in stream.lines]
    assert [(row["order"], row["execution"], row["neighbours"], row["attempt"]) for row in streamed] == [
        (0, 1, 0, 1), (1, 1, 1, 1), (0, 2, 0, 1),
    ]  # fmt: skip


class TestEarlier:
    @pytest.fixture
    def folder(self, tmp_path):
        """Rows of an attempt before: sizes 0 and 1 of nine, and a stranger."""
        rows = [row(0, 0, 5), row(1, 4, 5), row(0, 20, 1, execution=2), row(99, 30, 1)]
        (tmp_path / "00001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(tmp_path)

    def test_what_they_hold_is_not_measured_again_and_all_come_out_together(self, folder, told):
        experiment = declared({"size": list(range(9))}, repetitions=1)
        gathered = Gathered(experiment, [folder], Lines())
        tasks = planned(Subject(experiment, workload(lambda *_: 1), None))
        gathered.forget(tasks)
        assert told.notes == ["1 rows of earlier attempts are left out: their cells are not measured now"]
        assert {task.cell["size"] for task in gathered.missing(tasks)} == set(range(2, 9))
        for number in range(2, 9):
            gathered.add(row(number, 100 + number, 1))
        assert gathered.missing(tasks) == []
        found = gathered.numbered()
        assert [(row["size"], row["execution"], row["attempt"]) for row in found] == [
            (0, 1, 1), (1, 1, 1), *((number, 1, 2) for number in range(2, 9)), (0, 2, 1),
        ]  # fmt: skip

    def test_attempts_do_not_overlap_each_other(self, folder):
        gathered = gathered_of([row(2, 0, 9)], earlier=[folder])
        assert {row["size"]: row["neighbours"] for row in gathered.numbered() if row["attempt"] == 2} == {2: 0}

    def test_an_attempt_that_left_nothing_counts(self, tmp_path):
        gathered = gathered_of([row(0, 0, 1)], earlier=[str(tmp_path / "a"), str(tmp_path / "b")])
        assert gathered.numbered()[0]["attempt"] == 3

    def test_earlier_rows_keep_their_attempt_and_the_next_one_is_counted_from_it(self, tmp_path):
        (tmp_path / "00001.jsonl").write_text(json.dumps(row(0, 0, 1, attempt=2)) + "\n")
        gathered = gathered_of([row(1, 0, 1)], earlier=[str(tmp_path)])
        assert {row["size"]: row["attempt"] for row in gathered.numbered()} == {0: 2, 1: 3}

    def test_forgotten_rows_count_neither_as_earlier_nor_as_censored(self, tmp_path, told):
        rows = [row(0, 0, 5), row(1, 5, 5, censored=True), row(99, 10, 5, censored=True)]
        (tmp_path / "00001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        experiment = declared({"size": [0, 1]}, repetitions=2, max_seconds=2.5)
        gathered = Gathered(experiment, [str(tmp_path)], Lines())
        tasks = planned(Subject(experiment, workload(lambda *_: 1), None))
        gathered.forget(tasks)
        assert gathered.earlier == 2
        assert [task.key for task in gathered.missing(tasks)] == [(2, 0)]
        assert {task.cell["size"] for task in gathered.uncensored(tasks)} == {0}
        gathered.report_censored()
        assert told.facts["cells_censored"] == 1


class TestCensored:
    def test_other_repetitions_of_the_cell_are_left_out_and_said(self, told):
        experiment = declared({"size": [0, 1]}, repetitions=3, max_seconds=2.5)
        gathered = Gathered(experiment, (), Lines())
        tasks = planned(Subject(experiment, workload(lambda *_: 1), None))
        gathered.add(row(0, 0, 3, size=1, censored=True))
        assert {task.key for task in gathered.missing(tasks)} == {(1, 0), (2, 0), (3, 0)}
        gathered.report_censored()
        (note,) = told.notes
        assert note.startswith("cells that took longer than measure.max_seconds (2.5 s) were stopped")
        assert note.endswith(": size=1")
        assert told.facts["cells_censored"] == 1
