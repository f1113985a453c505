"""One measurement: the result of `measure` becomes columns, or a clear error."""

import json

import numpy as np
import pytest

from flowerexp.errors import JobError
from flowerexp.workload import host, slots
from flowerexp.workload.engine.cells import planned
from flowerexp.workload.engine.declared import Subject
from flowerexp.workload.engine.measurement import measured
from tests.workload.engine.tiny import declared, workload


@pytest.fixture(autouse=True)
def own_slots(monkeypatch, tmp_path):
    monkeypatch.setattr(slots, "folder", lambda: tmp_path)


def row_of(result, grid=None, **changes):
    """The row of a measurement that returns this."""
    experiment = declared({"kind": ["a"], "size": [4]} if grid is None else grid, **changes)
    subject = Subject(experiment, workload(lambda prepared, cell: result), None)
    return measured(subject, planned(subject)[0])


def test_a_row_says_what_was_measured_and_how():
    row = row_of({"things": 8, "extra": 1.5, "text": "x", "flag": True, "none": None})
    assert {name: row[name] for name in ("kind", "size", "repetition", "execution", "order")} == {
        "kind": "a", "size": 4, "repetition": 1, "execution": 1, "order": 0,
    }  # fmt: skip
    assert [row[name] for name in ("things", "extra", "text", "flag", "none")] == [8, 1.5, "x", True, None]
    assert row["seconds"] == (row["ended_ns"] - row["started_ns"]) / 1e9
    assert (row["censored"], row["neighbours"], row["warm_ups"], row["warm_up_steady"]) == (False, 0, 0, None)
    assert set(host.COLUMNS) < row.keys()
    json.dumps(row, allow_nan=False)


def test_without_psutil_rows_lack_what_the_host_did(monkeypatch):
    monkeypatch.setattr(host, "psutil", None)
    assert not set(host.COLUMNS) & row_of(3).keys()


@pytest.mark.parametrize("count", [8, np.int64(8), 8.0, np.float32(8)])
def test_a_number_is_the_count(count):
    row = row_of(count)
    assert row["things"] == 8
    json.dumps(row)


def test_the_count_has_the_column_that_is_declared():
    assert row_of(8, column="all_things")["all_things"] == 8
    assert row_of({"all_things": 8}, column="all_things")["all_things"] == 8


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"thing": 3}, "which lacks 'things'"),
        ({}, "which lacks 'things'"),
        (0, "counts nothing"),
        (-1, "counts nothing"),
        ({"things": 0}, "counts nothing"),
        ({"things": "3"}, "counts nothing"),
        ({"things": True}, "counts nothing"),
        ({"things": None}, "counts nothing"),
        (float("nan"), "'things' is not a number"),
        (float("inf"), "'things' is not a number"),
        (None, "neither a number nor a dict"),
        (True, "neither a number nor a dict"),
        ("3", "neither a number nor a dict"),
        ([3], "neither a number nor a dict"),
        ({"things": 1, "more": [2]}, "'more' is not a number, text, boolean or null"),
        ({"things": 1, "more": float("nan")}, "'more' is not"),
        ({"things": 1, 2: 3}, "2 is not"),
        ({"things": 1, "seconds": 2.0}, "'seconds' is the framework's column"),
        ({"things": 1, "size": 4}, "'size' is the framework's column"),
        ({"things": 1, "cpu_percent": 4}, "'cpu_percent' is the framework's column"),
    ],
)
def test_what_is_no_result_is_refused_by_name(result, said):
    with pytest.raises(JobError) as caught:
        row_of(result)
    message = str(caught.value)
    assert message.startswith("entrypoint.script: tiny: measure returned ")
    assert said in message
    assert "for kind=a, size=4, repetition 1" in message
    assert str(result) in message


def test_a_parameter_with_the_name_of_the_count_has_its_value():
    assert row_of(4, {"things": [4]})["things"] == 4
    with pytest.raises(
        JobError, match=r"the parameter 'things' has the same name and another value; .*entrypoint\.column"
    ):
        row_of(5, {"things": [4]})


def test_measure_gets_what_ready_returned_and_the_clock_leaves_that_out(monkeypatch):
    seen = []

    def ready(prepared, cell):
        seen.append(("ready", prepared))
        return "thing"

    def measure(thing, cell):
        seen.append(("measure", thing))
        return 1

    subject = Subject(declared(), workload(measure, ready=ready), "prepared")
    measured(subject, planned(subject)[0])
    assert seen == [("ready", "prepared"), ("measure", "thing")]
