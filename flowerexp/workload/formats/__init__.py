"""The file formats that prepared data can have: a module here for each, found by its name in `preprocess.format`.

A format writes the labelled pictures of one shard into one file, counts them, and opens the file for reading in order
or by number. What a picture is (JPEG bytes and the number of its class) is the same for all formats, so that whatever
differs between two of them is the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, Protocol

#: A picture's file content (JPEG) and the number of its class. Reading may give a view of memory instead of bytes, and
#: other people's files a text as the class.
Sample = tuple[bytes | memoryview, int | bytes]

NAMES = ("tfrecord", "webdataset", "array_record", "parquet", "lance", "lmdb")


class Shard(Protocol):
    """A file of a format, open for reading in several threads; its `with` statement closes it."""

    def __len__(self) -> int:
        """The number of its samples."""

    def __iter__(self) -> Iterator[Sample]:
        """The samples in the order of the file.

        Raises:
            DataError: the file is damaged; the message names the file, and where it is damaged.
        """

    def __getitem__(self, place: int) -> Sample:
        """One sample, by its number in the file.

        Raises:
            DataError: as of iterating.
        """

    def __enter__(self) -> Shard: ...

    def __exit__(self, *exception: object) -> None: ...


class Format(Protocol):
    """A file format.

    Attributes:
        name: as in `NAMES`.
        suffix: of its files' names, with the dot.
        compressions: the values of `preprocess.compression` that it knows, beside null.
    """

    name: str
    suffix: str
    compressions: tuple[str, ...]

    def write(self, path: str, samples: Iterable[Sample], compression: str | None) -> int:
        """Write a file: the same bytes for the same samples.

        Args:
            path: of a local file that exists and is empty.
            samples: taken one at a time.
            compression: one of `compressions`, or None.

        Returns:
            How many samples were written.
        """

    def count(self, uri: str, options: dict[str, Any]) -> int:
        """How many samples a file has, without reading the pictures where the format allows that.

        Raises:
            DataError: the file is damaged.
        """

    def open(self, uri: str, options: dict[str, Any]) -> Shard:
        """Open a file.

        Args:
            uri: a local path, or gs://.
            options: of the file system, see `flowerexp.storage.access`.

        Raises:
            DataError: it is damaged, or is not a file of this format.
            OSError: it cannot be read.
        """


def of(name: str) -> Format:
    """The format of a name in `NAMES`; its library is imported when it first writes or opens a file."""
    module: Format = import_module(f"{__name__}.{name}").FORMAT
    return module
