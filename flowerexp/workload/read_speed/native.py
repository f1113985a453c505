"""The readers without TensorFlow: simplejpeg decodes and OpenCV resizes pictures into NumPy arrays, in threads.

Both release Python's global lock while they work, so that one thread per core keeps all cores busy. The batches are
like those of tf.data, in the order of the files: (images, labels), uint8 of shape (n, height, width, 3), and the
folders' names (bytes) or the classes' numbers (int64; other people's TFRecord files may have texts instead). The last
batch may be short.
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
from flowerexp.workload.images import decoded, examples, tfrecords, transform
from flowerexp.workload.read_speed.readers import IMAGE_FILES, Source, data_of, keeps_decoded

_LARGEST = 4  # how many times the target's pixels a picture may have that OpenCV resizes, including what is cut off
Batch = tuple[NDArray[np.uint8], NDArray[Any]]
# The work of a thread: it turns one item into a picture of the target size and its label.
_Work = Callable[[Any], tuple[NDArray[np.uint8], bytes | int]]


@dataclass(frozen=True)
class Pictures:
    """The pictures of some files, used like a tf.data.Dataset: ``Pictures(...).batch(8).take(18)``.

    A reader that ends in `_native` does all work while the batches are iterated over: it reads the files, decodes,
    resizes, and puts the pictures together into batches.

    With a reader that ends in `_cached`, `take` reads and decodes everything at once and keeps the pictures in memory
    (`images * height * width * 3` bytes). Iterating copies them, batch by batch, into new arrays. A clock around the
    iteration measures only this, as in the second epoch of a training that keeps its decoded pictures: no storage, no
    JPEG and no resizing.
    """

    source: Source
    files: Sequence[str]
    size: int = 1
    number: int | None = None

    def batch(self, size: int) -> Pictures:
        """The same pictures in batches of `size` images."""
        return replace(self, size=size)

    def take(self, number: int) -> Iterable[Batch]:
        """The first `number` batches, to iterate over; a `_cached` reader decodes them now."""
        wanted = replace(self, number=number)
        return _Kept(wanted) if keeps_decoded(self.source.reader) else wanted

    def __iter__(self) -> Iterator[Batch]:
        items, work = _opened(self.source, self.files)
        wanted = None if self.number is None else self.size * self.number
        return _batches(islice(items, wanted), work, self.size, self.source.target_size)


class _Kept:
    """Pictures that are decoded already, in batches that are copied when they are asked for."""

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
    """The items that threads work on, one per image, and their work on each."""
    if data_of(source.reader) == IMAGE_FILES:
        return _photographs(source, files), partial(_photograph, source)
    return _records(source, files), partial(picture_of, source)


def _photographs(source: Source, files: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
    """Each file, with its content if it is in a bucket, which is asked for 16 files at once; None for a local file."""
    if all(map(storage.is_local, files[:1])):
        yield from ((uri, None) for uri in files)
        return
    for uri, content in zip(files, storage.read_each(files, **storage.access(source.anonymous)), strict=True):
        if isinstance(content, OSError):
            raise content
        yield uri, content


def _photograph(source: Source, item: tuple[str, bytes | None]) -> tuple[NDArray[np.uint8], bytes]:
    uri, content = item
    content = storage.read_bytes(uri) if content is None else content
    orientation = decoded.orientation_of(content) if source.orientation == "exif" else 1
    least = decoded.stored_size(source.target_size, orientation) if source.scaled else None
    image = decoded.upright(transform.decode(content, least), orientation)
    return _fitted(image, *source.target_size), os.fsencode(uri.split("/")[-2])


def _fitted(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The image rule (`resize_and_crop`) with whole numbers: rounded, while TensorFlow's result is float32.

    It takes half the time, and pixels differ from TensorFlow's only by rounding and by weights of 11 bits.
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
    """The picture in a record of a TFRecord file, and its class.

    Raises:
        DataError: the record lacks a feature, or its picture cannot be decoded or has another size.
    """
    content, label = examples.decode_example(record, source.features.image, source.features.label)
    image = transform.decode(content)
    if image.shape[:2] != source.target_size:
        actual, wanted = ("{} x {}".format(*size) for size in (image.shape, source.target_size))
        raise DataError(f"a record's image is {actual} pixels, not {wanted}", where="preprocess.target_size")
    return image, label


def _batches(items: Iterator[Any], work: _Work, size: int, target: tuple[int, int]) -> Iterator[Batch]:
    """Work on items with one thread per core; each runs up to two images ahead of the batch that is asked for.

    Raises:
        DataError: an item cannot be decoded; raised when its batch is asked for.
        OSError: an item cannot be read; likewise.
    """
    threads = cores()
    pool = ThreadPoolExecutor(threads)
    ahead: deque[_PendingBatch] = deque()
    try:
        for group in iter(lambda: list(islice(items, size)), []):
            ahead.append(_PendingBatch(pool, group, work, threads, target))
            if (len(ahead) - 1) * size >= 2 * threads:
                yield ahead.popleft().wait()
        while ahead:
            yield ahead.popleft().wait()
    finally:
        pool.shutdown(cancel_futures=True)


class _PendingBatch:
    """A batch that n threads are working on: each thread takes every n-th image."""

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
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
