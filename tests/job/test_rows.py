"""Rows of a run whose job ended without its results: whose they are, and what the next attempt is given."""

import json
from dataclasses import replace

import pytest

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.job import rows
from flowerexp.plan import plan


@pytest.fixture
def run(config, tmp_path):
    return plan([config()], [tmp_path / "0"], "code").runs[0]


@pytest.fixture(params=["here", "bucket"])
def output(request, run):
    if request.param == "here":
        return str(run.folder / "results")
    return f"{request.getfixturevalue('bucket')}/runs/0/results"


def leave(output, *numbers, token="t", attempt: int | None = 1, fingerprint="d"):
    """What an attempt leaves that is killed: a part for each of its rows."""
    told = {"token": token, "started_at": 5, "facts": {"data_fingerprint": fingerprint}, "phases": {"list": 1.5}}
    storage.write_bytes(storage.join(output, "attempt.json"), json.dumps({**told, "notes": ["a note"]}).encode())
    for number in numbers:
        row = {"repetition": number, **({"attempt": attempt} if attempt else {})}
        storage.write_bytes(storage.join(output, "rows", f"{number:05d}.jsonl"), f"{json.dumps(row)}\n".encode())


def numbers_in(path):
    return [json.loads(line)["repetition"] for line in path.read_text().splitlines()]


def repetitions(found):
    return [json.loads(line)["repetition"] for line in found.rows]


class TestFetch:
    def test_brings_the_rows_and_what_was_told_before_them(self, run, output):
        leave(output, 1, 2)
        rows.fetch(run, output, "t")
        results = run.folder / "results"
        assert numbers_in(results / "measurements.jsonl") == [1, 2]
        told = rows.begun(results, "t")
        assert told
        assert (told["started_at"], told["phases"], told["notes"]) == (5, {"list": 1.5}, ["a note"])
        assert len(list((results / "rows").iterdir())) == 2

    @pytest.mark.parametrize("token", ["other", None, ""])
    def test_rows_of_another_attempt_are_none(self, run, output, token):
        leave(output, 1, 2)
        rows.fetch(run, output, token)
        assert not (run.folder / "results" / "measurements.jsonl").exists()
        assert rows.kept(run, output, token) == rows.Kept()

    def test_an_attempt_that_came_to_no_row_leaves_no_measurements(self, run, output):
        leave(output)
        rows.fetch(run, output, "t")
        assert not (run.folder / "results" / "measurements.jsonl").exists()

    @pytest.mark.parametrize("content", [b"{", b"[1]\n", b"\xff\n"])
    def test_a_damaged_part_is_said(self, run, output, content):
        leave(output, 1)
        part = storage.join(output, "rows", "00001.jsonl")
        storage.write_bytes(part, content)
        with pytest.raises(DataError, match=f"^{part} is damaged"):
            rows.fetch(run, output, "t")

    def test_what_is_no_part_is_passed_over(self, run, output):
        leave(output, 1)
        storage.write_bytes(storage.join(output, "rows", "note.txt"), b"hello")
        rows.fetch(run, output, "t")
        assert numbers_in(run.folder / "results" / "measurements.jsonl") == [1]


class TestNextAttempt:
    def carry(self, run, output, token):
        found = rows.kept(run, output, token)
        rows.keep(run, found)
        if not storage.is_local(output):
            rows.clear(output)
        else:
            for name in ("attempt.json", *(f"rows/{number:05d}.jsonl" for number in range(1, 9))):
                storage.remove(storage.join(output, name))
        return found

    def test_is_given_the_rows_of_all_before_it_where_it_can_read_them(self, run, output):
        leave(output, 1, 2)
        self.carry(run, output, "t")
        (place,) = rows.earlier(run, output)
        assert storage.is_local(place) == storage.is_local(output)
        leave(output, 3, token="u", attempt=2, fingerprint=None)
        found = self.carry(run, output, "u")
        assert repetitions(found) == [1, 2, 3]
        assert found.data_fingerprint == "d", "as the first attempt has told"
        (place,) = rows.earlier(run, output)
        text = storage.read_bytes(storage.join(place, "00001.jsonl")).decode()
        assert [json.loads(line)["attempt"] for line in text.splitlines()] == [1, 1, 2]

    def test_has_them_too_if_the_last_one_did_not_begin(self, run, output):
        leave(output, 1, 2)
        self.carry(run, output, "t")
        assert repetitions(self.carry(run, output, "never began")) == [1, 2]

    def test_is_given_nothing_that_other_code_or_another_run_has_measured(self, run, output):
        leave(output, 1, 2)
        self.carry(run, output, "t")
        assert rows.earlier(run, output)
        assert rows.earlier(replace(run, code_hash="other"), output) == []
        assert rows.earlier(replace(run, run_key="other"), output) == []

    def test_is_given_nothing_that_is_damaged(self, run, output):
        leave(output, 1, 2)
        self.carry(run, output, "t")
        part = run.folder / "earlier" / "00001.jsonl"
        part.write_text(part.read_text().replace("2", "3"))
        assert rows.earlier(run, output) == []

    def test_is_given_nothing_that_does_not_say_whose_it_is(self, run, output):
        leave(output, 1, 2, attempt=None)
        assert rows.kept(run, output, "t").rows == ()
        rows.fetch(run, output, "t")
        assert numbers_in(run.folder / "results" / "measurements.jsonl") == [1, 2], "they are shown all the same"

    def test_finds_no_part_of_the_last_one(self, run, output):
        leave(output, 1, 2)
        self.carry(run, output, "t")
        leave(output, 3, token="u", attempt=2)
        rows.fetch(run, output, "u")
        assert numbers_in(run.folder / "results" / "measurements.jsonl") == [1, 2, 3]
        parts = [entry.relative for entry in storage.list_files(storage.join(output, "rows"))]
        assert parts == ["00003.jsonl"]


def test_what_is_whole_needs_no_parts(run):
    output = str(run.folder / "results")
    leave(output, 1)
    rows.keep(run, rows.kept(run, output, "t"))
    rows.forget(run)
    rows.forget(run)
    assert not (run.folder / "earlier").exists()
    assert not (run.folder / "results" / "rows").exists()
