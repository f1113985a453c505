"""Damage in a Parquet file of measurements is found."""

from __future__ import annotations

from flowerexp.errors import DataError
from flowerexp.measurements.parquet import read_parquet
from flowerexp.measurements.table import Measurements
from flowerexp.measurements.written import write
from tests.analysis.rows import READ_SPEED, row, table


def test_a_parquet_table_with_a_changed_byte_is_damaged_or_the_same(tmp_path):
    rows = [{"images": number, "seconds": number / 7, "host": f"host {number % 3}"} for number in range(50)]
    path = write(table(rows), tmp_path / "m.parquet")
    whole = path.read_bytes()
    written = read_parquet(path).to_pylist()
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    for place in range(4, len(whole) - footer, 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            found = read_parquet(path).to_pylist()
        except DataError as error:
            assert str(path) in error.problem  # noqa: PT017
        else:
            assert found == written, place


def test_texts_that_are_read_by_their_different_values_are_the_same(tmp_path):
    values = ["a", None, 1, "a", True, [2], "1"]
    rows = [row(value, mixed=each) for value, each in zip("babcacb", values, strict=True)]
    path = write(table(rows), tmp_path / "m.parquet")
    coded = Measurements(read_parquet(path, coded=["reader", "mixed", "seconds", "no column"]), READ_SPEED)
    assert str(coded.table.schema.field("reader").type).startswith("dictionary")
    assert coded.rows() == table(rows).rows()
    for name in ("reader", "mixed"):
        places, texts = coded.texts(name)
        assert (places.tolist(), texts) == (table(rows).texts(name)[0].tolist(), table(rows).texts(name)[1])


def test_rates_and_the_value_are_written_behind_what_was_measured_and_left_out_when_it_is_read_again(tmp_path):
    rows = [row(size=2, number=3), row(size=2, number=3, seconds=None), row(value="of mine")]
    written = read_parquet(write(table(rows), tmp_path / "m.parquet")).to_pylist()
    one = rows[0]
    steady = (one["images"] - one["first_batch_images"]) / (one["seconds"] - one["first_batch_seconds"])
    assert written[0]["images_per_second"] == one["images"] / one["seconds"]
    assert written[0]["steady_images_per_second"] == steady
    assert written[1]["images_per_second"] is None
    assert [line["value"] for line in written] == [None, None, "of mine"], "what was measured stays as it is"
    assert Measurements(read_parquet(tmp_path / "m.parquet"), READ_SPEED).rows() == table(rows).rows()
