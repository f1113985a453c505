"""One measurement: what the clock includes, and that images are counted, not assumed."""

import gc
import os
import time
from types import SimpleNamespace
from typing import Any

import pytest

from flowerexp.workload import host, measure, page_cache, readers, slots
from flowerexp.workload.measure import Settling, Task, is_steady, time_batches
from flowerexp.workload.readers import Source


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
        assert timing.seconds == 3.75

    def test_the_clock_runs_from_before_the_first_batch_to_the_end(self, clock):
        timing = time_batches(batches(clock, (4, 1), (4, 1)))
        assert timing.started_ns == 1_000_000_000
        assert timing.ended_ns == clock.ns == timing.started_ns + 2_250_000_000

    def test_one_batch(self, clock):
        timing = time_batches(batches(clock, (5, 2)))
        assert (timing.images, timing.first_batch_images, timing.first_batch_seconds) == (5, 5, 2.0)

    def test_nothing(self, clock):
        timing = time_batches(batches(clock))
        assert (timing.images, timing.batches, timing.first_batch_seconds, timing.first_batch_images) == (0, 0, 0, 0)
        assert timing.seconds == 0.25


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


class TestMeasure:
    @pytest.fixture
    def source(self, tmp_path):
        files = [tmp_path / f"{number}.jpg" for number in range(20)]
        for file in files:
            file.write_bytes(b"content")
        return Source("image_files", [str(file) for file in files], [1] * 20, (192, 192))

    @pytest.fixture
    def seen(self, monkeypatch, tmp_path):
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

        def settle(source):
            seen.append(("settle", source.reader))
            return Settling(5, True)

        monkeypatch.setattr(readers, "dataset", lambda source, files: Dataset(files))
        monkeypatch.setattr(measure, "warm_up", lambda source: seen.append(("warm up", source.reader)))
        monkeypatch.setattr(measure, "settle", settle)
        monkeypatch.setattr(page_cache, "bring_to", lambda state, files: seen.append((state, list(files))))
        monkeypatch.setattr(slots, "folder", lambda: tmp_path)
        return seen

    def measured(self, source, **changes):
        task = {"reader": source.reader, "batch_size": 2, "batch_number": 3, "repetition": 1, "order": 7, "seed": 11}
        return measure.measure(Task(**{**task, **changes}), source, 1, "cold")

    def test_a_row_says_what_was_asked_and_what_came(self, source, seen):
        row = self.measured(source)
        assert (row["reader"], row["batch_size"], row["batch_number"], row["order"]) == ("image_files", 2, 3, 7)
        assert (row["images"], row["batches"], row["first_batch_images"], row["execution"]) == (6, 3, 2, 1)
        assert row["seconds"] == (row["ended_ns"] - row["started_ns"]) / 1e9
        assert row["page_cache"] == page_cache.state(row["page_cache_fraction"])

    def test_the_state_of_the_cache_is_brought_about_after_warming_up_and_before_reading(self, source, seen):
        self.measured(source)
        assert [what for what, _ in seen] == ["warm up", "settle", "cold", "read"]
        assert seen[2][1] == seen[3][1]

    def test_a_row_says_how_the_process_became_warm_and_what_the_host_did(self, source, seen):
        row = self.measured(source)
        assert (row["warm_up_reads"], row["warm_up_steady"]) == (5, True)
        assert {"load_before", "cpu_percent", "others_cpu_percent", "net_bytes_s", "disk_bytes_s"} < row.keys()
        assert row["host_cores"] == os.cpu_count()
        assert row["memory_available_bytes"] > 0

    def test_without_psutil_rows_lack_what_the_host_did(self, source, seen, monkeypatch):
        monkeypatch.setattr(host, "psutil", None)
        assert not {"load_before", "cpu_percent", "host_cores"} & self.measured(source).keys()

    def test_the_seed_decides_which_files_are_read(self, source, seen):
        for seed in (1, 1, 2):
            self.measured(source, seed=seed)
        first, again, other = (files for what, files in seen if what == "read")
        assert first == again
        assert set(first) != set(other)
        assert len(first) == len(set(first)) == 6

    def test_a_source_that_is_too_small_is_counted_as_it_is(self, source, seen):
        assert self.measured(source, batch_size=8, batch_number=3)["images"] == 20

    def test_files_in_a_bucket_have_no_page_cache_here(self, seen):
        source = Source("image_files", [f"gs://b/{number}.jpg" for number in range(9)], [1] * 9, (192, 192))
        row = self.measured(source)
        assert (row["page_cache"], row["page_cache_fraction"], row["images"]) == ("remote", None, 6)


