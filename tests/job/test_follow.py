"""Following a job: progress goes to the listener, the rest is kept to explain an end without results."""

import json
from typing import Any, ClassVar

import pytest

from flowerexp.job import follow as module
from flowerexp.job.follow import follow, progress_of


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"flowerexp": {"run_key": "k", "done": 1, "total": 2}}', {"run_key": "k", "done": 1, "total": 2}),
        ('{"flowerexp": {}}', {}),
        ('{"flowerexp": {"note": "größer"}} ', {"note": "größer"}),
        ('{"flowerexp": {"done": 1', None),
        ('{"flowerexp": 3}', None),
        ('{"flowerexp": null}', None),
        ('{"flowerexp_": {}}', None),
        ('{"other": {"flowerexp": {}}}', None),
        ('WARN said {"flowerexp": {}}', None),
        ("", None),
    ],
)
def test_a_progress_message_is_told_from_any_other_line(line, message):
    assert progress_of(line) == message


class Job:
    """A submission that says what it is told to, a call of `poll` at a time."""

    handle: ClassVar[dict[str, Any]] = {}

    def __init__(self, *polls):
        self.polls = list(polls)

    def poll(self):
        return self.polls.pop(0)

    def stop(self):
        raise AssertionError

    def collect(self):
        raise AssertionError


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(module, "_POLL_SECONDS", 0)


def progress(done):
    return json.dumps({"flowerexp": {"done": done}})


def test_progress_is_passed_on_in_order_and_the_rest_is_kept():
    heard: list[int] = []
    job = Job(
        ([], None), ([progress(1), "WARN one", ""], None), ([progress(2)], None), ([progress(3), "Error: two"], 1)
    )
    assert follow(job, lambda message: heard.append(message["done"])) == (1, ["WARN one", "Error: two"])
    assert heard == [1, 2, 3]
    assert not job.polls


def test_whoever_wants_the_other_lines_gets_them_as_they_come():
    lines: list[str] = []
    follow(Job((["one", progress(1)], None), (["", "two"], 0)), lambda _: None, lines.append)
    assert lines == ["one", "two"]


def test_only_the_last_lines_are_kept():
    lines = [f"line {number}" for number in range(1000)]
    code, tail = follow(Job((lines[:700], None), (lines[700:], 0)), lambda _: None)
    assert (code, tail) == (0, lines[-50:])


def test_what_goes_wrong_in_the_listener_is_not_hidden():
    def listener(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(Job(([progress(1)], 0)), listener)
