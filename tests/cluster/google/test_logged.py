"""What drivers print, as Cloud Logging has it: in any order, late, and in any form of entry."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from google.cloud.logging_v2.types import LogEntry

from flowerexp.cluster.google.logged import LoggedOutput, is_logged, wanted

START = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)


def entry(second: int, insert_id: str, **payload: Any) -> LogEntry:
    return LogEntry(timestamp=START + datetime.timedelta(seconds=second), insert_id=insert_id, **payload)


class Logging:
    """Answers with the entries that have arrived, and remembers what it was asked."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.asked: list[str] = []

    def list_log_entries(self, request, **_):
        assert request.resource_names == ["projects/mine"]
        self.asked.append(request.filter)
        return sorted(self.entries, key=lambda each: each.timestamp)


@pytest.fixture
def output():
    logging = Logging()
    clients: Any = SimpleNamespace(logging=logging, project="mine", region="here", pace=SimpleNamespace(look=0.0))
    clients.once = clients.call = {}
    made: Any = LoggedOutput(clients)
    made.logging = logging
    return made


def test_an_entry_is_a_line_whatever_its_form(output):
    output.logging.entries = [
        entry(1, "a", json_payload={"message": "from the agent", "component": "driver"}),
        entry(2, "b", text_payload="two\nlines"),
        entry(3, "c", json_payload={"flowerexp": {"state": "started"}}),
    ]
    assert output.lines("x", ended=False) == ["from the agent", "two", "lines", '{"flowerexp": {"state": "started"}}']
    assert output.came


def test_late_entries_are_read_and_none_is_read_twice(output):
    output.logging.entries = [entry(10, "b", text_payload="second")]
    assert output.lines("x", ended=False) == ["second"]
    output.logging.entries += [entry(9, "a", text_payload="first"), entry(10, "c", text_payload="third")]
    assert output.lines("x", ended=False) == ["first", "third"]
    assert output.lines("x", ended=True) == []
    assert output.logging.asked[1:] == ['x AND timestamp>="2026-10-31T23:59:10+00:00"'] * 2
    assert output.everything("x") == "first\nsecond\nthird\n"


def test_no_entries_are_asked_for_before_it_is_known_where(output):
    assert output.lines("", ended=False) == []
    assert (output.logging.asked, output.came) == ([], False)


def test_the_filter_names_the_batch_and_nothing_else(output):
    assert wanted(output._clients, "b-1") == (
        'logName="projects/mine/logs/dataproc.googleapis.com%2Foutput" AND resource.type="cloud_dataproc_batch"'
        ' AND resource.labels.location="here" AND resource.labels.batch_id="b-1"'
    )


@pytest.mark.parametrize(("version", "logged"), [("2.3", False), ("1.2", False), ("3.0", True), ("3.1.4", True)])
def test_runtimes_that_use_no_staging_bucket(version, logged):
    assert is_logged(version) is logged