def test_warming_up_happens_once_for_each_reader_and_its_settings(monkeypatch, tmp_path):
    made = []

    class Dataset(list[Any]):
        def batch(self, _):
            return self

        take = batch

    def dataset(source, files):
        made.append((source.reader, list(files)))
        return Dataset()

    monkeypatch.setattr(measure, "_warm", set())
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(readers, "dataset", dataset)
    for reader, size in (("image_files", 1), ("tfrecords", 1), ("image_files", 1), ("image_files", 2)):
        measure.warm_up(Source(reader, ["a", "b"], [1, 1], (size, size)))
    assert made == [("image_files", ["a"]), ("tfrecords", ["a"]), ("image_files", ["a"])]


@pytest.mark.parametrize(
    ("seconds", "steady"),
    [
        ([5, 5, 5, 5], True),
        ([9, 5, 5, 5], False),  # the second read was faster than all before it, and is one of the last three
        ([5, 5, 5], False),  # too few to tell
        ([9, 5, 5, 4], False),
        ([9, 8, 7, 6, 5, 4], False),
        ([9, 4, 5, 4.5, 4], True),
        ([9, 4, 5, 4.5, 3.9], True),  # by less than a twentieth
        ([9, 4, 8, 9, 8], True),  # neighbours make reads slower, and no process cold
    ],
)
def test_a_process_is_warm_when_reads_stop_getting_faster(seconds, steady):
    assert is_steady(seconds) is steady


class TestSettle:
    @pytest.fixture
    def reads(self, monkeypatch, clock):
        """What warming up reads; each read takes the next of `reads.seconds`, and the last of them for ever."""
        reads = SimpleNamespace(files=[], seconds=[1.0])

        class Dataset:
            def __init__(self, source, files):
                reads.files.append(list(files))
                self.seconds = reads.seconds[min(len(reads.files), len(reads.seconds)) - 1]

            def batch(self, _):
                return self

            take = batch

            def __iter__(self):
                clock.ns += int(self.seconds * 1e9)
                yield SimpleNamespace(shape=(8,)), None

        monkeypatch.setattr(readers, "dataset", Dataset)
        monkeypatch.setattr(measure, "_settled", {})
        monkeypatch.setattr(gc, "freeze", lambda: None)
        return reads

    PHOTOGRAPHS = Source("image_files", ["a", "b"], [1, 1], (4, 4))

    def test_it_reads_the_first_file_until_that_gets_no_faster(self, reads):
        reads.seconds = [0.3, 0.1, 0.05, 0.05, 0.05, 0.05]
        assert measure.settle(self.PHOTOGRAPHS) == Settling(6, True)
        assert reads.files == [["a"] * 8] * 6

    def test_it_happens_once_for_each_reader(self, reads):
        reads.seconds = [0.1]
        for _ in range(2):
            assert measure.settle(self.PHOTOGRAPHS) == Settling(4, True)
        measure.settle(Source("tfrecords", ["x", "y"], [9, 9], (4, 4)))
        assert reads.files == [["a"] * 8] * 4 + [["x"]] * 4

    def test_what_never_settles_is_given_up_and_told(self, reads):
        reads.seconds = [0.9**number * 0.2 for number in range(99)]
        found = measure.settle(self.PHOTOGRAPHS)
        assert not found.steady
        assert 4 < found.reads <= 20

    def test_slow_reads_are_given_up_after_a_while(self, reads):
        reads.seconds = [0.8]
        assert measure.settle(self.PHOTOGRAPHS) == Settling(3, False)
