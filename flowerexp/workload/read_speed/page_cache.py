"""Bring files into or out of the operating system's page cache, and look up whether they are in it.

A file in a bucket is never in it: each read asks the bucket again, and no state of this machine makes it faster.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from flowerexp import storage
from flowerexp.storage import simulated

_libc = ctypes.CDLL(None, use_errno=True)
WARM_FROM = 0.95
COLD_TO = 0.05


def bring_to(wanted: str, paths: Iterable[str]) -> None:
    """Bring files into a state: `warm` reads them once, `cold` asks the kernel to drop them, `as_found` does nothing.

    The kernel may not obey, so look up the real state afterwards (`look_up`). Files in a bucket are left alone: reading
    them would warm nothing. Of a simulated bucket, these are the files behind it.
    """
    if wanted == "as_found":
        return
    behind = (simulated.local_path(path) or path for path in paths)
    for path in filter(storage.is_local, behind):
        with Path(path).open("rb") as file:
            if wanted == "warm":
                while file.read(1 << 20):
                    pass
            else:
                os.fdatasync(file.fileno())  # pages that are not on disk yet cannot be dropped
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def look_up(files: Sequence[str]) -> tuple[str, float | None]:
    """The state of files now.

    Args:
        files: paths, or URIs in a bucket.

    Returns:
        `warm`, `cold`, `unknown`, `remote` for files in a bucket, or `simulated` for a simulated one; and the fraction
        of their pages in the page cache, if it is known.
    """
    if any(simulated.local_path(path) for path in files[:1]):
        return "simulated", None
    if not all(map(storage.is_local, files)):
        return "remote", None
    fraction = cached_fraction(files)
    return state(fraction), fraction


def cached_fraction(paths: Iterable[str]) -> float | None:
    """The fraction of the files' pages that are in the page cache, by mincore(2).

    Args:
        paths: local files.

    Returns:
        0.0 to 1.0, or None if the kernel does not say: for a file that this user cannot write to (mincore answers "all"
        for those, Linux 5.2 and later), or on a system without mincore.
    """
    total = cached = 0
    for path in paths:
        pages = _pages(path)
        if pages is None:
            return None
        total += len(pages)
        cached += sum(page & 1 for page in pages)
    return cached / total if total else None


def _pages(path: str) -> Sequence[int] | None:
    try:
        status = Path(path).stat()
        if status.st_uid != os.geteuid() and not os.access(path, os.W_OK):
            return None
        if status.st_size == 0:
            return b""
        mincore = _libc.mincore
        with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
            # ACCESS_COPY maps privately: ctypes wants a writable buffer, and the file stays as it is.
            count = -(-status.st_size // mmap.PAGESIZE)
            states = (ctypes.c_ubyte * count)()
            start = ctypes.c_char.from_buffer(mapped)
            result = mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(status.st_size), states)
            del start
            return bytes(states) if result == 0 else None
    except (OSError, AttributeError):
        return None


def state(fraction: float | None) -> str:
    """`warm`, `cold`, or `unknown`, which also means a mixture."""
    if fraction is None:
        return "unknown"
    if fraction >= WARM_FROM:
        return "warm"
    return "cold" if fraction <= COLD_TO else "unknown"
