"""The readers: how images come from storage into memory, batch by batch, with tf.data as the notebook has it.

TensorFlow is imported inside the functions: it costs a Python worker seconds and 500 MB, so only a worker that
measures pays for it.

Files in a bucket come through fsspec, since no test can point TensorFlow's own client for buckets at a server of its
own. They are read when tf.data asks for them, inside of what is timed, as the notebook's reads by ``tf.io.gfile`` were:
no copies are made beforehand. A photograph is one request, one after the other; a TFRecord file is streamed, a request
for each 5 MiB (`storage.open_read`), and a generator hands its records over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from flowerexp import storage

_HANDED_OVER = 16  # records of a bucket's file that go from Python to TensorFlow at once


@dataclass(frozen=True)
class Source:
    """What a reader reads.

    Attributes:
        reader: `image_files` or `tfrecords`.
        files: the URIs, in the order of their names.
        records: how many images each file holds.
        target_size: (height, width) in pixels that images have, or are brought to.
        anonymous: read a bucket without credentials.
    """

    reader: str
    files: Sequence[str]
    records: Sequence[int]
    target_size: tuple[int, int]
    anonymous: bool = False

    @property
    def images(self) -> int:
        """How many images there are."""
        return sum(self.records)

    def prefix(self, order: Sequence[int], images: int) -> list[str]:
        """The first files, in the given order of indices, that hold at least so many images between them."""
        chosen, held = [], 0
        for index in order:
            if held >= images:
                break
            chosen.append(self.files[index])
            held += self.records[index]
        return chosen


def dataset(source: Source, files: Sequence[str]) -> Any:
    """A tf.data.Dataset of (image, label) over some files of a source, not batched yet."""
    return _image_files(source, files) if source.reader == "image_files" else _tfrecords(source, files)


def _read_file(source: Source) -> Any:
    """The op that reads a whole file: TensorFlow's own for local files, ours through fsspec for a bucket."""
    import tensorflow as tf

    if all(map(storage.is_local, source.files[:1])):
        return tf.io.read_file
    options = {"token": "anon"} if source.anonymous else {}

    def read(uri: Any) -> Any:
        content = tf.numpy_function(lambda name: storage.read_bytes(name.decode(), **options), [uri], tf.string)
        content.set_shape([])
        return content

    return read


def _image_files(source: Source, files: Sequence[str]) -> Any:
    """Photographs: read, decode, resize to cover the target, crop the centre; labels are the folders' names."""
    import tensorflow as tf

    read = _read_file(source)
    height, width = source.target_size

    def decode(uri: Any) -> Any:
        image = tf.image.decode_jpeg(read(uri), channels=3)
        return image, tf.strings.split(tf.expand_dims(uri, axis=-1), sep="/").values[-2]

    def resize(image: Any, label: Any) -> Any:
        shape = tf.cast(tf.shape(image), tf.float64)
        # As in images.fill_geometry: the side that needs the larger factor fits, the other one is cut.
        wide = shape[0] * width < shape[1] * height
        size = tf.cond(
            wide,
            lambda: tf.stack([tf.constant(height, tf.float64), shape[1] * height / shape[0]]),
            lambda: tf.stack([shape[0] * width / shape[1], tf.constant(width, tf.float64)]),
        )
        new = tf.maximum(tf.cast(size, tf.int32), [height, width])
        image = tf.image.resize(image, new)
        return tf.image.crop_to_bounding_box(image, (new[0] - height) // 2, (new[1] - width) // 2, height, width), label

    return tf.data.Dataset.from_tensor_slices(list(files)).map(decode).map(resize)


def _tfrecords(source: Source, files: Sequence[str]) -> Any:
    """TFRecord files of tf.train.Example with `image` (JPEG) and `class`: read, parse, decode."""
    import tensorflow as tf

    features = {"image": tf.io.FixedLenFeature([], tf.string), "class": tf.io.FixedLenFeature([], tf.int64)}
    height, width = source.target_size

    def parse(record: Any) -> Any:
        example = tf.io.parse_single_example(record, features)
        image = tf.image.decode_jpeg(example["image"], channels=3)
        return tf.reshape(image, [height, width, 3]), example["class"]

    if all(map(storage.is_local, files)):
        options = tf.data.Options()
        options.deterministic = False
        return tf.data.TFRecordDataset(list(files)).with_options(options).map(parse)
    records = tf.data.Dataset.from_generator(
        lambda: _remote_records(files, source.anonymous), output_signature=tf.TensorSpec([None], tf.string)
    )
    return records.unbatch().map(parse)


def _remote_records(files: Sequence[str], anonymous: bool) -> Iterator[list[bytes]]:
    """The records of files in a bucket, streamed; some at a time, since handing each over takes three times as long."""
    from flowerexp.workload import tfrecords

    options = {"token": "anon"} if anonymous else {}
    for uri in files:
        with storage.open_read(uri, **options) as file:
            records = tfrecords.read_records(file)
            while some := list(islice(records, _HANDED_OVER)):
                yield some
