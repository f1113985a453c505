import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from flowerexp.errors import DataError, MachineError
from flowerexp.measurements import (
    first_executions,
    load,
    number,
    rate,
    read_parquet,
    repetition_spread,
    spread,
    total_rate,
    write_parquet,
    write_whole,
)
from tests.analysis.rows import grid, row, written


def parquet(rows: list[dict[str, Any]], folder: Path) -> pyarrow.Table:
    return pyarrow.parquet.read_table(write_parquet(rows, folder / "m.parquet"))


class TestLoad:
    def test_reads_a_row_a_line(self, tmp_path):
        rows = [{"images": 3, "file": "Straße\u2028.tfrecord"}, {"seconds": None}]
        path = tmp_path / "measurements.jsonl"
        path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in rows) + "\n\n", encoding="utf-8")
        assert load(path) == rows

    @pytest.mark.parametrize(
        ("damage", "line"),
        [(b'{"a": 1}\n{"a": 2', 2), (b"[1]\n", 1), (b'{"a": 1}\n\n7\n', 3), (b'{"a": 1}\n{"a": "\xff"}\n', 2)],
    )
    def test_names_file_and_line_of_damage(self, tmp_path, damage, line):
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


class TestParquet:
    def test_types_do_not_depend_on_the_rows_at_hand(self, tmp_path):
        one = parquet([{"seconds": 1, "reader": "a", "page_cache_fraction": None, "reused": None}], tmp_path)
        two = parquet([{"reader": "b"}, {"page_cache_fraction": 0.5, "reused": True, "seconds": 0.25}], tmp_path)
        assert one.schema == two.schema
        assert two.to_pylist()[0] == {"reader": "b", "seconds": None, "page_cache_fraction": None, "reused": None}

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


class TestWriteWhole:
    def test_a_failed_write_leaves_the_old_file_and_nothing_else(self, tmp_path):
        path = tmp_path / "x.json"
        path.write_text("old")

        def half(aside: Path) -> None:
            aside.write_text("ne")
            raise OSError(28, "No space left on device")

        with pytest.raises(MachineError, match=r"writing .*x\.json failed: No space left on device; free some room"):
            write_whole(path, half)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_reader_of_the_old_file_is_not_disturbed(self, tmp_path):
        path = tmp_path / "x.json"
        path.write_text("old")
        with path.open() as reader:
            write_whole(path, lambda aside: aside.write_text("new"))
            assert (reader.read(), path.read_text()) == ("old", "new")

    def test_a_folder_that_is_a_file_is_one_clear_line(self, tmp_path):
        (tmp_path / "f").touch()
        with pytest.raises(MachineError, match=r"^writing .*m\.parquet failed: .*choose another folder$"):
            write_parquet([{"a": 1}], tmp_path / "f" / "m.parquet")


class TestRates:
    def test_a_total_rate_is_no_average_of_rates(self):
        rows = [{"images": 100, "seconds": 1}, {"images": 100, "seconds": 4}]
        assert total_rate(rows) == 40  # the average of 100/s and 25/s would be 62.5

    def test_what_was_not_timed_or_counted_has_no_rate(self):
        rows: list[dict[str, Any]] = [
            {"images": 5, "seconds": None},
            {"seconds": 1},
            {"images": 5, "seconds": 0},
            {"images": True, "seconds": 1},
        ]
        assert [rate(one) for one in rows] == [None] * 4
        assert total_rate([*rows, {"images": 6, "seconds": 2}]) == 3
        assert total_rate([]) is None

    @pytest.mark.parametrize("value", [None, True, "3", float("nan"), float("inf"), [1]])
    def test_only_finite_numbers_are_numbers(self, value):
        assert number({"x": value}, "x") is None

    def test_spread_is_the_interquartile_range_over_the_median(self):
        assert spread([80, 90, 100, 110, 120]) == pytest.approx(0.2)
        assert spread([5]) is None
        assert spread([0, 0]) is None

    def test_cells_that_differ_do_not_make_a_spread(self):
        rows = [row(size=size, repetition=again) for size in (2, 200) for again in (1, 2, 3)]
        assert repetition_spread(rows) == pytest.approx(0)

    def test_later_executions_are_left_out(self):
        rows = [row(), row(execution=2), {"images": 1}, {"execution": None}]
        assert first_executions(rows) == [rows[0], rows[2], rows[3]]


def test_measurements_and_analysis_import_nothing_heavy():
    heavy = ("pyarrow", "pandas", "numpy", "sklearn", "matplotlib", "mlflow", "hydra", "pyspark")
    code = (
        "import sys, flowerexp.measurements, flowerexp.analysis.summary, flowerexp.analysis.regression\n"
        "import flowerexp.analysis.verdict, flowerexp.analysis.estimate, flowerexp.analysis.interval\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_parquet_table_with_a_changed_byte_is_damaged_or_the_same(tmp_path):
    rows = [{"images": number, "seconds": number / 7, "host": f"host {number % 3}"} for number in range(50)]
    path = write_parquet(rows, tmp_path / "m.parquet")
    whole = path.read_bytes()
    assert read_parquet(path).to_pylist() == rows
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    for place in range(4, len(whole) - footer, 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            found = read_parquet(path).to_pylist()
        except DataError as error:
            assert str(path) in error.problem  # noqa: PT017
        else:
            assert found == rows, place
