"""WebDataset: a tar archive in which files of the same name belong together: 000000.jpg, and its class 000000.cls.

The archives are those of POSIX (ustar), without times, owners or anything else that differs from run to run. Reading
by number first walks over the headers of all files; in a bucket, that streams the archive once. A compressed archive
cannot be read by number: it is decompressed into memory first.

What the archive shows by itself: damage to a header, and a missing end. Contents have no checksums, unless the archive
is compressed, and then the checksum comes after the last picture.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

from flowerexp.errors import DataError
from flowerexp.workload.formats import Sample
from flowerexp.workload.formats.files import BaseFormat, Closing, Once, Ranges, checked, stream
from flowerexp.workload.images import compressed

_T = TypeVar("_T")

_GZIP = b"\x1f\x8b"
_BLOCK = tarfile.BLOCKSIZE
_IMAGES = ("jpg", "jpeg", "png")
_LABELS = ("cls", "txt")


class WebDataset(BaseFormat):
    """The format of the library webdataset; compressed as a whole with GZIP if wanted."""

    name, title, suffix = "webdataset", "WebDataset", ".tar"
    compressions = ("gzip",)

    def write(self, path: str, samples: Iterable[tuple[bytes, int]], compression: str | None) -> int:
        """See `Format.write`; the library recognises a compressed archive by its content."""
        count = 0
        with contextlib.ExitStack() as opened:
            file: Any = opened.enter_context(Path(path).open("wb"))
            if compression:
                file = opened.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
            archive = opened.enter_context(tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT))
            for image, label in samples:
                _add(archive, f"{count:06d}.jpg", image)
                _add(archive, f"{count:06d}.cls", str(label).encode())
                count += 1
        return count

    def count(self, uri: str, options: dict[str, Any]) -> int:
        """See `Format.count`."""
        with self.open(uri, options) as archive:
            return len(archive)

    def open(self, uri: str, options: dict[str, Any]) -> Archive:
        """See `Format.open`."""
        return Archive(uri, options)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


class _Member(NamedTuple):
    """A file in an archive: what comes before and after the first dot of its name, and where its content is."""

    key: bytes
    extension: str
    start: int
    size: int


class Archive(Closing):
    """A tar archive of pictures."""

    def __init__(self, uri: str, options: dict[str, Any]) -> None:
        super().__init__()
        self._uri, self._options = uri, options
        self._index = Once(self._indexed)

    def __len__(self) -> int:
        return len(self._index()[1])

    def __iter__(self) -> Iterator[Sample]:
        with self._unpacked() as file:
            yield from map(self._sample, _grouped(self._contents(file)))

    def __getitem__(self, place: int) -> Sample:
        ranges, samples = self._index()
        spans = samples[checked(place, len(samples))]
        return self._sample({name: ranges(start, start + size) for name, (start, size) in spans.items()})

    @contextlib.contextmanager
    def _unpacked(self) -> Iterator[BinaryIO]:
        """The archive, without compression; the errors of that become a DataError."""
        with stream(self._uri, self._options) as file:
            head = file.read(_BLOCK)
            if not head.startswith(_GZIP):
                file.seek(0)
                yield file
                return
            try:
                yield compressed.opened(head, file)
            except (zlib.error, EOFError) as error:
                raise FORMAT.damaged(
                    self._uri, f"it cannot be decompressed ({error or 'it ends too early'})"
                ) from error

    def _indexed(self) -> tuple[Ranges, list[dict[str, tuple[int, int]]]]:
        """The archive's bytes, and for each sample the place and size of its files."""
        with self._unpacked() as file:
            content = file.read() if compressed.is_opened(file) else None
            seekable = file if content is None else io.BytesIO(content)
            seekable.seek(0, os.SEEK_END)
            end = seekable.tell()
            seekable.seek(0)
            members = []
            for member in self._members(seekable):
                if seekable.tell() + _padded(member.size) > end:
                    raise self._cut_off(member.start)
                seekable.seek(member.start + _padded(member.size))
                members.append((member, (member.start, member.size)))
        return Ranges(self._uri, self._options, content), list(_grouped(members))

    def _contents(self, file: BinaryIO) -> Iterator[tuple[_Member, bytes]]:
        """The files of an archive, in order, with their contents."""
        for member in self._members(file):
            content = file.read(_padded(member.size))
            if len(content) < _padded(member.size):
                raise self._cut_off(member.start)
            yield member, content[: member.size]

    def _members(self, file: BinaryIO) -> Iterator[_Member]:
        """The files of an archive; whoever iterates moves the archive behind each one's content."""
        place = 0
        while any(header := file.read(_BLOCK)):
            if len(header) < _BLOCK:
                raise self._cut_off(place)
            try:
                member = _parsed(header, place + _BLOCK)
            except ValueError as error:
                doubt = "" if place else ", or this is not a tar archive"
                raise FORMAT.damaged(self._uri, f"the header at byte {place} is damaged{doubt}") from error
            yield member
            place = member.start + _padded(member.size)
        if not header:  # an archive ends with blocks of zeros
            raise self._cut_off(place)

    def _cut_off(self, place: int) -> DataError:
        return FORMAT.damaged(self._uri, f"it is cut off by the file's end, behind byte {place}")

    def _sample(self, files: Mapping[str, bytes | memoryview]) -> Sample:
        image = next((files[name] for name in _IMAGES if name in files), None)
        label = next((bytes(files[name]) for name in _LABELS if name in files), None)
        if image is None or label is None:
            missing = " or ".join(_IMAGES if image is None else _LABELS)
            raise FORMAT.damaged(self._uri, f"a sample has the files {', '.join(files)}, but no {missing}")
        return image, int(label) if label.isdigit() else label


def _parsed(header: bytes, start: int) -> _Member:
    """The file that a header of ustar describes.

    Raises:
        ValueError: the header is damaged.
    """
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")  # the checksum is that of blanks in its place
    if total != int(header[148:156].strip(b" \0"), 8):
        raise ValueError("checksum")
    name = header[:100].partition(b"\0")[0]
    folder, slash, base = name.rpartition(b"/")
    key, _, extension = base.partition(b".")
    return _Member(
        folder + slash + key, extension.decode().lower(), start, int(header[124:136].strip(b" \0") or b"0", 8)
    )


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _grouped(files: Iterable[tuple[_Member, _T]]) -> Iterator[dict[str, _T]]:
    """What belongs to each sample, by extension: the files that follow each other with the same name."""
    for _, group in itertools.groupby(files, lambda file: file[0].key):
        yield {member.extension: value for member, value in group}


FORMAT = WebDataset()
