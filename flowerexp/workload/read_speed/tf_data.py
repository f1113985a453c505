"""The readers `image_files` and `tfrecords`: pipelines of tf.data like those of Google's notebooks.

TensorFlow is imported inside the functions: it costs a Python worker seconds and 500 MB, so only a worker that measures
it imports it.

Files in a bucket come through fsspec, since TensorFlow's client for buckets cannot be pointed at a test's server. They
are read when tf.data asks for them, while the clock runs, like the notebooks' reads with ``tf.io.gfile``: no copies are
made beforehand. A photograph is one request, one after the other; a TFRecord file is streamed with one request for each
5 MiB (`storage.open_read`), and a generator passes its records on.

Workers are the parallel calls of `map`, in TensorFlow's own threads: none by itself, as in the notebooks. Prefetch is
`prefetch` at the end. Records in random order are drawn from a buffer (`shuffle`); photographs are files, whose order
is random already.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial, reduce
from itertools import islice
from typing import Any

from flowerexp import storage
from flowerexp.workload.images import LARGEST, SCALES
from flowerexp.workload.images.tensorflow import tensorflow
from flowerexp.workload.read_speed.readers import IMAGE_FILES, SHUFFLE_BUFFER, Features, Options, Source

Pipeline = Callable[[Sequence[str], int], Any]
"""Makes a tf.data.Dataset of images and labels from the URIs of files, and a seed."""

_SEEDS = 2**31
_RECORDS_AT_ONCE = 16  # records of a bucket's file that go from Python to TensorFlow at once


def dataset(source: Source, files: Sequence[str], options: Options) -> Any:
    """A tf.data.Dataset of the images and labels in some files of a source."""
    make = _image_files if source.reader == IMAGE_FILES else _tfrecords
    images = make(source, files, options)
    return Prefetched(images, options.prefetch) if options.prefetch else images


class Prefetched:
    """A tf.data.Dataset whose batches are read ahead."""

    def __init__(self, images: Any, number: int) -> None:
        self._images, self._number = images, number

    def batch(self, size: int) -> Any:
        """Its batches."""
        return self._images.batch(size).prefetch(self._number)


def _read_file(anonymous: bool, *, local: bool) -> Any:
    """The operation that reads a whole file: TensorFlow's for local files, one that uses fsspec for a bucket."""
    tf = tensorflow()

    if local:
        return tf.io.read_file
    options = storage.access(anonymous)

    def read(uri: Any) -> Any:
        content = tf.numpy_function(lambda name: storage.read_bytes(os.fsdecode(name), **options), [uri], tf.string)
        content.set_shape([])
        return content

    return read


def _image_files(source: Source, files: Sequence[str], options: Options) -> Any:
    """Photographs: read, decode, resize to cover the target, crop the centre; labels are the folders' names."""
    local = all(map(storage.is_local, source.files[:1]))
    traits = (source.target_size, source.anonymous, local, source.narrow, source.scaled)
    return _photograph_pipeline(*traits, options.workers)(files, 0)


@cache
def _photograph_pipeline(
    target_size: tuple[int, int], anonymous: bool, local: bool, narrow: bool, scaled: bool, workers: int
) -> Pipeline:
    tf = tensorflow()

    read = _read_file(anonymous, local=local)
    height, width = target_size

    def decode(uri: Any) -> Any:
        content = read(uri)
        image = _decode_scaled(content, target_size) if scaled else tf.image.decode_jpeg(content, channels=3)
        return image, tf.strings.split(tf.expand_dims(uri, axis=-1), sep="/").values[-2]

    def resize(image: Any, label: Any) -> Any:
        shape = tf.cast(tf.shape(image), tf.float64)
        # As in transform.fill_geometry: the side that needs the larger factor fits, the other one is cut.
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

    calls = workers or None
    return _traced(lambda uris, _: tf.data.Dataset.from_tensor_slices(uris).map(decode, calls).map(resize, calls))


def _decode_scaled(content: Any, target_size: tuple[int, int]) -> Any:
    """Decode a picture; a large JPEG at the scale of `decoded.scale_of`."""
    tf = tensorflow()

    def whole() -> Any:
        return tf.image.decode_jpeg(content, channels=3)

    def scaled() -> Any:
        shape = tf.image.extract_jpeg_shape(content)[:2]
        # `ratio` is an attribute of the operation, not one of its inputs: hence an operation for each.
        choices = [
            (
                tf.reduce_all(shape >= [scale * side for side in target_size]),
                partial(tf.image.decode_jpeg, content, channels=3, ratio=scale),
            )
            for scale in SCALES
        ]
        return tf.case(choices, default=whole)

    return tf.cond(tf.io.is_jpeg(content), scaled, whole)


