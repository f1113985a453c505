"""List the files below a folder in the order of their names, without a list of all of them in memory."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowerexp.storage.paths import is_local


@dataclass(frozen=True)
class Entry:
    """A file: its path or URI, its path below the listed folder, its size in bytes, and its version.

    The version changes with the content: the modification time in ns of a local file, the hash or generation of an
    object in a bucket.
    """

    uri: str
    relative: str
    size: int
    version: str


#: The reasons for passing something over. Only buckets have folders without a name (`a//b`).
HIDDEN, LOOP, SPECIAL, UNNAMED = (
    "hidden files or folders",
    "links to a folder that they stand in",
    "special files",
    "folders without a name",
)
#: Not a reason: `passed` is called with it for each folder that is walked, whether or not it contains files.
FOLDER = "folders"

Passed = Callable[[str, str], object]
"""Called with what a listing passes over: the relative path (a folder's ends in a slash), and the reason."""


class LargeFolderError(Exception):
    """A folder has more entries than the caller wants to hold."""


def ignore(relative: str, reason: str) -> None:
    """Do nothing about what is passed over."""


def list_files(
    root: str, *, below: str = "", passed: Passed | None = None, most: int | None = None, **options: Any
) -> Iterator[Entry]:
    """Every file below a folder, in the order of their relative paths; hidden files are left out.

    Args:
        root: a local folder or URI.
        below: list only the files below this folder in it; their relative paths still begin at `root`.
        passed: called with everything that is passed over, and with each folder. With it, a folder that cannot be
            listed is passed over too; the reason is the operating system's message.
        most: do not hold the names of a folder on this machine that has more entries.
        options: of the file system, such as ``token="anon"``.

    Raises:
        FileNotFoundError: the folder does not exist.
        NotADirectoryError: it is a file.
        OSError: it cannot be listed.
        LargeFolderError: a folder has more than `most` entries.
    """
    if not is_local(root):
        yield from list_remote(root, below, "", passed or ignore, options)
        return
    folder, prefix = (os.path.join(root, below), f"{below}/") if below else (root, "")  # noqa: PTH118
    yield from _list_local(folder, prefix, above_of(root, below), passed, most)


def above_of(root: str, below: str = "") -> frozenset[tuple[int, int]]:
    """The folders above a root, or above a folder in it: following a link to one of them would lead back."""
    identities = {_identity(root)} if below else set()
    for folder in Path(os.path.realpath(root)).parents:
        with contextlib.suppress(OSError):
            identities.add(_identity(str(folder)))
    return frozenset(identities)


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116
    return status.st_dev, status.st_ino


def enter(
    folder: str, prefix: str, above: frozenset[tuple[int, int]], notify: Passed
) -> frozenset[tuple[int, int]] | None:
    """The folders above those in a folder; None, and a notice, if the folder is one of those above it."""
    identity = _identity(folder)
    if identity in above:
        notify(prefix, LOOP)
        return None
    return above | {identity}


def _list_local(
    folder: str, prefix: str, above: frozenset[tuple[int, int]], passed: Passed | None, most: int | None
) -> Iterator[Entry]:
    """Walk a folder in the order of the relative paths: that of the names, if a folder's name ends in a slash.

    So only the names in the folders on the current path are in memory.
    """
    inside = enter(folder, prefix, above, passed or ignore)
    if inside is None:
        return
    with os.scandir(folder) as entries:
        names = sorted(named(entry) for entry in itertools.islice(entries, most if most is None else most + 1))
    if most is not None and len(names) > most:
        raise LargeFolderError(folder)
    yield from walk(names, folder, prefix, inside, passed, most)


def walk(
    names: Sequence[str],
    folder: str,
    prefix: str,
    above: frozenset[tuple[int, int]],
    passed: Passed | None,
    most: int | None = None,
) -> Iterator[Entry]:
    """The files of a folder that have some names, and those below its folders with some.

    Args:
        names: sorted; a folder's ends in a slash.
        folder: the folder.
        prefix: its path below the root, with a slash.
        above: the folder, and those above it.
        passed: see `list_files`.
        most: see `list_files`.
    """
    notify = passed or ignore
    notify(prefix, FOLDER)
    for name in names:
        if name.startswith("."):
            notify(prefix + name, HIDDEN)
        elif not name.endswith("/"):
            entry = _entry(folder, prefix, name, notify)
            if entry:
                yield entry
        else:
            try:
                inner = os.path.join(folder, name.rstrip("/"))  # noqa: PTH118
                yield from _list_local(inner, prefix + name, above, passed, most)
            except OSError as error:
                if passed is None:
                    raise
                passed(prefix + name, error.strerror or str(error))


def named(entry: os.DirEntry[str]) -> str:
    """The name of an entry of a folder; a folder's name ends in a slash."""
    try:
        return entry.name + "/" if entry.is_dir() else entry.name
    except OSError:  # a link to itself, or into a folder that this user may not read
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
    """The names of the folders directly in a folder, and its files; hidden ones are left out.

    Args:
        root: a local folder or URI.
        passed: called with everything that is passed over.
        options: of the file system, such as ``token="anon"``.

    Returns:
        The folders in the order in which `list_files` walks them, and the files in the order of their names.

    Raises:
        OSError: the folder cannot be listed; for the files in a bucket, it is raised when iterating over them. In a
            bucket, a missing folder is an empty one.
    """
    notify = passed or ignore
    if is_local(root):
        names, files = _local_folder(root, notify)
    else:
        names, files = _remote_folder(root, notify, options)
    for name in names:
        if name.startswith(".") or not name:
            notify(name + "/", HIDDEN if name else UNNAMED)
    return sorted((name for name in names if name and not name.startswith(".")), key=lambda name: name + "/"), files


def _local_folder(root: str, notify: Passed) -> tuple[list[str], Iterator[Entry]]:
    above = above_of(root, below=".")
    with os.scandir(root) as scanned:
        names = [named(entry) for entry in scanned]
    folders, files = [], []
    for name in names:
        if not name.endswith("/"):
            files.append(name)
        elif not name.startswith(".") and _identity(os.path.join(root, name)) in above:  # noqa: PTH118
            notify(name, LOOP)
        else:
            folders.append(name[:-1])
    hidden = [name for name in files if name.startswith(".")]
    for name in hidden:
        notify(name, HIDDEN)
    entries = (_entry(root, "", name, notify) for name in sorted(set(files).difference(hidden)))
    return folders, (entry for entry in entries if entry)


def _remote_folder(root: str, notify: Passed, options: dict[str, Any]) -> tuple[list[str], Iterator[Entry]]:
    from flowerexp.storage import remote

    def notify_of_file(relative: str, reason: str) -> None:  # a file system that is not a bucket lists folders too
        if "/" not in relative:
            notify(relative, reason)

    files = list_remote(root, "", "/", notify_of_file, options)
    return remote.folders(root, options), (entry for entry in files if "/" not in entry.relative)


def list_remote(
    root: str,
    below: str,
    delimiter: str,
    passed: Passed,
    options: dict[str, Any],
    bounds: tuple[str, str | None] | None = None,
) -> Iterator[Entry]:
    """The files below a URI, or below one of its folders; of a bucket, those between two names if `bounds` has them."""
    from flowerexp.storage import remote

    scheme, base = root.partition("://")[0], root.partition("://")[2].strip("/")
    empty, last = True, None
    for name, info in remote.objects(f"{root.rstrip('/')}/{below}" if below else root, options, delimiter, bounds):
        empty = False
        relative = name.lstrip("/")[len(base) :].removeprefix("/")
        if not relative and not name.endswith("/"):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), root)
        omitted = _passed_over(relative)
        if omitted and omitted != last:  # only once for a hidden folder: objects are sorted by their names
            passed(*omitted)
        last = omitted
        if relative and not omitted:
            yield Entry(
                f"{scheme}://{name if scheme == 'file' else name.lstrip('/')}",
                relative,
                int(info["size"]),
                _version(info),
            )
    if empty and not delimiter and bounds is None:  # with a delimiter, there may be only folders
        raise FileNotFoundError(errno.ENOENT, "there are no files below it", root)


def _passed_over(relative: str) -> tuple[str, str] | None:
    """The part of an object's path that a listing passes over, and the reason; None if it lists the object."""
    if "/." not in f"/{relative}" and "//" not in f"/{relative}" and not relative.endswith("/"):
        return None
    parts = relative.split("/")
    for place, part in enumerate(parts[:-1], start=1):
        if not part or part.startswith("."):
            return "/".join(parts[:place]) + "/", HIDDEN if part else UNNAMED
    if parts[-1]:
        return relative, HIDDEN
    # Consoles create an empty object to show a folder; its name ends in a slash.
    return (relative, FOLDER) if relative else None


def _version(info: dict[str, Any]) -> str:
    """A text that differs if an object's content does; a composed object has no MD5, a copy has a new generation."""
    return next((str(info[key]) for key in ("md5Hash", "crc32c", "generation", "etag", "mtime") if info.get(key)), "")
