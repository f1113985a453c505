"""Damage in a Parquet file of measurements is found."""

from __future__ import annotations

from flowerexp.errors import DataError
from flowerexp.measurements.parquet import read_parquet
from tests.analysis.rows import table


def test_a_parquet_table_with_a_changed_byte_is_damaged_or_the_same(tmp_path):
    rows = [{"images": number, "seconds": number / 7, "host": f"host {number % 3}"} for number in range(50)]
    path = table(rows).write(tmp_path / "m.parquet")
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
