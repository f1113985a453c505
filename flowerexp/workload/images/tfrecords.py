"""TFRecord files of labelled pictures, written and read without TensorFlow.

The file format (tensorflow/core/lib/io/record_writer.h): each record is its length (8 bytes, little-endian), the masked
CRC of those 8 bytes (4), the payload, the masked CRC of the payload (4). The payload is a ``tf.train.Example``
(tensorflow/core/example/example.proto and feature.proto) with two features: ``image``, the JPEG, and ``class``, the
number of its class. Other people's files may have other names for these, and may be compressed as a whole.
"""

from __future__ import annotations

import functools
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import google_crc32c

from flowerexp.errors import DataError
from flowerexp.workload.images import compressed

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_HEADER_SIZE = _LENGTH.size + _CRC.size

_BLOCK = 1 << 20

# Protocol buffers' wire format (protobuf.dev/programming-guides/encoding): a field starts with number * 8 + wire type.
_VARINT, _BYTES = 0, 2


class Written(NamedTuple):
    """What came to lie in a file: the number of records, and of bytes, framing included, and the CRC32C of these."""

    records: int
    bytes: int
    crc32c: str


def frame(record: bytes) -> bytes:
    """Put a payload into the frame that makes it a record of a TFRecord file."""
    length = _LENGTH.pack(len(record))
    return b"".join((length, _masked_crc(length), record, _masked_crc(record)))


def _masked_crc(data: bytes) -> bytes:
    # Masked, because the CRC of a string that holds its own CRC is of no use (tensorflow/core/lib/hash/crc32c.h).
    crc = google_crc32c.value(data)
    rotated = crc >> 15 | crc << 17
    return _CRC.pack(rotated + 0xA282EAD8 & 0xFFFFFFFF)


def write_file(file: BinaryIO, records: Iterable[bytes]) -> Written:
    """Write a TFRecord file.

    Args:
        file: open for writing in binary mode. Whether the file appears whole or not at all is the caller's business.
        records: the payloads; taken one at a time.

    Returns:
        How many records and bytes were written, and their checksum.
    """
    count = size = crc = 0
    for record in records:
        framed = frame(record)
        file.write(framed)
        count += 1
        size += len(framed)
        crc = google_crc32c.extend(crc, framed)
    return Written(count, size, _shown(crc))


def checksum(file: BinaryIO) -> str:
    """The CRC32C of all that follows in a file, in the same 8 hexadecimal digits as `Written.crc32c`."""
    crc = 0
    while block := file.read(_BLOCK):
        crc = google_crc32c.extend(crc, block)
    return _shown(crc)


def _shown(crc: int) -> str:
    return f"{crc:08x}"


def compression(head: bytes) -> str:
    """How a file is compressed, by its first 12 bytes: `GZIP`, `ZLIB`, or nothing: names say little about it."""
    return "" if head[_LENGTH.size :] == _masked_crc(head[: _LENGTH.size]) else compressed.kind(head)


def compression_of(file: BinaryIO) -> str:
    """As `compression`, of a seekable file, which is then at its start."""
    file.seek(0)
    found = compression(file.read(_HEADER_SIZE))
    file.seek(0)
    return found


def read_records(file: BinaryIO, name: str | None = None) -> Iterator[bytes]:
    """Read the payloads of a TFRecord file, verifying all lengths and checksums; a compressed one is decompressed.

    Args:
        file: open for reading in binary mode, at its start.
        name: what to call it in an error; by default the name that it has itself.

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
        name: as of `read_records`.

    Returns:
        The number of records.

    Raises:
        DataError: a length is damaged, or the file ends inside a record; says where. Damage to a payload is not seen.
    """
    if compression_of(file):
        return sum(1 for _ in read_records(file, name))
    place = _Place(name or str(getattr(file, "name", "in memory")))
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    while header := file.read(_HEADER_SIZE):
        following = place.byte + _HEADER_SIZE + _length(header, place) + _CRC.size
        if following > end:
            raise place.damaged("is cut off by the file's end")
        place.record += 1
        place.byte = file.seek(following)
    return place.record - 1


@dataclass
class _Place:
    """Where reading a file has got to: the record's number, from 1, and the byte that it begins with, from 0."""

    name: str
    of: str = ""
    record: int = 1
    byte: int = 0

    def damaged(self, how: str) -> DataError:
        where = f"record {self.record} at byte {self.byte}{self.of}"
        return DataError(f"damaged TFRecord file {self.name}: {where} {how}")


def _length(header: bytes, place: _Place) -> int:
    """The length of the record that begins with this."""
    length = header[: _LENGTH.size]
    if len(header) < _HEADER_SIZE:
        raise place.damaged("is cut off by the file's end")
    if header[_LENGTH.size :] != _masked_crc(length):
        doubt = "" if place.byte else ", or this is not a TFRecord file"
        raise place.damaged(f"has a wrong checksum{doubt}")
    return int(_LENGTH.unpack(length)[0])


