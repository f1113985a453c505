"""Our own JSON files: what was written is read, and any damage is told by the file's name."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowerexp import json_lines, records
from flowerexp.errors import DataError

WANTED = {"name": str, "numbers": {"*": records.NUMBER}, "runs": [{"run": str}], "error": str | None}
CONTENT = {"name": "rosé", "numbers": {"a": 1, "b": 0.1}, "runs": [{"run": "0", "more": [None]}], "error": None}


def test_what_was_written_is_read(tmp_path):
    records.write(tmp_path / "a.json", CONTENT)
    assert records.read(tmp_path / "a.json", WANTED) == CONTENT
    records.write(tmp_path / "a.json", CONTENT, indent=None)
    assert records.find(tmp_path / "a.json", WANTED) == CONTENT


def test_a_file_that_is_not_there_is_not_a_damaged_one(tmp_path):
    assert records.find(tmp_path / "a.json") is None
    with pytest.raises(FileNotFoundError, match=r"a\.json"):
        records.read(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("x")
    assert records.find(tmp_path / "a.json" / "b.json") is None


def test_a_file_of_an_earlier_version_has_no_seal(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(CONTENT))
    assert records.read(tmp_path / "a.json", WANTED) == CONTENT


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "7", '"text"', "\x00", "{}", "[" * 100_000, '{"name": 1}', '{"name": "a"}',
             '{"name":"a","numbers":{"a":true},"runs":[],"error":null}',
             '{"name":"a","numbers":{"a":"1"},"runs":[],"error":null}',
             '{"name":"a","numbers":{},"runs":[{}],"error":null}', '{"name":"a","numbers":{},"runs":{},"error":null}'],
)  # fmt: skip
def test_damage_is_told_by_the_files_name(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=f"^{re.escape(str(path))} is damaged: "):
        records.read(path, WANTED)


def test_the_key_that_is_wrong_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"name":"a","numbers":{},"runs":[{"run":"0"},{"run":1}],"error":null}')
    with pytest.raises(DataError, match=r"runs\.1\.run is missing or of another kind"):
        records.read(tmp_path / "a.json", WANTED)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), how=st.sampled_from(["change", "cut", "insert"]))
def test_no_changed_byte_goes_unnoticed(tmp_path, place, byte, how):
    path = tmp_path / "a.json"
    records.write(path, CONTENT)
    whole = path.read_bytes()
    place %= len(whole)
    rest = {"change": whole[place + 1 :], "cut": b"", "insert": whole[place:]}[how]
    path.write_bytes(whole[:place] + (b"" if how == "cut" else bytes([byte])) + rest)
    try:
        found = records.read(path, WANTED)
    except DataError as error:
        if str(path) not in error.problem:
            raise
    else:
        assert found == CONTENT or records.SEAL not in json.loads(path.read_bytes())


class TestLines:
    def test_a_torn_line_does_not_swallow_the_next_one(self, tmp_path):
        path = tmp_path / "lines.jsonl"
        json_lines.append(path, {"n": 1})
        with path.open("ab") as file:
            file.write(b'{"n": 2, "to')
        json_lines.append(path, {"n": 3})
        lines, bad = json_lines.read_lines(path, lambda line: True)
        assert [line["n"] for line in lines] == [1, 3]
        assert bad == [2]

    def test_a_last_line_that_was_cut_off_is_no_damage(self, tmp_path):
        (tmp_path / "lines.jsonl").write_bytes(b'{"n": 1}\n{"n": 2')
        assert json_lines.read_lines(tmp_path / "lines.jsonl", lambda line: True) == ([{"n": 1}], [])

    @pytest.mark.parametrize("line", [b"garbage", b"[1]", b"null", b"7", b"\xff\xfe", b'{"other": 1}'])
    def test_what_is_not_a_line_of_ours_is_counted(self, tmp_path, line):
        path = tmp_path / "lines.jsonl"
        path.write_bytes(b'{"n": 1}\n' + line + b'\n\n{"n": 2}\n')
        lines, bad = json_lines.read_lines(path, lambda one: "n" in one)
        assert ([one["n"] for one in lines], bad) == ([1, 2], [2])
        assert json_lines.complaint(path, bad) == f"{path} is damaged: line 2 is skipped"
        assert json_lines.complaint(path, []) is None
        assert "7 lines are skipped (1, 2, 3, 4, 5, ...)" in str(json_lines.complaint(path, range(1, 8)))
