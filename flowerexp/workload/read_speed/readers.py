"""The readers by name, and the sources that they read: files, their images, and how these are stored.

`READERS` is the one table of them. Data is read in up to three ways: with the loader of its own ecosystem (tf.data,
grain and others; a module each), with our own reader (`native`, the same decoder and threads for all formats, so that
the format is all that differs), and from memory, where everything was decoded before (`cached`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

IMAGE_FILES, TFRECORDS = "image_files", "tfrecords"
Way = Literal["own", "native", "cached"]


@dataclass(frozen=True)
class Reader:
    """A way to read data.

    Attributes:
        data: what it reads: `image_files`, or files of prepared data by the name of their reader, such as `tfrecords`.
        format: of prepared data, as in `formats.NAMES`; None for photographs.
        way: with the loader of the data's own ecosystem, our own reader, or from memory.
        module: what reads, below `flowerexp.workload.read_speed`.
        workers: whether it takes a number of workers.
        prefetch: whether it takes a number of batches to read ahead.
        remote: whether it reads files in a bucket.
        steps: the module that times its steps; None where they cannot be told apart.
    """

    data: str
    format: str | None
    way: Way
    module: str
    workers: bool = True
    prefetch: bool = True
    remote: bool = True
    steps: str | None = None

    @property
    def name(self) -> str:
        """What `grid.reader` calls it."""
        return self.data if self.way == "own" else f"{self.data}_{self.way}"


# What the loader of each ecosystem is, and what it takes by itself: several workers need PyTorch with webdataset and
# LMDB, and pyarrow and lance leave decoding to whoever reads.
_LOCAL: dict[str, Any] = {"workers": False, "remote": False}
_OWN = (
    Reader(IMAGE_FILES, None, "own", "tf_data"),
    Reader(TFRECORDS, "tfrecord", "own", "tf_data"),
    Reader(
        "webdataset", "webdataset", "own", "loaders.webdataset", prefetch=False, steps="loaders.webdataset", **_LOCAL
    ),
    Reader("array_record", "array_record", "own", "loaders.array_record", remote=False),
    Reader("parquet", "parquet", "own", "loaders.parquet", steps="loaders.parquet", **_LOCAL),
    Reader("lance", "lance", "own", "loaders.lance", steps="loaders.lance", **_LOCAL),
    Reader("lmdb", "lmdb", "own", "loaders.lmdb", prefetch=False, steps="loaders.lmdb", **_LOCAL),
)


def _readers() -> Iterator[Reader]:
    yield from _OWN
    for own in _OWN:
        yield Reader(own.data, own.format, "native", "native", steps="native_steps")
    for data, kind in ((IMAGE_FILES, None), (TFRECORDS, "tfrecord")):
        yield Reader(data, kind, "cached", "native", workers=False, prefetch=False)


READERS: Mapping[str, Reader] = {reader.name: reader for reader in _readers()}


def data_of(reader: str) -> str:
    """The data that a reader reads, such as `image_files` or `tfrecords`; for an unknown reader, its name."""
    return READERS[reader].data if reader in READERS else reader


def keeps_decoded(reader: str) -> bool:
    """Whether a reader takes decoded images from memory, so that it reads no storage while it is timed."""
    return reader in READERS and READERS[reader].way == "cached"


@dataclass(frozen=True)
class Options:
    """How a source is read.

    Attributes:
        shuffle: `none` and `shards` read the given files one after the other; with `full`, images of all of them come
            in random order.
        seed: of that order.
        workers: how many; 0 for as many as the reader takes by itself.
        prefetch: how many batches are read ahead; 0 for as many as the reader reads by itself.
    """

    shuffle: str = "none"
    seed: int = 0
    workers: int = 0
    prefetch: int = 0

    @classmethod
    def of(cls, cell: Mapping[str, Any], seed: int = 0) -> Options:
        """The options of a cell; what it does not say has its default."""
        return cls(seed=seed, **{name: cell[name] for name in ("shuffle", "workers", "prefetch") if name in cell})


PREPARING = "preparing_seconds"
"""With the data's name, the fact that says how many seconds of work preparing it takes, over the cores of a cluster."""

SHUFFLE_BUFFER = 1000
"""Images of which one is drawn, where a format or its loader cannot read by number."""


@dataclass(frozen=True)
class Features:
    """The features of an Example that hold a picture and its class.

    Attributes:
        image: the name of the feature with the picture.
        label: the name of the feature with the class; None if there is none.
        text: whether the class is a text, not a number.
    """

    image: str = "image"
    label: str | None = "class"
    text: bool = False


EXISTING = "dataset.tfrecords"
"""The config key of TFRecord files that somebody else wrote."""


@dataclass(frozen=True)
class Source:
    """What a reader reads.

    Attributes:
        reader: one of `READERS`.
        files: the URIs, in the order of their names.
        records: the number of images in each file.
        target_size: (height, width) in pixels of TFRecord images, and to which photographs are resized.
        anonymous: whether to read a bucket without credentials.
        origin: the config key that says where the files are.
        features: the names of the features in TFRecord files.
        compressions: `GZIP` or `ZLIB` for each TFRecord file that is compressed.
        orientation: `exif` turns photographs as their EXIF data says; `stored` leaves them as they are.
        scaled: whether large JPEGs are decoded 2, 4 or 8 times smaller, but not smaller than the target.
        narrow: whether some photographs are so long and narrow that they have to be cut before they are resized
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
    scaled: bool = False
    narrow: bool = False

    @property
    def is_foreign(self) -> bool:
        """Whether somebody else wrote the files, so that their features may have any names."""
        return self.origin == EXISTING

    @property
    def images(self) -> int:
        """The number of images."""
        return sum(self.records)

    def prefix(self, order: Sequence[int], images: int) -> list[str]:
        """The first files, in the given order of indices, that together hold at least `images` images."""
        chosen, held = [], 0
        for index in order:
            if held >= images:
                break
            chosen.append(self.files[index])
            held += self.records[index]
        return chosen


def exhaust(items: Iterable[object]) -> None:
    """Take all items."""
    for _ in items:
        pass
