"""The readers without TensorFlow: simplejpeg decodes and OpenCV resizes pictures into NumPy arrays, in threads.

All formats are read in the same way, so that the format is all that differs. One thread takes samples out of files (in
random order, the threads do), the others decode each into its place in a batch. simplejpeg and OpenCV release Python's
global lock while they work, so that one thread per core keeps all cores busy. The batches are like those of tf.data, in
the order of the files: (images, labels), uint8 of shape (n, height, width, 3), and the folders' names (bytes) or the
classes' numbers (int64; other people's TFRecord files may have texts instead). The last batch may be short.
"""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload import formats
from flowerexp.workload.images import decoded, examples, transform
from flowerexp.workload.read_speed.readers import READERS, Options, Source, keeps_decoded

_LARGEST = 4  # how many times the target's pixels a picture may have that OpenCV resizes, including what is cut off
Batch = tuple[NDArray[np.uint8], NDArray[Any]]
# The work of a thread: it decodes one item into an array of the target size, and returns its label.
Work = Callable[[Any, NDArray[np.uint8]], bytes | int]


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
    options: Options
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
        wanted = None if self.number is None else self.size * self.number
        with opened(self.source, self.files, self.options) as (items, work):
            yield from Loop(work, self.size, self.source.target_size, self.options).batches(islice(items, wanted))


dataset = Pictures


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


@contextmanager
def opened(source: Source, files: Sequence[str], options: Options) -> Iterator[tuple[Iterator[Any], Work]]:
    """The items that threads work on, one per image, and their work on each; inside, files may be open."""
    if READERS[source.reader].format is None:
        yield _photographs(source, files), partial(_photograph, source)
    elif options.shuffle != "full":
        yield samples(source, files), _picture
    else:
        with ExitStack() as stack:
            shards = [stack.enter_context(shard(source, uri)) for uri in files]
            places = [(one, place) for one in shards for place in range(len(one))]
            random.Random(options.seed).shuffle(places)
            yield iter(places), _picture_at


def shard(source: Source, uri: str) -> formats.Shard:
    """A file of a source, open; its samples are JPEGs and classes.

    Raises:
        DataError: it is damaged.
        OSError: it cannot be read.
    """
    kind = READERS[source.reader].format
    assert kind is not None, source.reader
    options = storage.access(source.anonymous)
    if source.is_foreign:
        return _foreign(source, uri, options)
    return formats.of(kind).open(uri, options)


def _foreign(source: Source, uri: str, options: dict[str, Any]) -> formats.Shard:
    """A TFRecord file that somebody else wrote, whose features may have other names."""
    from flowerexp.workload.formats import tfrecord

    class Foreign(tfrecord.Records):
        """Records whose features have the names that the config gives."""

        def _sample(self, record: bytes) -> formats.Sample:
            return examples.decode_example(record, source.features.image, source.features.label)

    return Foreign(uri, options)


def samples(source: Source, files: Sequence[str]) -> Iterator[formats.Sample]:
    """The samples of files, one file after the other."""
    for uri in files:
        with shard(source, uri) as one:
            yield from one


def _picture(sample: formats.Sample, place: NDArray[np.uint8]) -> bytes | int:
    content, label = sample
    decode_into(place, content)
    return label


def _picture_at(item: tuple[formats.Shard, int], place: NDArray[np.uint8]) -> bytes | int:
    one, number = item
    return _picture(one[number], place)


def decode_into(place: NDArray[np.uint8], content: bytes | memoryview) -> None:
    """Decode a picture of a known size, without a copy if it is a JPEG like those that flowerexp writes.

    Args:
        place: an array of its shape (height, width, 3).
        content: its file.

    Raises:
        DataError: it cannot be decoded, or has another size.
    """
    try:
        found = simplejpeg.decode_jpeg(content, "RGB", fastdct=True, fastupsample=False, buffer=place)
    except (ValueError, KeyError):  # another format, another size, or damage that `decode` knows to tell
        found = transform.decode(bytes(content))
    if found.shape != place.shape:
        actual, wanted = ("{} x {}".format(*shape) for shape in (found.shape, place.shape))
        raise DataError(f"a record's image is {actual} pixels, not {wanted}", where="preprocess.target_size")
    if found.base is None:
        place[:] = found