def encode_example(image: bytes, label: int) -> bytes:
    """Serialise one labelled picture as a ``tf.train.Example``.

    Args:
        image: the picture's file content.
        label: the number of its class.

    Returns:
        What ``Example.SerializeToString(deterministic=True)`` gives: the features in the order of their names.
    """
    # Features.feature is a map: a repeated field of entries with the key in field 1 and the value in field 2. What
    # comes before the picture is made first, from the inside out, so that the picture itself is copied once.
    head = b""
    for number in (1, 1, 2):  # BytesList.value, Feature.bytes_list, the entry's value
        head = _opening(number, len(head) + len(image)) + head
    head = _field(1, b"image") + head
    head = _class_entry(label) + _opening(1, len(head) + len(image)) + head
    return b"".join((_opening(1, len(head) + len(image)), head, image))  # Example.features


@functools.cache
def _class_entry(label: int) -> bytes:
    int64_list = _field(3, _field(1, _varint(label)))  # Feature.int64_list, Int64List.value (packed)
    return _field(1, _field(1, b"class") + _field(2, int64_list))


def _field(number: int, content: bytes) -> bytes:
    return _opening(number, len(content)) + content


def _opening(number: int, length: int) -> bytes:
    """What comes before the content of a length-delimited field."""
    return bytes([number << 3 | _BYTES]) + _varint(length)


def _varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF  # negative numbers travel as 64-bit two's complement
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def decode_example(record: bytes, image: str = "image", label: str | None = "class") -> tuple[bytes, int | bytes]:
    """Take one labelled picture out of a serialised ``tf.train.Example``, whoever wrote it.

    Args:
        record: a payload of a TFRecord file.
        image: the name of the feature that holds the picture's file content.
        label: the name of the feature that holds its class, a number or a text; None where there is none.

    Returns:
        The picture's file content, and its class; -1 where there is none.

    Raises:
        DataError: it is no such Example, or it lacks one of the features; says which there are.
    """
    features: Mapping[str, tuple[str, bytes]] = {}
    try:
        features = _features(record)
        content = _first(*features[image])
        number = _first(*features[label]) if label is not None else -1
        if isinstance(content, bytes):
            return content, number
    except (LookupError, ValueError):
        pass
    wanted = f"the features {image} and {label}" if label is not None else f"the feature {image}"
    there = f"; it has {_described(features)}" if features else ""
    raise DataError(f"a record is not a tf.train.Example with {wanted}{there}")


def features_of(record: bytes) -> dict[str, str]:
    """The names of an Example's features, with their types: `bytes`, `float`, `int64`, or `empty`.

    Raises:
        DataError: it is not an Example.
    """
    try:
        return {name: kind for name, (kind, _) in _features(record).items()}
    except (LookupError, ValueError) as error:
        raise DataError("a record is not a tf.train.Example") from error


def _described(features: Mapping[str, tuple[str, bytes]]) -> str:
    """The features of an Example, in words."""
    return ", ".join(f"{name} ({kind})" for name, (kind, _) in sorted(features.items()))


_KINDS = {1: "bytes", 2: "float", 3: "int64"}  # Feature.bytes_list, float_list, int64_list


def _features(record: bytes) -> dict[str, tuple[str, bytes]]:
    """Each feature's type, and its serialised list of values."""
    features: dict[str, tuple[str, bytes]] = {}
    for entry in _sub(_sub(record, 1)[0], 1):
        parts = dict(_fields(entry))
        name, feature = parts[1], parts.get(2, b"")
        if not isinstance(name, bytes) or not isinstance(feature, bytes):
            raise ValueError("an entry that no map of features has")
        features[name.decode()] = ("empty", b"")
        for key, values in _fields(feature):
            if key in _KINDS and isinstance(values, bytes):
                features[name.decode()] = (_KINDS[key], values)
                break
    return features


def _first(kind: str, values: bytes) -> int | bytes:
    """The first value of a feature, a number or a text.

    Raises:
        LookupError: there is none.
        ValueError: it is of another type.
    """
    if kind == "bytes":
        return _sub(values, 1)[0]
    if kind != "int64":
        raise ValueError(kind)
    # Int64List.value: packed (bytes), or each number in a field of its own
    value = _values(values, 1)[0]
    number = _read_varint(value, 0)[0] if isinstance(value, bytes) else value
    return number - (1 << 64) if number >> 63 else number


def _sub(message: bytes, number: int) -> list[bytes]:
    """The contents of all length-delimited fields of a number."""
    return [value for value in _values(message, number) if isinstance(value, bytes)]


def _values(message: bytes, number: int) -> list[bytes | int]:
    return [value for key, value in _fields(message) if key == number]


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The number and the value of each field."""
    position = 0
    while position < len(message):
        key, position = _read_varint(message, position)
        value: bytes | int
        value, position = _read_varint(message, position)
        if key & 7 == _BYTES:
            start, position = position, position + value
            if position > len(message):
                raise ValueError("a field ends behind its message")
            value = message[start:position]
        elif key & 7 != _VARINT:
            raise ValueError("a wire type that no Example has")
        yield key >> 3, value


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
