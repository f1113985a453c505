"""What stands below a folder, in the order of the names: walked, or page by page; no list of it is in memory."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
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


#: Why something is passed over. Only buckets have folders without a name (`a//b`).
HIDDEN, LOOP, SPECIAL, UNNAMED = (
    "hidden files or folders",
    "links to a folder that they stand in",
    "special files",
    "folders without a name",
)
#: Told of each folder that is walked, whether or not there are files in it.
FOLDER = "folders"

Passed = Callable[[str, str], object]
"""Is told what a listing passes over: its relative path (a folder's with a slash at the end), and why."""


def _unheard(relative: str, reason: str) -> None:
    pass


def list_files(root: str, *, below: str = "", passed: Passed | None = None, **options: Any) -> Iterator[Entry]:
    """Every file below a folder, in the order of their relative paths; hidden files are left out.

    Args:
        root: a local folder or URI.
        below: list only what is below this folder in it; relative paths are those below `root` all the same.
        passed: is told what is passed over, and of each folder. A folder that cannot be listed is then passed over,
            too, with the operating system's words as the reason.
        options: of the file system, such as ``token="anon"``.

    Raises:
        FileNotFoundError: there is no such folder.
        NotADirectoryError: it is a file.
        OSError: it cannot be listed.
    """
    if not is_local(root):
        yield from _list_remote(root, below, "", passed or _unheard, options)
        return
    folder, prefix = (os.path.join(root, below), f"{below}/") if below else (root, "")  # noqa: PTH118
    above = _above(root) | {_identity(root)} if below else _above(root)
    yield from _list_local(folder, prefix, above, passed)


def _above(root: str) -> frozenset[tuple[int, int]]:
    """The folders that a folder stands in: a link to one of them would lead back to it, by way of all that is there."""
    found = set()
    for folder in Path(os.path.realpath(root)).parents:
        with contextlib.suppress(OSError):
            found.add(_identity(str(folder)))
    return frozenset(found)


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116
    return status.st_dev, status.st_ino


def _list_local(folder: str, prefix: str, above: frozenset[tuple[int, int]], passed: Passed | None) -> Iterator[Entry]:
    """Walk a folder in the order of the relative paths, which is that of the names where a folder's ends in a slash.

    So no more than the names of the folders on the way are in memory.
    """
    tell = passed or _unheard
    identity = _identity(folder)
    if identity in above:
        tell(prefix, LOOP)
        return
    above |= {identity}
    with os.scandir(folder) as entries:
        names = sorted(_named(entry) for entry in entries)
    tell(prefix, FOLDER)
    for name in names:
        if name.startswith("."):
            tell(prefix + name, HIDDEN)
        elif not name.endswith("/"):
            entry = _entry(folder, prefix, name, tell)
            if entry:
                yield entry
        else:
            try:
                yield from _list_local(os.path.join(folder, name.rstrip("/")), prefix + name, above, passed)  # noqa: PTH118
            except OSError as error:
                if passed is None:
                    raise
                passed(prefix + name, error.strerror or str(error))


def _named(entry: os.DirEntry[str]) -> str:
    """The name of what stands in a folder; a folder's ends in a slash."""
    try:
        return entry.name + "/" if entry.is_dir() else entry.name
    except OSError:  # a link that leads in a circle, or to where we may not look
        return entry.name


def _entry(folder: str, prefix: str, name: str, passed: Passed) -> Entry | None:
    path = os.path.join(folder, name)  # noqa: PTH118
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        status = os.lstat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):  # reading a pipe would never end
        passed(prefix + name, SPECIAL)
        return None
    return Entry(path, prefix + name, status.st_size, str(status.st_mtime_ns))