def _photographs(source: Source, files: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
    """Each file, with its content if it is in a bucket, which is asked for 16 files at once; None for a local file."""
    if all(map(storage.is_local, files[:1])):
        yield from ((uri, None) for uri in files)
        return
    for uri, content in zip(files, storage.read_each(files, **storage.access(source.anonymous)), strict=True):
        if isinstance(content, OSError):
            raise content
        yield uri, content


def _photograph(source: Source, item: tuple[str, bytes | None], place: NDArray[np.uint8]) -> bytes:
    uri, content = item
    image = upright(source, storage.read_bytes(uri) if content is None else content)
    place[:] = fitted(image, *source.target_size)
    return os.fsencode(uri.split("/")[-2])


def upright(source: Source, content: bytes) -> NDArray[np.uint8]:
    """A photograph's pixels, decoded and turned as the source says."""
    orientation = decoded.orientation_of(content) if source.orientation == "exif" else 1
    least = decoded.stored_size(source.target_size, orientation) if source.scaled else None
    return decoded.upright(transform.decode(content, least), orientation)


def fitted(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The image rule (`resize_and_crop`) with whole numbers: rounded, while TensorFlow's result is float32.

    It takes half the time, and pixels differ from TensorFlow's only by rounding and by weights of 11 bits.
    """
    geometry = transform.fill_geometry(image.shape[0], image.shape[1], height, width)
    if geometry.height * geometry.width > _LARGEST * height * width:
        return transform.resize_and_crop(image, height, width)
    resized = cv2.resize(image, (geometry.width, geometry.height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized[geometry.top : geometry.top + height, geometry.left : geometry.left + width])


@dataclass(frozen=True)
class Loop:
    """Works on items with threads, and runs some images ahead of the batch that is asked for."""

    work: Work
    size: int
    target: tuple[int, int]
    options: Options

    def batches(self, items: Iterator[Any]) -> Iterator[Batch]:
        """The batches, in the order of the items.

        By itself, each thread runs up to two images ahead.

        Raises:
            DataError: an item cannot be decoded; raised when its batch is asked for.
            OSError: an item cannot be read; likewise.
        """
        threads = self.options.workers or cores()
        most = self.options.prefetch or -(-2 * threads // self.size)
        pool = ThreadPoolExecutor(threads)
        ahead: deque[_PendingBatch] = deque()
        try:
            for group in iter(lambda: list(islice(items, self.size)), []):
                ahead.append(_PendingBatch(pool, group, self, threads))
                if len(ahead) > most:
                    yield ahead.popleft().wait()
            while ahead:
                yield ahead.popleft().wait()
        finally:
            pool.shutdown(cancel_futures=True)

    def in_this_thread(self, items: Iterator[Any]) -> Iterator[Batch]:
        """The same batches without threads: to time what the threads are for."""
        for group in iter(lambda: list(islice(items, self.size)), []):
            pictures = np.empty((len(group), *self.target, 3), np.uint8)
            labels = [self.work(item, place) for item, place in zip(group, pictures, strict=True)]
            yield pictures, np.array(labels)


class _PendingBatch:
    """A batch that n threads are working on: each thread takes every n-th image."""

    def __init__(self, pool: ThreadPoolExecutor, items: Sequence[Any], loop: Loop, threads: int) -> None:
        self._pictures = np.empty((len(items), *loop.target, 3), np.uint8)
        self._labels: list[bytes | int] = [0] * len(items)
        self._parts: list[Future[None]] = [
            pool.submit(self._fill, items, loop.work, range(start, len(items), threads))
            for start in range(min(threads, len(items)))
        ]

    def _fill(self, items: Sequence[Any], work: Work, places: Iterable[int]) -> None:
        for place in places:
            self._labels[place] = work(items[place], self._pictures[place])

    def wait(self) -> Batch:
        for part in self._parts:
            part.result()
        return self._pictures, np.array(self._labels)


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
