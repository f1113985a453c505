"""The file formats that prepared data can have: a module here for each, found by its name in `preprocess.format`.

A format writes the labelled pictures of one shard into one file, counts them, and opens the file for reading in order
or by number. What a picture is (JPEG bytes and the number of its class) is the same for all formats, so that whatever
differs between two of them is the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol

#: A picture's file content (JPEG) and the number of its class. Reading may give a view of memory instead of bytes, and
#: other people's files a text as the class.
Sample = tuple[bytes | memoryview, int | bytes]

NAMES = ("tfrecord", "webdataset", "array_record", "parquet", "lance", "lmdb")


class Shard(Protocol):
    """A file of a format, open for reading in several threads; its `with` statement closes it.

    Views of memory that it gave stay valid when it is closed.
    """

    def __len__(self) -> int:
        """The number of its samples.

        Raises:
            DataError: as of iterating.
        """

    def __iter__(self) -> Iterator[Sample]:
        """The samples in the order of the file.

        Raises:
            DataError: the file is damaged; the message names the file, and where it is damaged.
        """

    def __getitem__(self, place: int) -> Sample:
        """One sample, by its number in the file, counted from 0.

        Raises:
            DataError: as of iterating.
            IndexError: there is no sample of that number; negative ones do not count from the end.
        """

    def __enter__(self) -> Shard: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Format(Protocol):
    """A file format.

    Attributes:
        name: as in `NAMES`.
        title: as its users write it, for messages.
        suffix: of its files' names, with the dot.
        below: the folder that the files of a data set are in, with a slash, or an empty text.
        compressions: the values of `preprocess.compression` that it knows, beside null.
        checks: whether reading a sample shows each damage to it. The files of other formats are verified by the
            checksums in the manifest before they are read.
        modules: what it imports, as in `flowerexp.errors.EXTRAS`.
    """

    name: str
    title: str
    suffix: str
    below: str
    compressions: tuple[str, ...]
    checks: bool
    modules: tuple[str, ...]

    def write(self, path: str, samples: Iterable[tuple[bytes, int]], compression: str | None) -> int:
        """Write a file: the same bytes for the same samples, with the same versions of the libraries.

        Args:
            path: of a local file that exists and is empty.
            samples: taken one at a time.
            compression: one of `compressions`, or None.

        Returns:
            How many samples were written.

        Raises:
            OSError: it cannot be written.
        """

    def count(self, uri: str, options: dict[str, Any]) -> int:
        """How many samples a file has, without reading the pictures where the format allows that.

        Raises:
            DataError: the file is damaged.
            OSError: it cannot be read.
        """

    def verify(self, uri: str, options: dict[str, Any]) -> int:
        """Read all of a file, as far as it can tell whether it is damaged.

        Returns:
            How many samples it has.

        Raises:
            DataError: it is damaged.
            OSError: it cannot be read.
        """

    def open(self, uri: str, options: dict[str, Any]) -> Shard:
        """Open a file.

        Args:
            uri: a local path, or gs://.
            options: of the file system, see `flowerexp.storage.access`.

        Raises:
            DataError: it is damaged, or is not a file of this format; some damage shows only when it is read.
            OSError: it cannot be read.
        """

    def complete(self, folder: str, files: Sequence[tuple[str, int]]) -> None:
        """Write what the format's own loaders need beside the files, such as a list of them; most need nothing.

        Args:
            folder: of the data set, a local path or gs://.
            files: the name of each file in the folder, and how many samples it has.

        Raises:
            OSError: it cannot be written.
        """


def of(name: str) -> Format:
    """The format of a name in `NAMES`; its library is imported when it first writes or opens a file."""
    module: Format = import_module(f"{__name__}.{name}").FORMAT
    return module
