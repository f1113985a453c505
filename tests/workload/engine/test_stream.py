"""The stream of rows: each part appears complete and soon, and the next attempt can read it."""

import json
import threading
from typing import ClassVar

import pytest

from flowerexp import storage
from flowerexp.workload.engine import stream as streaming
from flowerexp.workload.engine.stream import Stream, read


def parts(folder):
    return {path.name: path.read_text() for path in sorted((folder / "rows").iterdir())}


@pytest.fixture
def written(monkeypatch):
    """Parts that are written, as an event for who waits for them."""
    event, write = threading.Event(), storage.write_bytes

    def note(uri, content, **options):
        write(uri, content, **options)
        event.set()

    monkeypatch.setattr(storage, "write_bytes", note)
    return event


def test_the_first_line_is_written_while_the_run_goes_on_and_the_others_together(tmp_path, written, monkeypatch):
    monkeypatch.setattr(streaming, "_LOCAL_SECONDS", 3600.0)
    with Stream(str(tmp_path), keep=False) as stream:
        stream.put("1\n")
        assert written.wait(30)
        assert parts(tmp_path) == {"00001.jsonl": "1\n"}
        stream.put("2\n")
        stream.put("3\n")
    assert parts(tmp_path) == {"00001.jsonl": "1\n", "00002.jsonl": "2\n3\n"}


def test_more_parts_come_as_time_goes_by(tmp_path, written, monkeypatch):
    monkeypatch.setattr(streaming, "_LOCAL_SECONDS", 0.0)
    with Stream(str(tmp_path), keep=False) as stream:
        for number in range(1, 4):
            written.clear()
            stream.put(f"{number}\n")
            assert written.wait(30)
    assert "".join(parts(tmp_path).values()) == "1\n2\n3\n"
    assert len(parts(tmp_path)) == 3


def test_a_bucket_gets_a_part_after_a_while_only(bucket, written):
    with Stream(f"{bucket}/run", keep=False) as stream:
        stream.put("1\n")
        stream.put("2\n")
        assert not written.wait(0.2)
    assert [entry.relative for entry in storage.list_files(f"{bucket}/run")] == ["rows/00001.jsonl"]
    assert storage.read_bytes(f"{bucket}/run/rows/00001.jsonl") == b"1\n2\n"


@pytest.mark.parametrize("keep", [True, False])
def test_parts_of_an_attempt_before_stay_or_are_replaced_like_all_results(tmp_path, keep):
    for number in range(1, 3):
        with Stream(str(tmp_path), keep=keep) as stream:
            stream.put(f"{number}\n")
    assert "".join(parts(tmp_path).values()) == ("1\n2\n" if keep else "2\n")


def test_an_end_that_comes_just_before_a_part_is_written_does_not_wait_for_ever(tmp_path):
    stream = Stream(str(tmp_path), keep=False)

    class Late(threading.Event):
        def clear(self):
            stream._end.set()
            self.set()
            super().clear()

    stream._waiting = Late()
    with stream:
        stream.put("1\n")
        stream._thread.join(30)
        assert not stream._thread.is_alive()
    assert parts(tmp_path) == {"00001.jsonl": "1\n"}


def test_nothing_is_written_of_nothing(tmp_path):
    with Stream(str(tmp_path), keep=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_parts_that_cannot_be_written_are_told_and_not_the_end(tmp_path, told, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "write_bytes", refuse)
    with Stream(str(tmp_path), keep=False) as stream:
        stream.put("1\n")
    (note,) = told.notes
    assert "No space left" in note


class TestRead:
    ROW: ClassVar = {"size": 1, "seconds": 2.0}

    def test_damaged_and_half_parts_are_left_out_and_named(self, tmp_path, told):
        line = json.dumps(self.ROW) + "\n"
        contents = {"00001": line, "00002": line[:-5], "00003": '{"size": 3}\n', "00004": "[1]\n", "00005": "\xff"}
        for name, content in contents.items():
            (tmp_path / f"{name}.jsonl").write_bytes(content.encode("latin-1"))
        assert read([str(tmp_path)], ("size", "seconds")) == [self.ROW]
        assert [f"{number:05d}.jsonl" in note for number, note in enumerate(told.notes, 2)] == [True] * 4

    def test_in_the_order_of_their_numbers_and_each_once(self, tmp_path):
        rows = [{"size": number} for number in range(12)]
        for number, row in enumerate(rows, 1):
            (tmp_path / f"{number}.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(rows[0]) + "\n")
        (tmp_path / ".5.jsonl.tmp").write_text("half")
        assert read([str(tmp_path)] * 2, ("size",)) == rows

    def test_no_folder_holds_no_rows(self, tmp_path, told):
        assert read([str(tmp_path / "none")], ()) == []
        assert told.notes == []