def _cut(image: Any, shape: Any, new: Any, target_size: tuple[int, int]) -> tuple[Any, Any]:
    """Cut off what is far from the target, if resizing the whole picture would make it huge.

    Other pictures stay as they are. The result moves by a pixel or less.

    Args:
        image: a picture, shape (height, width, 3).
        shape: its height and width, as float64.
        new: its height and width after resizing, as float64.
        target_size: (height, width) of the part around the centre that is wanted.

    Returns:
        The picture, and the size to resize it to, as int32.
    """
    tf = tensorflow()

    target = tf.constant(target_size, tf.float64)
    factor = new / shape
    far = tf.floor((new - target) / (2 * factor))
    off = tf.where(tf.reduce_prod(new) > LARGEST * tf.reduce_prod(target), far, 0.0)
    begin, end = tf.cast(off, tf.int32), tf.cast(shape - off, tf.int32)
    size = tf.maximum(tf.round(new - 2 * off * factor), target)
    return image[begin[0] : end[0], begin[1] : end[1]], tf.cast(size, tf.int32)


def _tfrecords(source: Source, files: Sequence[str], options: Options) -> Any:
    """TFRecord files of tf.train.Example messages with an image and a class: read, parse, decode."""
    tf = tensorflow()

    if all(map(storage.is_local, files)):
        kinds = {uri: source.compressions.get(uri, "") for uri in files}
        datasets = [
            _record_pipeline(source.target_size, source.features, kind, options.shuffle == "full", options.workers)(
                [uri for uri in files if kinds[uri] == kind], options.seed
            )
            for kind in sorted(set(kinds.values()))
        ]
        return reduce(lambda first, second: first.concatenate(second), datasets)
    records = tf.data.Dataset.from_generator(
        lambda: _remote_records(files, storage.access(source.anonymous)),
        output_signature=tf.TensorSpec([None], tf.string),
    )
    records = records.unbatch()
    if options.shuffle == "full":
        records = records.shuffle(SHUFFLE_BUFFER, options.seed % _SEEDS)
    return records.map(_parser(source.target_size, source.features), options.workers or None)


@cache
def _record_pipeline(
    target_size: tuple[int, int], features: Features, compression: str, full: bool, workers: int
) -> Pipeline:
    tf = tensorflow()

    def read(uris: Any, seed: Any) -> Any:
        options = tf.data.Options()
        options.deterministic = False
        records = tf.data.TFRecordDataset(uris, compression_type=compression).with_options(options)
        if full:
            records = records.shuffle(SHUFFLE_BUFFER, seed)
        return records.map(_parser(target_size, features), workers or None)

    return _traced(read)


def _parser(target_size: tuple[int, int], features: Features) -> Callable[[Any], Any]:
    """The function that parses a record and decodes its image."""
    tf = tensorflow()

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


def _traced(pipeline: Callable[[Any, Any], Any]) -> Pipeline:
    """A pipeline whose functions TensorFlow traces once, not for the files of each measurement: 3 ms instead of 50.

    The traced function makes the whole dataset. A traced function for each step would be slower by a tenth than the
    notebooks' pipeline, since tf.data would call each through another function for every image.

    Args:
        pipeline: makes a tf.data.Dataset from a vector of URIs and a seed.
    """
    tf = tensorflow()

    specs = []

    def build(uris: Any, seed: Any) -> Any:
        images = pipeline(uris, seed)
        specs.append(images.element_spec)
        return tf.data.experimental.to_variant(images)

    uris = tf.TensorSpec([None], tf.string)
    signature = [uris, tf.TensorSpec([], tf.int64)]
    traced = tf.function(build, input_signature=signature, autograph=False).get_concrete_function()
    # Bytes, since names need not be UTF-8.
    return lambda files, seed: tf.data.experimental.from_variant(
        traced(tf.constant(list(map(os.fsencode, files)), tf.string), tf.constant(seed % _SEEDS, tf.int64)), specs[0]
    )


def _remote_records(files: Sequence[str], options: dict[str, Any]) -> Iterator[list[bytes]]:
    """Groups of records from files in a bucket, streamed: passing them on one by one takes three times as long."""
    from flowerexp.workload.images import tfrecords

    for uri in files:
        with storage.open_read(uri, **options) as file:
            records = tfrecords.read_records(file, uri)
            while group := list(islice(records, _RECORDS_AT_ONCE)):
                yield group
