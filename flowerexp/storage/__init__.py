"""One interface for local paths and URIs: the few operations that flowerexp needs, whole files only.

A local path goes through the operating system, so that nothing needs importing; anything with a scheme (`gs://`) goes
through fsspec, and what goes wrong there becomes an OSError too (see `remote`).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from flowerexp.storage.listed import FOLDER, HIDDEN, LOOP, SPECIAL, UNNAMED, Entry, is_local, list_files, list_folder

__all__ = [
    "FOLDER",
    "HIDDEN",
    "LOOP",
    "SPECIAL",
    "UNNAMED",
    "Entry",
    "NewFile",
    "exists",
    "is_local",
    "join",
    "list_files",
    "list_folder",
    "open_read",
    "read_bytes",
    "read_each",
    "remove",
    "write_bytes",
    "write_each",
]

_T = TypeVar("_T")
_R = TypeVar("_R")

_AHEAD = 16  # files of a bucket that are read at once; a request takes tens of ms, of which few are work here


def join(root: str, *parts: str) -> str:
    """A path or URI below another."""
    return "/".join([root.rstrip("/"), *parts])


def read_bytes(uri: str, **options: Any) -> bytes:
    """A file's content.

    Raises:
        OSError: it does not exist or cannot be read.
    """
    if is_local(uri):
        return Path(uri).read_bytes()
    from flowerexp.storage import remote

    filesystem, path = remote.locate(uri, options)
    with remote.told(uri):
        content: bytes = filesystem.cat_file(path)
    return content


def read_each(uris: Iterable[str], **options: Any) -> Iterator[bytes | OSError]:
    """The contents of files, in their order; of a bucket's, 16 are on their way at once, since each takes a while.

    Yields:
        A file's content, or the error that reading it gave.
    """

    def read(uri: str) -> bytes | OSError:
        try:
            return read_bytes(uri, **options)
        except OSError as error:
            return error

    return _ahead(read, uris, lambda uri: uri)


def write_each(files: Iterable[tuple[str, bytes]]) -> Iterator[int]:
    """Write files, each as `write_bytes` does, but without waiting for the disk; into a bucket, 16 at once.

    Args:
        files: pairs of a path or URI, and its content.

    Yields:
        The size of each, in bytes, once it is there.

    Raises:
        OSError: no room, no permission.
    """

    def write(file: tuple[str, bytes]) -> int:
        write_bytes(*file, durable=False)
        return len(file[1])

    return _ahead(write, files, lambda file: file[0])


def _ahead(work: Callable[[_T], _R], items: Iterable[_T], uri_of: Callable[[_T], str]) -> Iterator[_R]:
    """The results of some work on each item, in order; for a bucket, in threads that run ahead."""
    with ThreadPoolExecutor(_AHEAD) as pool:
        pending: deque[Future[_R]] = deque()
        try:
            for item in items:
                if not pending and is_local(uri_of(item)):  # to hand it to a thread takes longer than to read it
                    yield work(item)
                    continue
                pending.append(pool.submit(work, item))
                while len(pending) > (0 if is_local(uri_of(item)) else _AHEAD - 1):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for one in pending:
                one.cancel()


def open_read(uri: str, **options: Any) -> BinaryIO:
    """A file, opened for reading from its start; a bucket's object is streamed in blocks of 5 MiB, as they are read.

    Raises:
        OSError: it does not exist or cannot be read.
    """
    if is_local(uri):
        return Path(uri).open("rb")
    from flowerexp.storage import remote

    return remote.open_read(uri, options)


def access(anonymous: bool | None) -> dict[str, Any]:
    """The options with which a file system reads a bucket: without credentials, or with the user's own."""
    return {"token": "anon"} if anonymous else {}


def write_bytes(uri: str, content: bytes, durable: bool = True, mode: int = 0o666) -> None:
    """Write a file whole or not at all; folders are made. Readers see the old file or the new one, never a part.

    Args:
        uri: the file's path or URI.
        content: what it will hold.
        durable: see `NewFile.keep`.
        mode: the permissions of a local file, less the process's umask.

    Raises:
        OSError: no room, no permission.
    """
    if not is_local(uri):
        from flowerexp.storage import remote

        remote.write(uri, content)
        return
    folder, slash, name = uri.rpartition("/")
    with NewFile(folder or slash, mode) as file:
        file.stream.write(content)
        file.keep(name, durable)


class NewFile:
    """A file that appears under its name only when it is whole, so that the name may depend on what was written.

    ::

        with NewFile(folder) as file:
            file.stream.write(...)
            file.keep("name")

    Without `keep`, or after an exception, nothing is left.
    """

    def __init__(self, folder: str, mode: int = 0o666) -> None:
        self.folder = folder or "."
        self._mode = mode
        self.stream: BinaryIO
        self._aside = Path(self.folder) / f".{uuid.uuid4().hex}.tmp" if is_local(folder) else None

    def __enter__(self) -> NewFile:
        if self._aside is None:
            self.stream = cast("BinaryIO", tempfile.NamedTemporaryFile())
        else:
            self._aside.parent.mkdir(parents=True, exist_ok=True)
            self.stream = os.fdopen(os.open(self._aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._mode), "wb")
        return self

    def keep(self, name: str, durable: bool = False) -> None:
        """Let the file appear under `name`, which replaces an older one.

        Args:
            name: the file's.
            durable: whether to wait until the disk has it; without that, a loss of power may empty the file.
        """
        if self._aside is not None:
            if durable:
                self.stream.flush()
                os.fsync(self.stream.fileno())
            self.stream.close()  # what is still buffered may find no room: then nothing appears
            self._aside.replace(self._aside.with_name(name))
            if durable:
                _sync_folder(self._aside.parent)
            return
        from flowerexp.storage import remote

        self.stream.flush()
        remote.write_from(join(self.folder, name), self.stream.name)

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            self.stream.close()
        if self._aside is not None:
            self._aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have a folder's new names on the disk; some file systems of a network cannot, and need not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def exists(uri: str) -> bool:
    """Is there a file or folder of that name, now?

    Raises:
        OSError: the bucket cannot be asked.
    """
    if is_local(uri):
        return Path(uri).exists()
    from flowerexp.storage import remote

    filesystem, path = remote.locate(uri, {})
    try:
        with remote.told(uri):
            filesystem.info(path)
    except FileNotFoundError:
        return False
    return True


def remove(uri: str) -> None:
    """Remove a file; one that is not there is no error."""
    if is_local(uri):
        Path(uri).unlink(missing_ok=True)
        return
    from flowerexp.storage import remote

    filesystem, path = remote.locate(uri, {})
    with contextlib.suppress(FileNotFoundError), remote.told(uri):
        filesystem.rm_file(path)
