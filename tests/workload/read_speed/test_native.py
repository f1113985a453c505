"""The readers without TensorFlow: the same images and labels as those of tf.data, once each and in order."""

import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload import formats
from flowerexp.workload.images import examples, tfrecords, transform
from flowerexp.workload.read_speed import native, pipeline
from flowerexp.workload.read_speed.readers import READERS, Source, data_of, keeps_decoded
from tests.workload.read_speed.test_readers import pictures, root  # noqa: F401  fixtures

TARGET = (16, 24)
OURS = [name for name, one in READERS.items() if one.way != "own" and one.data in ("image_files", "tfrecords")]


def test_each_is_known_by_what_it_reads():
    assert len(READERS) == 2 * (1 + len(formats.NAMES)) + 2
    assert {one.format for one in READERS.values()} == {None, *formats.NAMES}
    assert [data_of(reader) for reader in OURS] == ["image_files", "tfrecords"] * 2
    assert [reader for reader in READERS if keeps_decoded(reader)] == ["image_files_cached", "tfrecords_cached"]
    assert data_of("my_cached") == "my_cached"


@pytest.fixture
def source(root, pictures):  # noqa: F811
    """`source(reader)`: seven pictures, as files, or as records in two files with an empty one between them."""
    photographs = [storage.join(root, f"class{number % 3}", f"{number}.jpg") for number in range(len(pictures))]
    for file, content in zip(photographs, pictures, strict=True):
        storage.write_bytes(file, content)
    made = [examples.encode_example(transform.recompress(picture, TARGET, 95), n) for n, picture in enumerate(pictures)]
    records = []
    for name, part in (("a", made[:3]), ("b", []), ("c", made[3:])):
        storage.write_bytes(storage.join(root, "records", name), b"".join(map(tfrecords.frame, part)))
        records.append(storage.join(root, "records", name))

    def source(reader):
        if data_of(reader) == "image_files":
            return Source(reader, photographs, [1] * len(photographs), TARGET)
        return Source(reader, records, [3, 0, len(made) - 3], TARGET)

    return source


@pytest.mark.parametrize("reader", OURS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
@pytest.mark.slow
def test_batches_are_those_of_tf_data(source, reader, size):
    theirs = source(data_of(reader))
    expected = list(pipeline.dataset(theirs, theirs.files).batch(size).take(4).as_numpy_iterator())
    ours = source(reader)
    found = list(pipeline.dataset(ours, ours.files).batch(size).take(4))
    assert [len(batch) for batch, _ in found] == [len(batch) for batch, _ in expected]
    for (batch, labels), (wanted, their_labels) in zip(found, expected, strict=True):
        assert batch.dtype == np.uint8
        assert np.abs(batch - wanted.astype(float)).max() < 1
        assert labels.tolist() == their_labels.tolist()


def count_decoded(monkeypatch):
    """What is decoded from now on."""
    decoded = []

    def counted(decode):
        def decode_and_count(*arguments):
            decoded.append(arguments)
            return decode(*arguments)

        return decode_and_count

    for name in ("decode_into", "upright"):
        monkeypatch.setattr(native, name, counted(getattr(native, name)))
    return decoded


@pytest.mark.parametrize("reader", OURS)
def test_no_more_is_read_than_asked_for(source, reader, monkeypatch):
    decoded = count_decoded(monkeypatch)
    ours = source(reader)
    assert [len(batch) for batch, _ in pipeline.dataset(ours, ours.files).batch(2).take(2)] == [2, 2]
    assert len(decoded) == 4


@pytest.mark.parametrize("reader", OURS)
def test_what_is_kept_is_decoded_before_it_is_asked_for_and_only_once(source, reader, monkeypatch):
    ours = source(reader)
    batches = pipeline.dataset(ours, ours.files).batch(3).take(2)
    decoded = count_decoded(monkeypatch)
    first, again = list(batches), list(batches)
    assert len(decoded) == (0 if keeps_decoded(reader) else 12)
    for (batch, labels), (other, _) in zip(first, again, strict=True):
        assert np.array_equal(batch, other)
        assert len(labels) == len(batch)
        batch[:] = 0  # the caller may change a batch: what is kept stays as it is
    assert any(batch.any() for batch, _ in batches)


@pytest.mark.parametrize("reader", OURS)
def test_a_damaged_file_is_an_error_and_not_a_missing_image(source, reader):
    ours = source(reader)
    last = ours.files[-1]
    storage.write_bytes(last, storage.read_bytes(last)[:-20])
    with pytest.raises(DataError):
        list(pipeline.dataset(ours, ours.files).batch(2).take(9))


def test_records_of_another_size_say_so(source):
    ours = source("tfrecords_native")
    wrong = Source(ours.reader, ours.files, ours.records, (24, 16))
    with pytest.raises(DataError, match="16 x 24 pixels, not 24 x 16"):
        list(pipeline.dataset(wrong, wrong.files).batch(2).take(1))


def test_nothing_is_left_working_when_a_reader_of_batches_stops_early(source):
    ours = source("image_files_native")
    before = threading.active_count()
    batches = iter(pipeline.dataset(ours, ours.files).batch(1).take(7))
    assert len(list(itertools.islice(batches, 2))) == 2
    batches.close()
    assert threading.active_count() <= before


def test_tensorflow_is_not_loaded(tmp_path, pictures):  # noqa: F811
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jpg").write_bytes(pictures[0])
    program = f"""
import sys
from flowerexp.workload.engine.cells import Cell
from flowerexp.workload.read_speed import measuring
from flowerexp.workload.read_speed.readers import Source
from flowerexp.workload.read_speed.sources import Sources
source = Source("image_files_native", [{str(tmp_path / "a" / "b.jpg")!r}], [1], (16, 24))
cell = Cell({{"reader": source.reader, "batch_size": 1, "batch_number": 1}})
row = measuring.measure(measuring.ready(Sources({{source.reader: source}}, "warm"), cell), cell)
assert row["images"] == 1, row
assert "tensorflow" not in sys.modules
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