def list_folder(root: str, *, passed: Passed | None = None, **options: Any) -> tuple[list[str], Iterator[Entry]]:
    """What stands in a folder itself: the names of the folders in it, and its files; hidden ones are left out.

    Args:
        root: a local folder or URI.
        passed: is told what is passed over.
        options: of the file system, such as ``token="anon"``.

    Returns:
        The folders in the order in which `list_files` comes through them, and the files in the order of their names.

    Raises:
        OSError: it cannot be listed; of files that stand in a bucket, when they are asked for. In a bucket, a folder
            that is not there is an empty one.
    """
    tell = passed or _unheard
    if is_local(root):
        names, files = _local_folder(root, tell)
    else:
        names, files = _remote_folder(root, tell, options)
    for name in names:
        if name.startswith(".") or not name:
            tell(name + "/", HIDDEN if name else UNNAMED)
    return sorted((name for name in names if name and not name.startswith(".")), key=lambda name: name + "/"), files


def _local_folder(root: str, tell: Passed) -> tuple[list[str], Iterator[Entry]]:
    above = _above(root) | {_identity(root)}
    with os.scandir(root) as found:
        seen = [_named(entry) for entry in found]
    folders, files = [], []
    for name in seen:
        if not name.endswith("/"):
            files.append(name)
        elif not name.startswith(".") and _identity(os.path.join(root, name)) in above:  # noqa: PTH118
            tell(name, LOOP)
        else:
            folders.append(name[:-1])
    hidden = [name for name in files if name.startswith(".")]
    for name in hidden:
        tell(name, HIDDEN)
    entries = (_entry(root, "", name, tell) for name in sorted(set(files).difference(hidden)))
    return folders, (entry for entry in entries if entry)


def _remote_folder(root: str, tell: Passed, options: dict[str, Any]) -> tuple[list[str], Iterator[Entry]]:
    from flowerexp.storage import remote

    def tell_of_file(relative: str, reason: str) -> None:  # a file system that is no bucket lists the folders, too
        if "/" not in relative:
            tell(relative, reason)

    files = _list_remote(root, "", "/", tell_of_file, options)
    return remote.folders(root, options), (entry for entry in files if "/" not in entry.relative)


def _list_remote(root: str, below: str, delimiter: str, passed: Passed, options: dict[str, Any]) -> Iterator[Entry]:
    from flowerexp.storage import remote

    scheme, base = root.partition("://")[0], root.partition("://")[2].strip("/")
    empty, last = True, None
    for name, info in remote.objects(f"{root.rstrip('/')}/{below}" if below else root, options, delimiter):
        empty = False
        relative = name.lstrip("/")[len(base) :].removeprefix("/")
        if not relative and not name.endswith("/"):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), root)
        over = _passed_over(relative)
        if over and over != last:  # once for all that a hidden folder holds: objects come in the order of their names
            passed(*over)
        last = over
        if relative and not over:
            yield Entry(
                f"{scheme}://{name if scheme == 'file' else name.lstrip('/')}",
                relative,
                int(info["size"]),
                _version(info),
            )
    if empty and not delimiter:  # with one, there may be folders only
        raise FileNotFoundError(errno.ENOENT, "there are no files below it", root)


def _passed_over(relative: str) -> tuple[str, str] | None:
    """What of an object's path a listing passes over, and why; None of an ordinary one."""
    if "/." not in f"/{relative}" and "//" not in f"/{relative}" and not relative.endswith("/"):
        return None
    parts = relative.split("/")
    for place, part in enumerate(parts[:-1], start=1):
        if not part or part.startswith("."):
            return "/".join(parts[:place]) + "/", HIDDEN if part else UNNAMED
    if parts[-1]:
        return relative, HIDDEN
    # Consoles make an empty object to show a folder; its name ends in a slash.
    return (relative, FOLDER) if relative else None


def _version(info: dict[str, Any]) -> str:
    """What tells an object's contents apart; a composed one has no MD5, and a copy has a new generation."""
    return next((str(info[key]) for key in ("md5Hash", "crc32c", "generation", "etag", "mtime") if info.get(key)), "")
