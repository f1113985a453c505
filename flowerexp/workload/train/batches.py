"""Batches of one side's images for one worker: a tf.data.Dataset from any reader."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp.workload.images.tensorflow import tensorflow
from flowerexp.workload.read_speed import pipeline
from flowerexp.workload.read_speed.readers import Source

_AHEAD = 2  # batches that are read while the network computes
_FROM_PYTHON = 16  # images that a reader without tf.data passes on at once
_MIXED = 8
"""Of files with several images: from as many batches the next image is drawn. Files with one are read in any order."""

Dataset = Any


@dataclass(frozen=True)
class Shard:
    """One worker's part of a source.

    Attributes:
        source: all files.
        classes: the names of the classes.
        number: the worker's, from 0.
        of: how many workers there are.
    """

    source: Source
    classes: Sequence[str]
    number: int = 0
    of: int = 1

    @property
    def files(self) -> list[str]:
        """The files that are the worker's."""
        return list(self.source.files[self.number :: self.of])

    @property
    def images(self) -> int:
        """How many images these have."""
        return sum(self.source.records[self.number :: self.of])


def in_order(shard: Shard, size: int) -> Dataset:
    """All images, always in the same order and kept in memory: to validate with."""
    return _images(shard, shard.files).batch(size).cache().prefetch(_AHEAD)


class Shuffled:
    """Batches in another order in each epoch; the same seed gives the same orders.

    Args:
        shard: what is read.
        size: images in a batch.
        keep: whether decoded images are kept in memory from the first epoch on (`Dataset.cache()`).
        seed: of the orders.
    """

    def __init__(self, shard: Shard, size: int, keep: bool, seed: int) -> None:
        self._shard, self._size, self._keep, self._seed = shard, size, keep, seed
        self._kept = _images(shard, self._files(0)).cache() if keep else None

    def epoch(self, number: int) -> Dataset:
        """The batches of an epoch, counted from 1."""
        if self._kept is not None:
            images = self._kept.shuffle(self._shard.images, self._seed + number)
        else:
            images = _images(self._shard, self._files(number))
            if max(self._shard.source.records) > 1:
                images = images.shuffle(_MIXED * self._size, self._seed + number)
        return images.batch(self._size).prefetch(_AHEAD)

    def _files(self, number: int) -> list[str]:
        files = self._shard.files
        random.Random(f"{self._seed} {number}").shuffle(files)
        return files


def _images(shard: Shard, files: Sequence[str]) -> Dataset:
    """The images of files, float32 of shape (height, width, 3) from 0 to 255, and the numbers of their classes."""
    tf = tensorflow()

    height, width = shard.source.target_size
    found = pipeline.dataset(shard.source, files)
    if not isinstance(found, tf.data.Dataset):
        found = _from_python(shard, found)
    number_of = _numbers(shard.classes)

    def as_numbers(image: Any, label: Any) -> tuple[Any, Any]:
        return tf.ensure_shape(tf.cast(image, tf.float32), [height, width, 3]), number_of(label)

    return found.map(as_numbers)


_texts: dict[str, bool] = {}  # by reader, whether its labels are texts


def _from_python(shard: Shard, images: Any) -> Dataset:
    """A reader without tf.data as one: what `read_speed.pipeline.dataset` returned, with `batch` and `take`."""
    tf = tensorflow()

    reader, groups = shard.source.reader, -(-shard.images // _FROM_PYTHON)
    if reader not in _texts:
        _, labels = next(iter(images.batch(1).take(1)))
        _texts[reader] = labels.dtype.kind in "SO"
    shape, kind = [None, *shard.source.target_size, 3], tf.string if _texts[reader] else tf.int64
    signature = (tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([None], kind))

    def read() -> Iterator[tuple[Any, Any]]:
        yield from images.batch(_FROM_PYTHON).take(groups)

    return tf.data.Dataset.from_generator(read, output_signature=signature).unbatch()


def _numbers(classes: Sequence[str]) -> Callable[[Any], Any]:
    """What turns a label, a number or a folder's name, into a number."""
    tf = tensorflow()

    names = tf.constant([name.encode(errors="surrogateescape") for name in classes])

    def number_of(label: Any) -> Any:
        if label.dtype != tf.string:
            return tf.cast(label, tf.int64)
        return tf.argmax(tf.cast(names == label, tf.int64))

    return number_of
