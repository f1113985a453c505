"""Read, write and list files by local path or URI: the few operations that flowerexp needs, on whole files.

A local path goes through the operating system, without further imports. A URI with a scheme (`gs://`) goes through
fsspec, and its errors become OSErrors too (see `remote`). Only this folder knows where files are.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from flowerexp.storage.listed import (
    FOLDER,
    HIDDEN,
    LOOP,
    SPECIAL,
    UNNAMED,
    Entry,
    LargeFolderError,
    list_files,
    list_folder,
)
from flowerexp.storage.new_file import NewFile
from flowerexp.storage.paths import is_local, join
from flowerexp.storage.ranges import Range, RangeListing

__all__ = [
    "FOLDER",
    "HIDDEN",
    "LOOP",
    "SPECIAL",
    "UNNAMED",
    "Entry",
    "LargeFolderError",
    "NewFile",
    "Range",
    "RangeListing",
    "access",
    "exists",
    "is_local",
    "join",
    "list_files",
    "list_folder",
    "open_ranges",
    "open_read",
    "read_bytes",
    "read_each",
    "read_range",
    "remove",
    "write_bytes",
    "write_each",
]

_T = TypeVar("_T")
_R = TypeVar("_R")

_AT_ONCE = 16  # files of a bucket that are read at once: a request takes tens of ms, mostly waiting


def read_bytes(uri: str, **options: Any) -> bytes:
    """Read a file.

    Args:
        uri: the file's path or URI.
        options: of the file system; see `access`.

    Raises:
        OSError: the file does not exist or cannot be read.
    """
    if is_local(uri):
        return Path(uri).read_bytes()
    from flowerexp.storage import remote

    filesystem, path = remote.locate(uri, options)
    with remote.os_errors(uri):
        content: bytes = filesystem.cat_file(path)
    return content


def read_each(uris: Iterable[str], **options: Any) -> Iterator[bytes | OSError]:
    """Read files in their order; in a bucket, 16 at once, since each takes a while.

    Yields:
        A file's content, or the error of reading it.
    """

    def read(uri: str) -> bytes | OSError:
        try:
            return read_bytes(uri, **options)
        except OSError as error:
            return error

    return _run_ahead(read, uris, lambda uri: uri)


def write_each(files: Iterable[tuple[str, bytes]]) -> Iterator[int]:
    """Write files like `write_bytes`, but without waiting for the disk; into a bucket, 16 at once.

    Args:
        files: pairs of a path or URI, and the content.

    Yields:
        The size of each file in bytes, when it is written.

    Raises:
        OSError: a file cannot be written.
    """

    def write(file: tuple[str, bytes]) -> int:
        write_bytes(*file, durable=False)
        return len(file[1])

    return _run_ahead(write, files, lambda file: file[0])


def _run_ahead(work: Callable[[_T], _R], items: Iterable[_T], uri_of: Callable[[_T], str]) -> Iterator[_R]:
    """The results of some work on each item, in order; for a bucket, by threads that run ahead."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        pending: deque[Future[_R]] = deque()
        try:
            for item in items:
                if not pending and is_local(uri_of(item)):  # a thread would take longer than the work itself
                    yield work(item)
                    continue
                pending.append(pool.submit(work, item))
                while len(pending) > (0 if is_local(uri_of(item)) else _AT_ONCE - 1):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def open_read(uri: str, **options: Any) -> BinaryIO:
    """Open a file for reading from its start; an object in a bucket is streamed in blocks of 5 MiB.

    Raises:
        OSError: the file does not exist or cannot be read.
    """
    if is_local(uri):
        return Path(uri).open("rb")
    from flowerexp.storage import remote

    return remote.open_read(uri, options)


def open_ranges(uri: str, **options: Any) -> BinaryIO:
    """Open a file for reading a few ranges of it: each `read` of an object in a bucket is one request.

    Raises:
        OSError: the file does not exist or cannot be read; that of an object shows when it is read.
    """
    if is_local(uri):
        return Path(uri).open("rb")
    from flowerexp.storage import remote

    return remote.open_ranges(uri, options)


def read_range(uri: str, start: int, stop: int, **options: Any) -> bytes:
    """Read the bytes of a file from one place to another; fewer at its end. Threads may do so at once.

    Raises:
        OSError: the file does not exist or cannot be read.
    """
    with open_ranges(uri, **options) as file:
        file.seek(start)
        return file.read(stop - start)


def access(anonymous: bool | None) -> dict[str, Any]:
    """The file system's options for reading a bucket without credentials, or with the user's."""
    return {"token": "anon"} if anonymous else {}


def write_bytes(uri: str, content: bytes, durable: bool = True, mode: int = 0o666) -> None:
    """Write a complete file or none, and create its folders. Readers see the old file or the new one, never a part.

    Args:
        uri: the file's path or URI.
        content: the file's content.
        durable: see `NewFile.keep`.
        mode: the permissions of a local file, less the process's umask.

    Raises:
        OSError: the file cannot be written.
    """
    if not is_local(uri):
        from flowerexp.storage import remote

        remote.write(uri, content)
        return
    folder, slash, name = uri.rpartition("/")
    with NewFile(folder or slash, mode) as file:
        file.stream.write(content)
        file.keep(name, durable)


def exists(uri: str) -> bool:
    """Whether there is a file or folder with that name now.

    Raises:
        OSError: the bucket does not answer.
    """
    if is_local(uri):
        return Path(uri).exists()
    from flowerexp.storage import remote

    filesystem, path = remote.locate(uri, {})
    try:
        with remote.os_errors(uri):
            filesystem.info(path)
    except FileNotFoundError:
        return False
    return True


def remove(uri: str) -> None:
    """Remove a file; a missing file is not an error."""
    if is_local(uri):
        Path(uri).unlink(missing_ok=True)
        return
    from flowerexp.storage import remote

    filesystem, path = remote.locate(uri, {})
    with contextlib.suppress(FileNotFoundError), remote.os_errors(uri):
        filesystem.rm_file(path)
