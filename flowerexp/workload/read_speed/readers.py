"""The readers: how images come from storage into memory, batch by batch.

`image_files` and `tfrecords` read with tf.data as the notebook has it. Their `_native` and `_cached` variants read the
same data without TensorFlow (`native`). TensorFlow is imported inside the functions: it costs a Python worker seconds
and 500 MB, so only a worker that measures it pays for it.

Files in a bucket come through fsspec, since no test can point TensorFlow's own client for buckets at a server of its
own. They are read when tf.data asks for them, inside of what is timed, as the notebook's reads by ``tf.io.gfile`` were:
no copies are made beforehand. A photograph is one request, one after the other; a TFRecord file is streamed, a request
for each 5 MiB (`storage.open_read`), and a generator hands its records over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cache, reduce
from itertools import islice
from typing import Any

from flowerexp import storage
from flowerexp.workload.images import LARGEST

IMAGE_FILES, TFRECORDS = "image_files", "tfrecords"
_NATIVE, _CACHED = "_native", "_cached"
READERS = tuple(data + way for way in ("", _NATIVE, _CACHED) for data in (IMAGE_FILES, TFRECORDS))

Pipeline = Callable[[Sequence[str]], Any]
"""Makes a tf.data.Dataset of images with their labels of the URIs of files."""

_HANDED_OVER = 16  # records of a bucket's file that go from Python to TensorFlow at once


def data_of(reader: str) -> str:
    """What a reader reads: `image_files` or `tfrecords`; of a name that is not ours, that name."""
    return reader.removesuffix(_NATIVE).removesuffix(_CACHED) if reader in READERS else reader


def keeps_decoded(reader: str) -> bool:
    """Whether a reader takes decoded images from memory, and so nothing from storage while it is timed."""
    return reader in READERS and reader.endswith(_CACHED)


@dataclass(frozen=True)
class Features:
    """The features of an Example that hold a picture and its class.

    Attributes:
        image: the name of the one with the picture.
        label: the name of the one with the class; None where there is none.
        text: is the class a text, and not a number?
    """

    image: str = "image"
    label: str | None = "class"
    text: bool = False


@dataclass(frozen=True)
class Source:
    """What a reader reads.

    Attributes:
        reader: one of `READERS`.
        files: the URIs, in the order of their names.
        records: how many images each file holds.
        target_size: (height, width) in pixels that images have, or are brought to.
        anonymous: read a bucket without credentials.
        origin: the config key that says where the files are.
        features: of the records of TFRecord files.
        compressions: `GZIP` or `ZLIB`, of each TFRecord file that is compressed.
        orientation: `exif` turns photographs as their EXIF data says; `stored` leaves them as they are.
        narrow: some photographs are so long and narrow that they have to be cut before they are resized
            (`images.LARGEST`), which costs `image_files` 0.07 ms for each photograph.
    """

    reader: str
    files: Sequence[str]
    records: Sequence[int]
    target_size: tuple[int, int]
    _: KW_ONLY
    anonymous: bool = False
    origin: str = "dataset"
    features: Features = Features()
    compressions: Mapping[str, str] = field(default_factory=dict)
    orientation: str = "stored"
    narrow: bool = False

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
    """The images of some files of a source, with their labels: to be asked for as ``.batch(size).take(number)``.

    Returns:
        A tf.data.Dataset, or `native.Pictures`. The tf.data one of photographs gives float32, as TensorFlow's resize
        does; all others give uint8.
    """
    if source.reader == IMAGE_FILES:
        return _image_files(source, files)
    if source.reader == TFRECORDS:
        return _tfrecords(source, files)
    from flowerexp.workload.read_speed import native  # OpenCV comes with it, which a plan does not need

    return native.Pictures(source, files)


def _read_file(anonymous: bool, *, local: bool) -> Any:
    """The op that reads a whole file: TensorFlow's own for local files, ours through fsspec for a bucket."""
    import tensorflow as tf

    if local:
        return tf.io.read_file
    options = storage.access(anonymous)

    def read(uri: Any) -> Any:
        content = tf.numpy_function(lambda name: storage.read_bytes(os.fsdecode(name), **options), [uri], tf.string)
        content.set_shape([])
        return content

    return read


def _image_files(source: Source, files: Sequence[str]) -> Any:
    """Photographs: read, decode, resize to cover the target, crop the centre; labels are the folders' names."""
    local = all(map(storage.is_local, source.files[:1]))
    return _photograph_pipeline(source.target_size, source.anonymous, local, source.narrow)(files)


