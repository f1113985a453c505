"""What a driver prints, read from objects that grow while they are read."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions

from flowerexp.cluster.google.output import DriverOutput


class Objects(dict[str, bytes]):
    """A bucket's objects by their URI."""

    def sizes(self, prefix: str, *, retry: bool = True) -> dict[str, int]:
        return {uri: len(content) for uri, content in reversed(self.items()) if uri.startswith(prefix)}

    def read(self, uri: str, start: int = 0, *, retry: bool = True) -> bytes:
        return self[uri][start:]


@pytest.fixture
def objects():
    return Objects()


@pytest.fixture
def lines(objects):
    """`lines()` are those that came since the last call."""
    bucket: Any = objects
    output = DriverOutput(bucket)
    return lambda prefix="out", ended=False: output.lines(prefix, ended=ended)


def test_only_whole_lines_and_each_once(objects, lines):
    assert lines() == []
    objects["out.000000000"] = b"one\ntw"
    assert lines() == ["one"]
    assert lines() == []
    objects["out.000000000"] = b"one\ntwo\nthr"
    objects["out.000000001"] = "ee \N{LATIN SMALL LETTER E WITH ACUTE}".encode()[:-1]
    assert lines() == ["two"]
    objects["out.000000001"] = "ee \N{LATIN SMALL LETTER E WITH ACUTE}\nlast".encode()
    assert lines() == ["three \N{LATIN SMALL LETTER E WITH ACUTE}"]
    assert lines(ended=True) == ["last"]
    assert lines(ended=True) == []


def test_objects_come_in_their_order(objects, lines):
    for number in range(12):
        objects[f"out.{number:09d}"] = f"{number}\n".encode()
    assert lines() == [str(number) for number in range(12)]


def test_a_reading_that_fails_loses_nothing(objects, lines, monkeypatch):
    objects.update({"out.000000000": b"one\n", "out.000000001": b"two\n"})

    def broken(uri, start=0, *, retry=True):
        if uri.endswith("1"):
            raise exceptions.ServiceUnavailable("away")
        return objects[uri][start:]

    monkeypatch.setattr(objects, "read", broken)
    with pytest.raises(exceptions.ServiceUnavailable):
        lines()
    monkeypatch.undo()
    assert lines() == ["one", "two"]


def test_a_driver_that_was_started_again_is_read_from_its_start(objects, lines):
    objects.update({"first.000000000": b"a\n", "second.000000000": b"b\n"})
    assert lines("first") == ["a"]
    assert lines("second") == ["b"]


def test_secrets_are_taken_out_but_our_messages_stay_what_they_are(objects, lines):
    message = b'{"flowerexp": {"output": "gs://b/me@example.com"}}'
    objects["out.000000000"] = b"me@example.com may not\n" + message + b"\n"
    assert lines() == ["*** may not", message.decode()]
