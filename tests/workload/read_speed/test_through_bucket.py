"""Reading through a simulated bucket gives the same records and pixels as the disk, and every row says so."""

import numpy as np
import pytest

from flowerexp.storage import simulated
from flowerexp.workload.read_speed import pipeline, through_bucket
from flowerexp.workload.read_speed.readers import Source

NATIVE = ("image_files_native", "tfrecords_native")
QUICK = ("grid.batch_size=[4]", "grid.batch_number=[2]", "measure.repetitions=2", "measure.warm_up_seconds=1")


@pytest.fixture
def overrides(photos):
    return ("dataset=folder", f"dataset.path={photos}", "preprocess.shards=3", *QUICK)


@pytest.mark.spark
class TestRun:
    def test_rows_and_facts_say_that_the_bucket_is_simulated(self, spark, config, overrides, read_speed, told):
        readers = f"grid.reader=[{','.join(NATIVE)}]"
        rows = read_speed(spark, config(*overrides, readers, "storage.latency_ms=2", "storage.bandwidth_mb_s=500"))
        assert {row["page_cache"] for row in rows} == {"simulated"}
        assert [row["images"] for row in rows] == [8] * 4
        assert told.facts["simulated_bucket"] == "2 ms to the first byte, 500 MB/s together"
        assert "the bucket is simulated: 2 ms to the first byte, 500 MB/s together" in told.notes

    def test_without_one_nothing_says_so(self, spark, config, overrides, read_speed, told):
        rows = read_speed(spark, config(*overrides, "grid.reader=[image_files_native]"))
        assert {row["page_cache"] for row in rows} == {"warm"}
        assert "simulated_bucket" not in told.facts


def read(source):
    batches = list(pipeline.dataset(source, source.files).batch(8).take(5))
    return [np.concatenate([np.asarray(batch[part]) for batch in batches]) for part in (0, 1)]


@pytest.mark.parametrize("name", ["image_files_native", pytest.param("image_files", marks=pytest.mark.long)])
def test_pixels_and_labels_are_those_of_the_disk(photos, name):
    files = sorted(map(str, photos.glob("*/*.jpg")))
    disk = Source(name, files, [1] * len(files), (32, 32))
    bucket = through_bucket.moved({name: disk}, {"storage": {"latency_ms": 1.0}, "measure": {"seed": 3}})[name]
    assert all(map(simulated.local_path, bucket.files))
    for of_disk, of_bucket in zip(read(disk), read(bucket), strict=True):
        assert np.array_equal(of_disk, of_bucket)
        assert len(of_disk) == 40
