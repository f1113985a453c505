"""TFRecord files, written, read, counted and verified without TensorFlow; what a record holds is up to `examples`.

The file format (tensorflow/core/lib/io/record_writer.h): each record is its length (8 bytes, little-endian), the masked
CRC of those 8 bytes (4), the payload, the masked CRC of the payload (4). Other people's files may be compressed as a
whole.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import google_crc32c

from flowerexp.errors import DataError
from flowerexp.workload.images import compressed

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_HEADER_SIZE = _LENGTH.size + _CRC.size


def frame(record: bytes) -> bytes:
    """Put a payload into the frame that makes it a record of a TFRecord file."""
    length = _LENGTH.pack(len(record))
    return b"".join((length, _masked_crc(length), record, _masked_crc(record)))


def _masked_crc(data: bytes) -> bytes:
    # Masked, because the CRC of a string that holds its own CRC is of no use (tensorflow/core/lib/hash/crc32c.h).
    crc = google_crc32c.value(data)
    rotated = crc >> 15 | crc << 17
    return _CRC.pack(rotated + 0xA282EAD8 & 0xFFFFFFFF)


def write_file(file: BinaryIO, records: Iterable[bytes]) -> int:
    """Write a TFRecord file.

    Args:
        file: open for writing in binary mode. It is up to the caller whether a file that is written in part stays.
        records: the payloads; taken one at a time.

    Returns:
        How many records were written.
    """
    count = 0
    for record in records:
        file.write(frame(record))
        count += 1
    return count


def compression(head: bytes) -> str:
    """How a file is compressed: `GZIP`, `ZLIB`, or an empty text, by its first 12 bytes: names can mislead."""
    return "" if head[_LENGTH.size :] == _masked_crc(head[: _LENGTH.size]) else compressed.kind(head)


def compression_of(file: BinaryIO) -> str:
    """Like `compression`, for a seekable file, whose position is its start afterwards."""
    file.seek(0)
    kind = compression(file.read(_HEADER_SIZE))
    file.seek(0)
    return kind


def read_records(file: BinaryIO, name: str | None = None) -> Iterator[bytes]:
    """Read the payloads of a TFRecord file, verifying all lengths and checksums; a compressed one is decompressed.

    Args:
        file: open for reading in binary mode, at its start.
        name: the file's name in errors; by default `file.name`.

    Yields:
        The payloads, in the file's order.

    Raises:
        DataError: the file is damaged or ends inside a record; says which and where.
    """
    name = name or str(getattr(file, "name", "in memory"))
    place = _Place(name)
    try:
        header = file.read(_HEADER_SIZE)
        if compression(header):
            place = _Place(name, " of what it decompresses to")
            file = compressed.opened(header, file)
            header = file.read(_HEADER_SIZE)
        while header:
            length = _length(header, place)
            record = file.read(length)
            crc = file.read(_CRC.size)
            if len(crc) < _CRC.size:
                raise place.damaged("is cut off by the file's end")
            if crc != _masked_crc(record):
                raise place.damaged("has a wrong checksum")
            yield record
            place.record += 1
            place.byte += _HEADER_SIZE + length + _CRC.size
            header = file.read(_HEADER_SIZE)
    except (zlib.error, EOFError) as error:
        raise place.damaged("cannot be decompressed") from error


def count_records(file: BinaryIO, name: str | None = None) -> int:
    """Count the records of a TFRecord file without reading the payloads; a compressed one has to be read.

    Args:
        file: seekable, open for reading in binary mode; counted from its start.
        name: see `read_records`.

    Returns:
        The number of records.

    Raises:
        DataError: a length is damaged, or the file ends inside a record; says where. Damage to a payload is not seen.
    """
    return sum(1 for _ in (read_records(file, name) if compression_of(file) else ends(file, name)))


def ends(file: BinaryIO, name: str | None = None) -> Iterator[int]:
    """The place behind each record of a TFRecord file that is not compressed, without reading the payloads.

    Args:
        file: seekable, open for reading in binary mode, at its start.
        name: see `read_records`.

    Raises:
        DataError: see `count_records`.
    """
    place = _Place(name or str(getattr(file, "name", "in memory")))
    file.seek(0, os.SEEK_END)
    end = file.tell()
    file.seek(0)
    while header := file.read(_HEADER_SIZE):
        following = place.byte + _HEADER_SIZE + _length(header, place) + _CRC.size
        if following > end:
            raise place.damaged("is cut off by the file's end")
        yield following
        place.record += 1
        place.byte = following
        file.seek(following)


def payload(framed: bytes | memoryview, name: str, number: int, start: int) -> bytes:
    """The payload of a record in its frame, as `frame` made it, verified.

    Args:
        framed: the bytes of the record.
        name: the file's name in errors.
        number: of the record in the file, counted from 0.
        start: the byte at which it begins in the file.

    Raises:
        DataError: it is damaged.
    """
    place = _Place(name, record=number + 1, byte=start)
    length = _length(bytes(framed[:_HEADER_SIZE]), place)
    record, crc = bytes(framed[_HEADER_SIZE : -_CRC.size]), framed[-_CRC.size :]
    if len(record) != length:
        raise place.damaged("is cut off by the file's end")
    if crc != _masked_crc(record):
        raise place.damaged("has a wrong checksum")
    return record


@dataclass
class _Place:
    """The current record: its number, counted from 1, and the byte at which it begins, counted from 0."""

    name: str
    of: str = ""
    record: int = 1
    byte: int = 0

    def damaged(self, how: str) -> DataError:
        where = f"record {self.record} at byte {self.byte}{self.of}"
        return DataError(f"damaged TFRecord file {self.name}: {where} {how}")


def _length(header: bytes, place: _Place) -> int:
    """The payload's length, as a record's header says.

    Raises:
        DataError: the header is cut off or damaged.
    """
    length = header[: _LENGTH.size]
    if len(header) < _HEADER_SIZE:
        raise place.damaged("is cut off by the file's end")
    if header[_LENGTH.size :] != _masked_crc(length):
        doubt = "" if place.byte else ", or this is not a TFRecord file"
        raise place.damaged(f"has a wrong checksum{doubt}")
    return int(_LENGTH.unpack(length)[0])
