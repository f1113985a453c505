import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowerexp.analysis import analyse
from flowerexp.errors import DataError
from flowerexp.measurements import columns_of, loading
from flowerexp.measurements.loading import from_rows
from flowerexp.measurements.table import Measurements
from flowerexp.measurements.written import write
from tests.analysis.rows import READ_SPEED, grid, table, written

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(["2026-01-01", "a", 1, 2.5, 0]),
    st.lists(st.integers(0, 3), max_size=2),
)


def load(path: Path) -> list[dict[str, Any]]:
    return loading.load(path, READ_SPEED).rows()


def parquet(rows: list[dict[str, Any]], folder: Path) -> pyarrow.Table:
    """The table that comes back, without what is derived."""
    return Measurements(pyarrow.parquet.read_table(write(table(rows), folder / "m.parquet")), READ_SPEED).table


class TestLoad:
    def test_reads_a_row_a_line(self, tmp_path):
        rows = [{"images": 3, "seconds": None, "file": "Straße\u2028.tfrecord"}] * 2
        path = tmp_path / "measurements.jsonl"
        path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in rows) + "\n\n", encoding="utf-8")
        assert load(path) == rows

    @pytest.mark.parametrize(
        ("damage", "line"),
        [(b'{"a": 1}\n{"a": 2', 2), (b"[1]\n", 1), (b'{"a": 1}\n\n7\n', 3), (b'{"a": 1}\n{"a": "\xff"}\n', 2)],
    )
    @pytest.mark.parametrize("block", [1, loading._BLOCK])
    def test_names_file_and_line_of_damage(self, tmp_path, monkeypatch, damage, line, block):
        monkeypatch.setattr(loading, "_BLOCK", block)
        path = tmp_path / "measurements.jsonl"
        path.write_bytes(damage)
        with pytest.raises(DataError, match=rf"measurements\.jsonl, line {line}: .*; .*run the experiment again"):
            load(path)

    def test_a_missing_file_is_an_error_that_names_it(self, tmp_path):
        with pytest.raises(DataError, match=r"measurements\.jsonl does not exist"):
            load(tmp_path / "measurements.jsonl")

    def test_an_empty_file_has_no_rows(self, tmp_path):
        (tmp_path / "empty").touch()
        assert load(tmp_path / "empty") == []

    @pytest.mark.parametrize("block", [1, loading._BLOCK])  # a row at a time, or all
    def test_rows_of_all_kinds_are_the_same_table_whoever_reads_them(self, tmp_path, monkeypatch, block):
        """Arrow reads regular parts, and Python the others; what Arrow would change is among these."""
        monkeypatch.setattr(loading, "_BLOCK", block)
        path = tmp_path / "measurements.jsonl"

        @given(
            st.lists(st.dictionaries(st.sampled_from(["seconds", "images", "reader", "x", "y"]), VALUES), max_size=4)
        )
        @example([{"seconds": 2**53 + 1}])
        @example([{"reader": []}, {"reader": None}])
        def check(rows: list[dict[str, Any]]) -> None:
            lines = [json.dumps(row) for row in rows]
            path.write_text("".join(f"{line}\n" for line in lines))
            one, two = loading.load(path, READ_SPEED), from_rows([json.loads(line) for line in lines], READ_SPEED)
            assert one.table.schema.equals(two.table.schema, check_metadata=True)
            assert str(one.rows()) == str(two.rows())
            assert all((one.has(name) == two.has(name)).all() for name in two.names)

        check()

    @pytest.mark.parametrize(
        "line",
        [
            '{"x": 9223372036854775808}',  # Arrow would make a fraction of it
            '{"x": "2026-01-01"}',  # and a time of this
            '{"x": 1}{"x": 2}',
            '{"x": [1]}',
        ],
    )
    def test_what_arrow_would_change_is_left_to_python(self, line):
        assert loading._regular(f"{line}\n".encode(), {}) is None

    def test_regular_files_are_left_to_arrow(self):
        lines = [json.dumps({**row, "load_before": None}) for row in grid()]
        found = loading._regular("\n".join(lines).encode(), columns_of(READ_SPEED))
        assert found is not None
        assert found[0].equals(table([json.loads(line) for line in lines]).table)
        assert found[1] == {}

    def test_arrow_tells_what_a_row_lacks_from_a_null(self):
        lines = ['{"x":1,"y":null}', '{"y":2}', '{"x": null, "y": 1}']
        found = loading._regular("\n".join(lines).encode(), {})
        assert found is not None
        assert {name: rows.tolist() for name, rows in found[1].items()} == {"x": [False, True, False]}

    @pytest.mark.parametrize("line", ['{"x" : null}', '{"\\u0078":null}', '{"y":"x"}', '{"a b":1}'])
    def test_and_leaves_to_python_what_it_cannot_be_sure_of(self, line):
        assert loading._regular(f'{{"x":1}}\n{line}\n'.encode(), {}) is None

    def test_rows_of_nothing_are_counted(self, tmp_path):
        path = tmp_path / "measurements.jsonl"
        path.write_text("{}\n{}\n")
        found = loading.load(path, READ_SPEED)
        assert (len(found), len(found.firsts), found.total_rate) == (2, 2, None)
        (group,) = analyse(found, tmp_path, 0.05).summary.groups
        assert (group.name, group.measurements) == ("read_speed", 2)

    def test_a_lone_surrogate_is_kept(self, tmp_path):
        path = tmp_path / "measurements.jsonl"
        path.write_text('{"file": "\\ud800"}\n')
        assert load(path) == [{"file": "\ud800"}]


class TestParquet:
    def test_types_do_not_depend_on_the_rows_at_hand(self, tmp_path):
        one = parquet([{"seconds": 1, "reader": "a", "load_before": None, "reused": None}], tmp_path)
        two = parquet([{"reader": "b"}, {"load_before": 0.5, "reused": True, "seconds": 0.25}], tmp_path)
        assert one.schema == two.schema
        assert two.to_pylist()[0] == {"reader": "b", "seconds": None, "load_before": None, "reused": None}

    def test_all_rows_and_columns_come_back(self, tmp_path):
        rows: list[dict[str, Any]] = [*grid(repetitions=1), written(0, None), {"mine": 2}]
        table = parquet(rows, tmp_path)
        back = [{key: value for key, value in one.items() if value is not None} for one in table.to_pylist()]
        assert back == [{key: value for key, value in one.items() if value is not None} for one in rows]

    def test_nested_and_mixed_values_become_json_text(self, tmp_path):
        rows: list[dict[str, Any]] = [
            {"deep": {"a": [1]}, "mixed": 1, "huge": 2**70},
            {"mixed": "one", "huge": 1},
            {"deep": [], "mixed": None},
        ]
        table = parquet(rows, tmp_path)
        assert table.column("deep").to_pylist() == ['{"a": [1]}', None, "[]"]
        assert table.column("mixed").to_pylist() == ["1", '"one"', None]
        assert table.column("huge").to_pylist() == [str(2**70), "1", None]

    def test_whole_numbers_and_fractions_mix(self, tmp_path):
        assert parquet([{"x": 1}, {"x": 0.5}], tmp_path).column("x").to_pylist() == [1.0, 0.5]

    def test_a_known_column_with_foreign_values_keeps_them(self, tmp_path):
        assert parquet([{"images": 1.5, "file": 3}], tmp_path).to_pylist() == [{"images": 1.5, "file": 3}]

    def test_no_rows_make_an_empty_table(self, tmp_path):
        assert parquet([], tmp_path).num_rows == 0
