"""What the modules of formats share: shards that close, ranges of files, local copies of objects, and errors."""

from __future__ import annotations

import contextlib
import errno
import mmap
import shutil
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Generic, Self, TypeVar, cast

from flowerexp import storage
from flowerexp.errors import DataError, require
from flowerexp.workload.formats import Shard

_T = TypeVar("_T")


class BaseFormat(ABC):
    """What most formats have in common; see `flowerexp.workload.formats.Format`."""

    name: str
    title: str
    suffix: str
    below: str = ""
    compressions: tuple[str, ...] = ()
    checks: bool = False
    modules: tuple[str, ...] = ()

    def verify(self, uri: str, options: dict[str, Any]) -> int:
        """See `Format.verify`."""
        with self.open(uri, options) as shard:
            return sum(1 for _ in shard)

    @abstractmethod
    def open(self, uri: str, options: dict[str, Any]) -> Shard:
        """See `Format.open`."""

    def complete(self, folder: str, files: Sequence[tuple[str, int]]) -> None:
        """See `Format.complete`; the format's own loaders need only the files."""
        return

    def require(self) -> None:
        """Name what is not installed.

        Raises:
            MissingError: the format's library is missing.
        """
        require(f"preprocess.format={self.name}", self.modules)

    def damaged(self, uri: str, how: str) -> DataError:
        """The error for a damaged file.

        Args:
            uri: the file.
            how: what is wrong with it; only the first line is kept.
        """
        return DataError(f"damaged {self.title} file {uri}: {' '.join(how.splitlines()[:1])}")


class Closing:
    """A shard that its `with` statement closes."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


def checked(place: int, length: int) -> int:
    """The number of a sample, if there are so many.

    Raises:
        IndexError: there are not.
    """
    if not 0 <= place < length:
        raise IndexError(f"sample {place} of {length}")
    return place


class Once(Generic[_T]):
    """A value that is computed when it is first asked for, by one thread."""

    def __init__(self, compute: Callable[[], _T]) -> None:
        self._compute, self._lock = compute, threading.Lock()
        self._value: list[_T] = []

    def __call__(self) -> _T:
        """The value."""
        with self._lock:
            if not self._value:
                self._value.append(self._compute())
        return self._value[0]


def stream(uri: str, options: dict[str, Any]) -> contextlib.AbstractContextManager[BinaryIO]:
    """A file that is read in order: a local one is mapped into memory, an object is streamed in blocks of 5 MiB."""
    if storage.is_local(uri) and (mapped := mapping(uri)) is not None:
        return cast("contextlib.AbstractContextManager[BinaryIO]", mapped)
    return storage.open_read(uri, **options)


def mapping(path: str) -> mmap.mmap | None:
    """A local file, mapped into memory; None for an empty one."""
    with Path(path).open("rb") as file:
        size = file.seek(0, 2)
        return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else None


class Ranges:
    """The bytes of a file at any place, for several threads: of memory, or with one request of an object each."""

    def __init__(self, uri: str, options: dict[str, Any], content: bytes | None = None) -> None:
        self._uri, self._options = uri, options
        self._view: memoryview | None = None
        if content is not None:
            self._view = memoryview(content)
        elif storage.is_local(uri):
            # Nobody closes the map: it goes with the last view of it, which may outlive the shard.
            self._view = memoryview(mapping(uri) or b"")

    def __call__(self, start: int, stop: int) -> bytes | memoryview:
        """The bytes from one place to another; fewer at the file's end."""
        if self._view is not None:
            return self._view[start:stop]
        return storage.read_range(self._uri, start, stop, **self._options)


@contextlib.contextmanager
def local(uri: str, options: dict[str, Any]) -> Iterator[str]:
    """A local path of a file: its own, or that of a copy of an object, which is removed afterwards.

    Raises:
        OSError: the file does not exist or cannot be read.
    """
    if storage.is_local(uri):
        Path(uri).stat()  # a library's own words about a missing file are not an OSError
        yield uri
        return
    with tempfile.NamedTemporaryFile(prefix="flowerexp-") as copy:
        with storage.open_read(uri, **options) as file:
            shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        yield copy.name


@contextlib.contextmanager
def writing(path: str, *kinds: type[Exception]) -> Iterator[None]:
    """Raise a library's errors of writing as OSErrors.

    Args:
        path: the file that is written.
        kinds: the library's classes.

    Raises:
        OSError: one of these was raised.
    """
    try:
        yield
    except kinds as error:
        full = any(words in str(error) for words in ("No space left", "File too large", "os error 28"))
        raise OSError(errno.ENOSPC if full else errno.EIO, " ".join(str(error).split())[:200], path) from error
