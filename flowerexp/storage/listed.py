"""What stands below a folder, in the order of the names: walked, or page by page; no list of it is in memory."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


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


def list_files(root: str, **options: Any) -> Iterator[Entry]:
    """Every file below a folder, in the order of their relative paths; hidden files are left out.

    Args:
        root: a local folder or URI.
        options: of the file system, such as ``token="anon"``.

    Raises:
        FileNotFoundError: there is no such folder.
        NotADirectoryError: it is a file.
        OSError: it cannot be listed.
    """
    if is_local(root):
        yield from _list_local(root, "", frozenset())
    else:
        yield from _list_remote(root, **options)


def _list_local(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Entry]:
    """Walk a folder in the order of the relative paths, which is that of the names where a folder's ends in a slash.

    So no more than the names of the folders on the way are in memory.
    """
    status = os.stat(folder)  # noqa: PTH116
    if (status.st_dev, status.st_ino) in above:  # a link to a folder that it stands in
        return
    above |= {(status.st_dev, status.st_ino)}
    with os.scandir(folder) as entries:
        names = sorted(
            entry.name + "/" if entry.is_dir() else entry.name for entry in entries if not entry.name.startswith(".")
        )
    for name in names:
        if name.endswith("/"):
            yield from _list_local(os.path.join(folder, name.rstrip("/")), prefix + name, above)  # noqa: PTH118
            continue
        yield _entry(folder, prefix, name)


def _entry(folder: str, prefix: str, name: str) -> Entry:
    path = os.path.join(folder, name)  # noqa: PTH118
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        status = os.lstat(path)
    return Entry(path, prefix + name, status.st_size, str(status.st_mtime_ns))


def list_folder(root: str, **options: Any) -> tuple[list[str], Iterator[Entry]]:
    """What stands in a folder itself: the names of the folders in it, and its files; hidden ones are left out.

    Args:
        root: a local folder or URI.
        options: of the file system, such as ``token="anon"``.

    Returns:
        The folders in the order in which `list_files` comes through them, and the files in the order of their names.

    Raises:
        OSError: it cannot be listed; of files that stand in a bucket, when they are asked for. In a bucket, a folder
            that is not there is an empty one.
    """
    if not is_local(root):
        from flowerexp.storage import remote

        return remote.folders(root, options), (
            entry for entry in _list_remote(root, "/", **options) if "/" not in entry.relative
        )
    status = os.stat(root)  # noqa: PTH116
    with os.scandir(root) as found:
        seen = [entry for entry in found if not entry.name.startswith(".")]
    # A link to the folder itself is none of its folders, as in a walk.
    own = [entry for entry in seen if entry.is_dir() and not os.path.samestat(entry.stat(), status)]
    files = sorted(entry.name for entry in seen if not entry.is_dir())
    return sorted((entry.name for entry in own), key=lambda name: name + "/"), (
        _entry(root, "", name) for name in files
    )


def _list_remote(root: str, delimiter: str = "", **options: Any) -> Iterator[Entry]:
    from flowerexp.storage import remote

    scheme, base = root.partition("://")[0], root.partition("://")[2].strip("/")
    empty = True
    for name, info in remote.objects(root, options, delimiter):
        empty = False
        relative = name.lstrip("/")[len(base) :].removeprefix("/")
        if not relative and not name.endswith("/"):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), root)
        # Consoles make an empty object to show a folder; its name ends in a slash.
        if relative.endswith("/") or any(part.startswith(".") for part in relative.split("/")):
            continue
        if relative:
            yield Entry(
                f"{scheme}://{name if scheme == 'file' else name.lstrip('/')}",
                relative,
                int(info["size"]),
                _version(info),
            )
    if empty and not delimiter:  # with one, there may be folders only
        raise FileNotFoundError(errno.ENOENT, "there are no files below it", root)


def _version(info: dict[str, Any]) -> str:
    """What tells an object's contents apart; a composed one has no MD5, and a copy has a new generation."""
    return next((str(info[key]) for key in ("md5Hash", "crc32c", "generation", "etag", "mtime") if info.get(key)), "")
