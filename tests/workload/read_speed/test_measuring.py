"""One measurement of reading: images are counted; before it, files are chosen and brought into a cache state."""

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from flowerexp.workload.engine.cells import Cell
from flowerexp.workload.read_speed import measuring, page_cache, pipeline
from flowerexp.workload.read_speed.measuring import time_batches
from flowerexp.workload.read_speed.readers import Source
from flowerexp.workload.read_speed.sources import Sources


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still, but for what `batches` says; in nanoseconds."""
    now = SimpleNamespace(ns=1_000_000_000)
    monkeypatch.setattr(time, "perf_counter_ns", lambda: now.ns)
    return now


def batches(clock, *sizes_and_seconds):
    """Batches that take so many seconds to come, each; the end is seen after another quarter of a second."""
    for size, seconds in sizes_and_seconds:
        clock.ns += int(seconds * 1e9)
        yield SimpleNamespace(shape=(size, 192, 192, 3)), None
    clock.ns += 250_000_000


class TestTimeBatches:
    def test_counts_what_came_the_short_last_batch_included(self, clock):
        timing = time_batches(batches(clock, (8, 1), (8, 1), (3, 1)))
        assert (timing.images, timing.batches) == (19, 3)

    def test_the_first_batch_is_told_apart(self, clock):
        timing = time_batches(batches(clock, (4, 2.5), (4, 0.5), (4, 0.5)))
        assert (timing.first_batch_seconds, timing.first_batch_images) == (2.5, 4)

    def test_one_batch(self, clock):
        timing = time_batches(batches(clock, (5, 2)))
        assert (timing.images, timing.first_batch_images, timing.first_batch_seconds) == (5, 5, 2.0)

    def test_nothing(self, clock):
        timing = time_batches(batches(clock))
        assert (timing.images, timing.batches, timing.first_batch_seconds, timing.first_batch_images) == (0, 0, 0, 0)


class TestSource:
    SOURCE = Source("tfrecords", ["a", "b", "c"], [5, 0, 7], (192, 192))

    def test_counts_its_images(self):
        assert self.SOURCE.images == 12

    @pytest.mark.parametrize(
        ("order", "images", "files"),
        [
            ([0, 1, 2], 1, ["a"]),
            ([0, 1, 2], 5, ["a"]),
            ([0, 1, 2], 6, ["a", "b", "c"]),
            ([2, 0, 1], 7, ["c"]),
            ([2, 0, 1], 8, ["c", "a"]),
            ([1, 2, 0], 12, ["b", "c", "a"]),
            ([0, 1, 2], 99, ["a", "b", "c"]),
        ],
    )
    def test_takes_no_more_files_than_it_needs(self, order, images, files):
        assert self.SOURCE.prefix(order, images) == files


@pytest.fixture
def source(tmp_path):
    files = [tmp_path / f"{number}.jpg" for number in range(20)]
    for file in files:
        file.write_bytes(b"content")
    return Source("image_files", [str(file) for file in files], [1] * 20, (192, 192))


@pytest.fixture
def seen(monkeypatch):
    """What was asked for, in order; each file is an image, and nothing of TensorFlow is needed."""
    seen = []

    class Dataset:
        def __init__(self, files):
            self.files = files

        def batch(self, size):
            self.size = size
            return self

        def take(self, number):
            self.number = number
            return self

        def __iter__(self):
            seen.append(("read", self.files))
            for start in range(0, min(len(self.files), self.size * self.number), self.size):
                yield SimpleNamespace(shape=(len(self.files[start : start + self.size]),)), None

    monkeypatch.setattr(pipeline, "dataset", lambda source, files, options: Dataset(files))
    monkeypatch.setattr(page_cache, "bring_to", lambda state, files: seen.append((state, list(files))))
    return seen


@pytest.fixture
def freed(monkeypatch):
    """Says when an iterator over batches is freed: with tf.data that takes long."""
    freed = []

    class Batches:
        def __init__(self, number):
            self.left = number

        def __iter__(self):
            return self

        def __next__(self):
            if not self.left:
                raise StopIteration
            self.left -= 1
            return SimpleNamespace(shape=(2,)), None

        def __del__(self):
            freed.append("freed")

    opened = SimpleNamespace(batch=lambda size: SimpleNamespace(take=lambda number: Opens(number)))

    class Opens:
        def __init__(self, number):
            self.number = number

        def __iter__(self):
            return Batches(self.number)

    monkeypatch.setattr(pipeline, "dataset", lambda source, files, options: opened)
    return freed


def measured(source, size=2, number=3, seed=11):
    """What one measurement returns."""
    cell = Cell({"reader": source.reader, "batch_size": size, "batch_number": number}, 1, seed)
    return measuring.measure(measuring.ready(Sources({source.reader: source}, "cold"), cell), cell)


class TestMeasure:
    def test_says_what_came(self, source, seen):
        row = measured(source)
        assert (row["images"], row["batches"], row["first_batch_images"]) == (6, 3, 2)
        assert row["page_cache"] == page_cache.state(row["page_cache_fraction"])

    def test_the_state_of_the_cache_is_brought_about_before_reading(self, source, seen):
        measured(source)
        assert [what for what, _ in seen] == ["cold", "read"]
        assert seen[0][1] == seen[1][1]

    def test_the_seed_decides_which_files_are_read(self, source, seen):
        for seed in (1, 1, 2):
            measured(source, seed=seed)
        first, again, other = (files for what, files in seen if what == "read")
        assert first == again
        assert set(first) != set(other)
        assert len(first) == len(set(first)) == 6

    @pytest.mark.parametrize("fed", [None, 1e-6])
    def test_freeing_an_iterator_is_not_a_part_of_it(self, source, freed, fed):
        cell = Cell({"reader": source.reader, "batch_size": 2, "batch_number": 3, "accelerator": "one"}, 1, 11)
        sources = Sources({source.reader: source}, "as_found", accelerators={"one": fed})
        chosen = measuring.ready(sources, cell)
        assert measuring.measure(chosen, cell)["images"] == 6
        assert not freed
        del chosen
        assert freed == ["freed"]

    def test_nor_of_a_warm_up(self, source, freed):
        left = measuring.warm(Sources({source.reader: source}, "cold"), Cell({"reader": source.reader}, 1, 11))
        assert not freed
        del left
        assert freed == ["freed"]

    @pytest.mark.parametrize("shuffle", ["none", "shards", "full"])
    def test_files_are_read_in_order_unless_they_are_shuffled(self, source, seen, shuffle):
        cell = Cell({"reader": source.reader, "batch_size": 2, "batch_number": 6, "shuffle": shuffle}, 1, 11)
        measuring.measure(measuring.ready(Sources({source.reader: source}, "cold"), cell), cell)
        measured(source, 2, 6)
        shuffled, in_order = (files for what, files in seen if what == "read")
        assert set(shuffled) == set(in_order)
        assert in_order == sorted(in_order, key=source.files.index)
        assert (shuffled == in_order) == (shuffle == "none")

    def test_a_source_that_is_too_small_is_counted_as_it_is(self, source, seen):
        assert measured(source, 8, 3)["images"] == 20

    def test_files_in_a_bucket_have_no_page_cache_here(self, seen):
        source = Source("image_files", [f"gs://b/{number}.jpg" for number in range(9)], [1] * 9, (192, 192))
        row = measured(source)
        assert (row["page_cache"], row["page_cache_fraction"], row["images"]) == ("remote", None, 6)


def test_readers_are_not_measured_with_options_that_they_do_not_take(source):
    def possible(reader, **options):
        sources = Sources({reader: replace(source, reader=reader)}, "warm")
        return measuring.possible(sources, {"reader": reader, "batch_size": 2, "batch_number": 3, **options})

    assert possible("webdataset", workers=2) == "their readers cannot be given a number of workers"
    assert possible("lmdb", prefetch=2) == "their readers cannot be given a number of batches to read ahead"
    assert possible("lmdb", shuffle="full", workers=0) is None
    assert possible("lmdb_native", workers=2, prefetch=1) is None


@pytest.mark.parametrize(("records", "files"), [(1, 8), (9, 1)], ids=["photographs", "records"])
def test_warming_up_reads_the_first_file_alone(seen, records, files):
    source = Source("image_files", ["a", "b"], [records] * 2, (4, 4))
    measuring.warm(Sources({"image_files": source}, "warm"), Cell({"reader": "image_files"}))
    assert seen == [("read", ["a"] * files)]


def test_a_process_is_warm_for_sources_that_differ_in_their_files_alone():
    def warmth(*arguments, **others):
        source = Source(*arguments, **others)
        return measuring.warmth(Sources({source.reader: source}, "warm"), Cell({"reader": source.reader}))

    one = warmth("image_files", ["a"], [1], (4, 4))
    assert one == warmth("image_files", ["b", "c"], [1, 1], (4, 4))
    others = {
        warmth("tfrecords", ["a"], [1], (4, 4)),
        warmth("image_files", ["a"], [1], (4, 8)),
        warmth("image_files", ["gs://b/a"], [1], (4, 4)),
        warmth("image_files", ["a"], [1], (4, 4), narrow=True),
        warmth("image_files", ["a"], [1], (4, 4), compressions={"a": "GZIP"}),
    }
    assert len(others - {one}) == 5
