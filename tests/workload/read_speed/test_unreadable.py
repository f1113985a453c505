"""The error names the file that a reader fails on, and the place of the damage, for every reader."""

import io
import uuid
from dataclasses import replace

import pytest
from PIL import Image

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload.engine.cells import Cell
from flowerexp.workload.images import examples, tfrecords
from flowerexp.workload.read_speed import measuring, readers, unreadable
from flowerexp.workload.read_speed.readers import Features, Source
from flowerexp.workload.read_speed.sources import Sources

pytestmark = pytest.mark.slow

SIZE = (16, 24)
OF_RECORDS = [reader for reader in readers.READERS if readers.data_of(reader) == readers.TFRECORDS]
OF_PHOTOGRAPHS = [reader for reader in readers.READERS if readers.data_of(reader) == readers.IMAGE_FILES]


def picture(size=SIZE):
    file = io.BytesIO()
    Image.new("RGB", (size[1], size[0]), (90, 90, 90)).save(file, "JPEG")
    return file.getvalue()


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


FINE = tfrecords.frame(examples.encode_example(picture(), 1))
BAD = {
    "a flipped byte": (flipped(FINE, 300), f"b.tfrec: record 3 at byte {2 * len(FINE)} has a wrong checksum"),
    "a hole": (FINE[:50] + FINE[60:], f"b.tfrec: record 3 at byte {2 * len(FINE)} has a wrong checksum"),
    "an empty record": (
        tfrecords.frame(b""),
        "b.tfrec: record 3: a record is not a tf.train.Example with the features",
    ),
    "other features": (
        tfrecords.frame(examples.encode_example(picture(), 1).replace(b"class", b"label")),
        "b.tfrec: record 3: a record is not a tf.train.Example with the features image and class; it has "
        "image (bytes), label (int64)",
    ),
    "another size": (
        tfrecords.frame(examples.encode_example(picture((20, 20)), 1)),
        "b.tfrec: record 3: a record's image is 20 x 20 pixels, not 16 x 24",
    ),
    "no picture": (tfrecords.frame(examples.encode_example(b"text", 1)), "b.tfrec: record 3: not an image"),
}


@pytest.fixture(params=["local", "bucket"])
def of_records(request, tmp_path):
    """A source of two files of four records, of which the third one of the second file is as given."""
    root = str(tmp_path) if request.param == "local" else f"memory://{uuid.uuid4().hex}"

    def of_records(bad):
        files = [f"{root}/{name}" for name in ("a.tfrec", "b.tfrec")]
        storage.write_bytes(files[0], FINE * 4)
        storage.write_bytes(files[1], FINE * 2 + bad + FINE)
        return Source("tfrecords", files, [4, 4], SIZE, origin="dataset.tfrecords")

    return of_records


def measured(source, size, number):
    """Read some batches, as a measurement does."""
    cell = Cell({"reader": source.reader, "batch_size": size, "batch_number": number})
    return measuring.measure(measuring.ready(Sources({source.reader: source}, "as_found"), cell), cell)


@pytest.mark.parametrize("reader", OF_RECORDS)
@pytest.mark.parametrize("kind", BAD)
def test_a_measurement_names_file_and_record(of_records, reader, kind):
    bad, said = BAD[kind]
    source = replace(of_records(bad), reader=reader)
    with pytest.raises(DataError) as caught:
        measured(source, 4, 2)
    assert said in str(caught.value)
    assert caught.value.where == "dataset.tfrecords"
    assert "flowerexp did not write it" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", OF_RECORDS)
def test_so_does_warming_up(of_records, reader):
    source = replace(of_records(b""), reader=reader, features=Features("other"))
    said = r"a\.tfrec: record 1: a record is not .* with the features other and class"
    with pytest.raises(DataError, match=said):
        measuring.warm(Sources({reader: source}, "as_found"), Cell({"reader": reader}))


@pytest.mark.parametrize("reader", OF_PHOTOGRAPHS)
@pytest.mark.parametrize(("content", "said"), [(b"text", "2.jpg"), (None, "2.jpg")], ids=["no picture", "gone"])
def test_photographs_are_named_too(tmp_path, reader, content, said):
    (tmp_path / "daisy").mkdir()
    files = [str(tmp_path / "daisy" / f"{number}.jpg") for number in range(4)]
    for file in files:
        (tmp_path / file).write_bytes(picture())
    if content is None:
        (tmp_path / "daisy" / "2.jpg").unlink()
    else:
        (tmp_path / "daisy" / "2.jpg").write_bytes(content)
    source = Source(reader, files, [1] * 4, SIZE)
    with pytest.raises(Exception, match=said) as caught:
        measured(source, 2, 2)
    assert "\n" not in str(caught.value)


def test_an_error_that_is_not_of_the_files_stays_as_it_is(of_records):
    source = of_records(b"")
    for error in (ZeroDivisionError(), MemoryError()):
        with pytest.raises(type(error)), unreadable.named(source, source.files[:1]):
            raise error
