"""The rows of runs as one data frame."""

from __future__ import annotations

from flowerexp.analysis.report.rows import of_each_run, read_rows, together
from flowerexp.measurements.written import write
from tests.analysis.rows import READ_SPEED, row, table


def test_runs_with_other_texts_keep_their_own_in_the_order_of_the_texts(tmp_path):
    runs = {
        "b": [row("tfrecords", host="n2"), row("tfrecords", host=None)],
        "a": [row("tfrecords", host="n1"), row("image_files", host="n2")],
    }
    frames = {
        name: read_rows(write(table(rows), tmp_path / f"{name}.parquet"), READ_SPEED, ["host"])
        for name, rows in runs.items()
    }
    rows = together(frames)
    assert rows["run"].tolist() == ["b", "b", "a", "a"]
    assert rows["series"].tolist() == ["tfrecords", "tfrecords", "tfrecords", "image_files"]
    assert rows["host"].astype(object).fillna("none").tolist() == ["n2", "none", "n1", "n2"]
    assert [name for name, _ in rows.groupby("series", observed=True)] == ["image_files", "tfrecords"]
    assert of_each_run(rows, {"a": 1, "b": 2}).tolist() == [2, 2, 1, 1]
