"""Readers without TensorFlow: pictures come as NumPy arrays, decoded by simplejpeg and resized by OpenCV in threads.

Both let go of Python's global lock while they work, so that a thread for each core keeps all cores decoding. What
comes out are batches as tf.data gives them, in the order of the files: (images, labels), uint8 of shape
(n, height, width, 3), and the folders' names (bytes) or the classes' numbers (int64; in TFRecord files of others, texts
too). The last batch may be short.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload.images import decoded, tfrecords, transform
from flowerexp.workload.read_speed.readers import IMAGE_FILES, Source, data_of, keeps_decoded

_LARGEST = 4  # times the target's pixels: of a picture that is resized whole, what is cut off included
Batch = tuple[NDArray[np.uint8], NDArray[Any]]
# What a thread makes of one item: a picture of the target's size and its label.
_Work = Callable[[Any], tuple[NDArray[np.uint8], bytes | int]]


@dataclass(frozen=True)
class Pictures:
    """The pictures of some files, asked for as a tf.data.Dataset is: ``Pictures(...).batch(8).take(18)``.

    Of a reader that ends in `_native`, all work is done while the batches are iterated over: reading the files,
    decoding, resizing, and bringing the pictures together in batches.

    Of a reader that ends in `_cached`, `take` reads and decodes everything at once and keeps the pictures in memory
    (`images * height * width * 3` bytes). Iterating copies them, batch by batch, into arrays of the caller's own: this
    alone is what a clock around the iteration sees, as in the second epoch of a training that keeps its decoded
    pictures. No storage, no JPEG and no resizing are in it.
    """

    source: Source
    files: Sequence[str]
    size: int = 1
    number: int | None = None

    def batch(self, size: int) -> Pictures:
        """The same in batches of so many images."""
        return replace(self, size=size)

    def take(self, number: int) -> Iterable[Batch]:
        """The first batches, to be iterated over; of a `_cached` reader, decoded by then."""
        wanted = replace(self, number=number)
        return _Kept(wanted) if keeps_decoded(self.source.reader) else wanted

    def __iter__(self) -> Iterator[Batch]:
        items, work = _opened(self.source, self.files)
        wanted = None if self.number is None else self.size * self.number
        return _batches(islice(items, wanted), work, self.size, self.source.target_size)


class _Kept:
    """Pictures that are decoded already, in batches that are copied as they are asked for."""

    def __init__(self, pictures: Pictures) -> None:
        self._size = pictures.size
        everything = replace(pictures, size=pictures.size * (pictures.number or 0), number=1)
        self._kept = next(iter(everything), None)

    def __iter__(self) -> Iterator[Batch]:
        if self._kept is None:
            return
        pictures, labels = self._kept
        for start in range(0, len(pictures), self._size):
            yield pictures[start : start + self._size].copy(), labels[start : start + self._size].copy()


def _opened(source: Source, files: Sequence[str]) -> tuple[Iterator[Any], _Work]:
    """What is to be worked on, one item an image, and the work on each that the threads do."""
    if data_of(source.reader) == IMAGE_FILES:
        return _photographs(source, files), partial(_photograph, source.target_size, source.orientation)
    return _records(source, files), partial(picture_of, source)


def _photographs(source: Source, files: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
    """Each file with its content, where that is on its way already: a bucket's, of which 16 are asked for at once."""
    if all(map(storage.is_local, files[:1])):
        yield from ((uri, None) for uri in files)
        return
    for uri, content in zip(files, storage.read_each(files, **storage.access(source.anonymous)), strict=True):
        if isinstance(content, OSError):
            raise content
        yield uri, content


def _photograph(
    target: tuple[int, int], orientation: str, item: tuple[str, bytes | None]
) -> tuple[NDArray[np.uint8], bytes]:
    uri, content = item
    content = storage.read_bytes(uri) if content is None else content
    image = transform.decode(content)
    if orientation == "exif":
        image = decoded.upright(image, decoded.orientation_of(content))
    return _fitted(image, *target), os.fsencode(uri.split("/")[-2])


def _fitted(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The image rule (`resize_and_crop`) in whole numbers: rounded, where TensorFlow's float32 is left as it is.

    It takes half of the time, and no pixel is further from TensorFlow's than rounding, and 11 bits of weight, make it.
    """
    geometry = transform.fill_geometry(image.shape[0], image.shape[1], height, width)
    if geometry.height * geometry.width > _LARGEST * height * width:
        return transform.resize_and_crop(image, height, width)
    resized = cv2.resize(image, (geometry.width, geometry.height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized[geometry.top : geometry.top + height, geometry.left : geometry.left + width])


def _records(source: Source, files: Sequence[str]) -> Iterator[bytes]:
    """The records of TFRecord files: local ones are mapped into memory, a bucket's streamed in blocks of 5 MiB."""
    for uri in files:
        if not storage.is_local(uri):
            with storage.open_read(uri, **storage.access(source.anonymous)) as stream:
                yield from tfrecords.read_records(stream, uri)
        elif size := Path(uri).stat().st_size:  # an empty file cannot be mapped
            with Path(uri).open("rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as mapped:
                yield from tfrecords.read_records(cast("BinaryIO", mapped), uri)


def picture_of(source: Source, record: bytes) -> tuple[NDArray[np.uint8], bytes | int]:
    """The picture of a record of a TFRecord file, and its class.

    Raises:
        DataError: it lacks a feature, or its picture cannot be decoded or is of another size.
    """
    content, label = tfrecords.decode_example(record, source.features.image, source.features.label)
    image = transform.decode(content)
    if image.shape[:2] != source.target_size:
        found, wanted = ("{} x {}".format(*size) for size in (image.shape, source.target_size))
        raise DataError(f"a record's image is {found} pixels, not {wanted}", where="preprocess.target_size")
    return image, label


def _batches(items: Iterator[Any], work: _Work, size: int, target: tuple[int, int]) -> Iterator[Batch]:
    """Work on items in a thread for each core, which run ahead of the batch that is asked for by two images a thread.

    Raises:
        DataError: of the item that it concerns, when its batch is asked for.
        OSError: likewise.
    """
    threads = cores()
    pool = ThreadPoolExecutor(threads)
    ahead: deque[_Coming] = deque()
    try:
        for group in iter(lambda: list(islice(items, size)), []):
            ahead.append(_Coming(pool, group, work, threads, target))
            if (len(ahead) - 1) * size >= 2 * threads:
                yield ahead.popleft().wait()
        while ahead:
            yield ahead.popleft().wait()
    finally:
        pool.shutdown(cancel_futures=True)


class _Coming:
    """A batch that threads are working on, each on every so-manieth image of it."""

    def __init__(
        self, pool: ThreadPoolExecutor, items: Sequence[Any], work: _Work, threads: int, target: tuple[int, int]
    ) -> None:
        self._pictures = np.empty((len(items), *target, 3), np.uint8)
        self._labels: list[bytes | int] = [0] * len(items)
        self._parts: list[Future[None]] = [
            pool.submit(self._fill, items, work, range(start, len(items), threads))
            for start in range(min(threads, len(items)))
        ]

    def _fill(self, items: Sequence[Any], work: _Work, places: Iterable[int]) -> None:
        for place in places:
            self._pictures[place], self._labels[place] = work(items[place])

    def wait(self) -> Batch:
        for part in self._parts:
            part.result()
        return self._pictures, np.array(self._labels)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
