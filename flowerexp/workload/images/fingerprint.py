"""Fingerprints of the data that a run reads: hashes of the files' names, sizes and versions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from flowerexp import storage
from flowerexp.workload.images.photographs import Photographs


def lines_of(files: Photographs | Sequence[storage.Entry]) -> Iterator[bytes]:
    """What a fingerprint depends on: one line per file."""
    if isinstance(files, Photographs):  # the same from what it holds, in a fraction of the time
        return (b"%b\0%d\0%b\n" % named for named in files.named())
    return (f"{file.relative}\0{file.size}\0{file.version}\n".encode(errors="surrogateescape") for file in files)


def photographs_fingerprint(lines: Iterable[bytes], classes: Sequence[str]) -> str:
    """The fingerprint of sampled photographs.

    Args:
        lines: those of `lines_of`, in the order of the photographs' names; several may be joined.
        classes: the names of the classes, in the order of their numbers.
    """
    return _hash(repr(list(classes)).encode(errors="surrogateescape"), lines)


def data_fingerprint(photographs: str | None, records: Sequence[storage.Entry]) -> str | None:
    """The fingerprint of all that a run reads: its photographs and, if it measures them, existing TFRecord files.

    Args:
        photographs: the fingerprint of the listing; None if no photographs are read.
        records: the existing TFRecord files.
    """
    return _hash((photographs or "").encode(), lines_of(records)) if records else photographs


def _hash(start: bytes, lines: Iterable[bytes]) -> str:
    digest = hashlib.sha256(start)
    for line in lines:
        digest.update(line)
    return digest.hexdigest()[:16]
