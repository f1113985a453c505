"""The loaders that formats bring along, each used as its documentation has it, and decoding with Pillow as they do.

A module for each; `tf_data` beside this folder is TensorFlow's. The pixels differ from those of TensorFlow and of our
own reader by a few grey levels: these decode with libjpeg's fast inverse DCT, Pillow with the precise one.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flowerexp.workload.read_speed.readers import SHUFFLE_BUFFER, Options, exhaust

Picture = tuple[NDArray[np.uint8], int]
Batch = tuple[NDArray[np.uint8], NDArray[Any]]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Images:
    """What a loader reads, used like a tf.data.Dataset: ``Images(...).batch(8).take(18)``.

    Attributes:
        read: gives batches of a number of images each; the last one may be short.
        size: that number.
        number: how many batches; None for all.
    """

    read: Callable[[int], Iterable[Batch]]
    size: int = 1
    number: int | None = None

    def batch(self, size: int) -> Images:
        """The same images in batches of `size`."""
        return replace(self, size=size)

    def take(self, number: int) -> Images:
        """The first `number` batches."""
        return replace(self, number=number)

    def __iter__(self) -> Iterator[Batch]:
        return islice(iter(self.read(self.size)), self.number)


def decoded(content: bytes | memoryview) -> NDArray[np.uint8]:
    """The pixels of a picture, RGB, shape (height, width, 3), as Pillow decodes them."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def batches(pictures: Iterable[Picture], size: int) -> Iterator[Batch]:
    """Pictures of one size, stacked; the last batch may be short."""
    left = iter(pictures)
    while some := list(islice(left, size)):
        images, labels = zip(*some, strict=True)
        yield np.stack(images), np.array(labels)


def steps_of(read: Callable[[], Iterable[tuple[bytes, int]]], size: int) -> list[tuple[str, Callable[[], None]]]:
    """The passes of a loader that reads contents, decodes them and stacks them, one after the other."""

    def pictures() -> Iterator[Picture]:
        return ((decoded(content), label) for content, label in read())

    return [
        ("read", lambda: exhaust(read())),
        ("decode", lambda: exhaust(pictures())),
        ("batch", lambda: exhaust(batches(pictures(), size))),
    ]


def buffered(items: Iterable[_T], options: Options) -> Iterator[_T]:
    """Items in the order that is asked for; in random order, each is drawn from a buffer of `SHUFFLE_BUFFER`."""
    if options.shuffle != "full":
        yield from items
        return
    chance, left = random.Random(options.seed), iter(items)
    buffer = list(islice(left, SHUFFLE_BUFFER))
    for item in left:
        place = chance.randrange(len(buffer))
        buffer[place], item = item, buffer[place]
        yield item
    chance.shuffle(buffer)
    yield from buffer


def order(count: int, options: Options) -> Sequence[int]:
    """The numbers of the images of some files together, in the order that is asked for."""
    places = list(range(count))
    if options.shuffle == "full":
        random.Random(options.seed).shuffle(places)
    return places