@cache
def _photograph_pipeline(target_size: tuple[int, int], anonymous: bool, local: bool, narrow: bool) -> Pipeline:
    import tensorflow as tf

    read = _read_file(anonymous, local=local)
    height, width = target_size

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
        if narrow:
            image, new = _cut(image, shape[:2], tf.maximum(tf.floor(size), [height, width]), target_size)
        else:
            new = tf.maximum(tf.cast(size, tf.int32), [height, width])
        image = tf.image.resize(image, new)
        return tf.image.crop_to_bounding_box(image, (new[0] - height) // 2, (new[1] - width) // 2, height, width), label

    return _traced(lambda uris: tf.data.Dataset.from_tensor_slices(uris).map(decode).map(resize))


def _cut(image: Any, shape: Any, new: Any, target_size: tuple[int, int]) -> tuple[Any, Any]:
    """Cut off what is far from the target, of a picture that would be huge when it is resized whole.

    Others stay as they are. The result moves by a pixel or less.

    Args:
        image: a picture, shape (height, width, 3).
        shape: its height and width, as float64.
        new: those that it is to be resized to, as float64.
        target_size: what of that is wanted, around the centre.

    Returns:
        The picture, and the size that it is to be resized to, as int32.
    """
    import tensorflow as tf

    target = tf.constant(target_size, tf.float64)
    factor = new / shape
    far = tf.floor((new - target) / (2 * factor))
    off = tf.where(tf.reduce_prod(new) > LARGEST * tf.reduce_prod(target), far, 0.0)
    begin, end = tf.cast(off, tf.int32), tf.cast(shape - off, tf.int32)
    size = tf.maximum(tf.round(new - 2 * off * factor), target)
    return image[begin[0] : end[0], begin[1] : end[1]], tf.cast(size, tf.int32)


def _tfrecords(source: Source, files: Sequence[str]) -> Any:
    """TFRecord files of tf.train.Example with an image and a class: read, parse, decode."""
    import tensorflow as tf

    if all(map(storage.is_local, files)):
        kinds = {uri: source.compressions.get(uri, "") for uri in files}
        made = [
            _record_pipeline(source.target_size, source.features, kind)([uri for uri in files if kinds[uri] == kind])
            for kind in sorted(set(kinds.values()))
        ]
        return reduce(lambda some, more: some.concatenate(more), made)
    records = tf.data.Dataset.from_generator(
        lambda: _remote_records(files, storage.access(source.anonymous)),
        output_signature=tf.TensorSpec([None], tf.string),
    )
    return records.unbatch().map(_parser(source.target_size, source.features))


@cache
def _record_pipeline(target_size: tuple[int, int], features: Features, compression: str) -> Pipeline:
    import tensorflow as tf

    def read(uris: Any) -> Any:
        options = tf.data.Options()
        options.deterministic = False
        records = tf.data.TFRecordDataset(uris, compression_type=compression)
        return records.with_options(options).map(_parser(target_size, features))

    return _traced(read)


def _parser(target_size: tuple[int, int], features: Features) -> Callable[[Any], Any]:
    """The function that parses a record and decodes its image."""
    import tensorflow as tf

    wanted = {features.image: tf.io.FixedLenFeature([], tf.string)}
    if features.label is not None:
        wanted[features.label] = tf.io.FixedLenFeature([], tf.string if features.text else tf.int64)
    height, width = target_size

    def parse(record: Any) -> Any:
        example = tf.io.parse_single_example(record, wanted)
        image = tf.image.decode_jpeg(example[features.image], channels=3)
        label = tf.constant(-1, tf.int64) if features.label is None else example[features.label]
        return tf.reshape(image, [height, width, 3]), label

    return parse


def _traced(pipeline: Callable[[Any], Any]) -> Pipeline:
    """A pipeline whose functions TensorFlow traces once, not for the files of each measurement: 3 ms instead of 50.

    What is traced makes the whole dataset. Functions of its own for each step would also be traced once, but then
    tf.data calls them through a function of its own for every image, and is a tenth slower than the notebook's.

    Args:
        pipeline: makes a tf.data.Dataset of a vector of URIs.
    """
    import tensorflow as tf

    specs = []

    def build(uris: Any) -> Any:
        made = pipeline(uris)
        specs.append(made.element_spec)
        return tf.data.experimental.to_variant(made)

    uris = tf.TensorSpec([None], tf.string)
    traced = tf.function(build, input_signature=[uris], autograph=False).get_concrete_function()
    # Bytes, since names need not be UTF-8.
    return lambda files: tf.data.experimental.from_variant(
        traced(tf.constant(list(map(os.fsencode, files)), tf.string)), specs[0]
    )


def _remote_records(files: Sequence[str], options: dict[str, Any]) -> Iterator[list[bytes]]:
    """The records of files in a bucket, streamed; some at a time, since handing each over takes three times as long."""
    from flowerexp.workload.images import tfrecords

    for uri in files:
        with storage.open_read(uri, **options) as file:
            records = tfrecords.read_records(file, uri)
            while some := list(islice(records, _HANDED_OVER)):
                yield some
