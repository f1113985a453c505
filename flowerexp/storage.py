"""One interface for local paths and URIs: the few operations that flowerexp needs, whole files only.

A local path goes through the operating system, so that nothing needs importing; anything with a scheme (`gs://`) goes
through fsspec.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast


@dataclass(frozen=True)
class Entry:
    """A file: its full path or URI, its path below the folder that was listed, its size in bytes, and its version.

    The version changes when the content does: the modification time in ns of a local file, the object's hash or
    generation in a bucket.
    """

    uri: str
    relative: str
    size: int
    version: str


def is_local(uri: str) -> bool:
    """True for a path of this machine, False for a URI with a scheme."""
    return "://" not in uri


def join(root: str, *parts: str) -> str:
    """A path or URI below another."""
    return "/".join([root.rstrip("/"), *parts])


def _remote(uri: str, **options: Any) -> tuple[Any, str]:
    import fsspec

    if uri.startswith("gs://"):
        # Zonal-bucket probing asks an API that no emulator has; we use none of its features.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    filesystem, path = fsspec.core.url_to_fs(uri, **options)
    return filesystem, str(path)


def read_bytes(uri: str, **options: Any) -> bytes:
    """A file's content.

    Raises:
        OSError: it does not exist or cannot be read.
    """
    if is_local(uri):
        return Path(uri).read_bytes()
    filesystem, path = _remote(uri, **options)
    content: bytes = filesystem.cat_file(path)
    return content


def open_read(uri: str, **options: Any) -> BinaryIO:
    """A file, opened for reading from its start; a bucket's object is streamed.

    Raises:
        OSError: it does not exist or cannot be read.
    """
    if is_local(uri):
        return Path(uri).open("rb")
    filesystem, path = _remote(uri, **options)
    return cast("BinaryIO", filesystem.open(path, "rb"))


def write_bytes(uri: str, content: bytes) -> None:
    """Write a file whole or not at all; folders are made. Readers see the old file or the new one, never a part.

    Raises:
        OSError: no room, no permission.
    """
    folder, slash, name = uri.rpartition("/")
    with NewFile(folder or slash) as file:
        file.stream.write(content)
        file.keep(name)


class NewFile:
    """A file that appears under its name only when it is whole, so that the name may depend on what was written.

    ::

        with NewFile(folder) as file:
            file.stream.write(...)
            file.keep("name")

    Without `keep`, or after an exception, nothing is left.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder or "."
        self.stream: BinaryIO
        self._aside = Path(self.folder) / f".{uuid.uuid4().hex}.tmp" if is_local(folder) else None

    def __enter__(self) -> NewFile:
        if self._aside is None:
            self.stream = cast("BinaryIO", tempfile.TemporaryFile())
        else:
            self._aside.parent.mkdir(parents=True, exist_ok=True)
            self.stream = self._aside.open("wb")
        return self

    def keep(self, name: str) -> None:
        """Let the file appear under `name`, which replaces an older one."""
        if self._aside is not None:
            self.stream.close()  # what is still buffered may find no room: then nothing appears
            self._aside.replace(self._aside.with_name(name))
            return
        filesystem, path = _remote(join(self.folder, name))
        filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
        self.stream.seek(0)
        with filesystem.open(path, "wb") as target:
            shutil.copyfileobj(self.stream, target, 1 << 20)

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            self.stream.close()
        if self._aside is not None:
            self._aside.unlink(missing_ok=True)


def exists(uri: str) -> bool:
    """Is there a file or folder of that name?"""
    if is_local(uri):
        return Path(uri).exists()
    filesystem, path = _remote(uri)
    return bool(filesystem.exists(path))


def remove(uri: str) -> None:
    """Remove a file; one that is not there is no error."""
    if is_local(uri):
        Path(uri).unlink(missing_ok=True)
        return
    filesystem, path = _remote(uri)
    if filesystem.exists(path):
        filesystem.rm_file(path)


def list_files(root: str, **options: Any) -> Iterator[Entry]:
    """Every file below a folder, in the order of their relative paths; hidden files are left out.

    Args:
        root: a local folder or URI.
        options: of the file system, such as ``token="anon"``.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    entries = _list_local(root) if is_local(root) else _list_remote(root, **options)
    yield from sorted(entries, key=lambda entry: entry.relative)


def _list_local(root: str) -> Iterator[Entry]:
    pending: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(root, "", frozenset())]
    while pending:
        folder, prefix, above = pending.pop()
        status = os.stat(folder)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in above:  # a link to a folder that it stands in
            continue
        above |= {(status.st_dev, status.st_ino)}
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    pending.append((entry.path, f"{prefix}{entry.name}/", above))
                    continue
                status = os.lstat(entry.path) if not os.path.exists(entry.path) else entry.stat()  # noqa: PTH110
                yield Entry(entry.path, prefix + entry.name, status.st_size, str(status.st_mtime_ns))


def _list_remote(root: str, **options: Any) -> Iterator[Entry]:
    filesystem, path = _remote(root, **options)
    found = filesystem.find(path, detail=True)
    if not found:
        raise FileNotFoundError(root)
    scheme = root.partition("://")[0]
    base = path.strip("/")
    for name, info in found.items():
        relative = name.strip("/").removeprefix(base).lstrip("/")
        if any(part.startswith(".") for part in relative.split("/")):
            continue
        version = info.get("md5Hash") or info.get("generation") or info.get("etag") or info.get("mtime") or ""
        yield Entry(
            f"{scheme}://{name.lstrip('/') if scheme != 'file' else name}", relative, int(info["size"]), str(version)
        )
