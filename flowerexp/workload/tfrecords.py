"""TFRecord files of labelled pictures, written and read without TensorFlow.

The file format (tensorflow/core/lib/io/record_writer.h): each record is its length (8 bytes, little-endian), the masked
CRC of those 8 bytes (4), the payload, the masked CRC of the payload (4). The payload is a ``tf.train.Example``
(tensorflow/core/example/example.proto and feature.proto) with two features: ``image``, the JPEG, and ``class``, the
number of its class.
"""

from __future__ import annotations

import functools
import os
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import google_crc32c

from flowerexp.errors import DataError

__all__ = ["Written", "count_records", "decode_example", "encode_example", "frame", "read_records", "write_file"]

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_HEADER_SIZE = _LENGTH.size + _CRC.size

# Protocol buffers' wire format (protobuf.dev/programming-guides/encoding): a field starts with number * 8 + wire type.
_VARINT, _BYTES = 0, 2


class Written(NamedTuple):
    """What came to lie in a file: the number of records, and of bytes, framing included."""

    records: int
    bytes: int


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
        How many records and bytes were written.
    """
    count = size = 0
    for record in records:
        framed = frame(record)
        file.write(framed)
        count += 1
        size += len(framed)
    return Written(count, size)


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Read the payloads of a TFRecord file, verifying all lengths and checksums.

    Args:
        file: open for reading in binary mode, at the start of a record.

    Yields:
        The payloads, in the file's order.

    Raises:
        DataError: the file is damaged or ends inside a record; says where.
    """
    position = 0
    while (length := _read_length(file, position)) is not None:
        record = file.read(length)
        if len(record) < length or file.read(_CRC.size) != _masked_crc(record):
            raise _damaged(file, position)
        yield record
        position += _HEADER_SIZE + length + _CRC.size


def count_records(file: BinaryIO) -> int:
    """Count the records of a TFRecord file without reading the payloads.

    Args:
        file: seekable, open for reading in binary mode; counted from its start.

    Returns:
        The number of records.

    Raises:
        DataError: a length is damaged, or the file ends inside a record; says where. Damage to a payload is not seen.
    """
    end = file.seek(0, os.SEEK_END)
    position = file.seek(0)
    count = 0
    while (length := _read_length(file, position)) is not None:
        following = position + _HEADER_SIZE + length + _CRC.size
        if following > end:
            raise _damaged(file, position)
        position = file.seek(following)
        count += 1
    return count


def _read_length(file: BinaryIO, position: int) -> int | None:
    """The length of the record that starts here, or None at the end of the file."""
    header = file.read(_HEADER_SIZE)
    if not header:
        return None
    length = header[: _LENGTH.size]
    if len(header) < _HEADER_SIZE or header[_LENGTH.size :] != _masked_crc(length):
        raise _damaged(file, position)
    return int(_LENGTH.unpack(length)[0])


def _damaged(file: BinaryIO, position: int) -> DataError:
    name = getattr(file, "name", "in memory")
    return DataError(f"damaged TFRecord file {name} at byte {position}", hint="delete it and write it again")


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


def decode_example(record: bytes) -> tuple[bytes, int]:
    """Take one labelled picture out of a serialised ``tf.train.Example``, whoever wrote it.

    Args:
        record: a payload of a TFRecord file.

    Returns:
        The picture's file content, and the number of its class.

    Raises:
        DataError: it is no such Example, or it lacks one of the features ``image`` and ``class``.
    """
    features: dict[bytes, bytes] = {}
    try:
        for entry in _sub(_sub(record, 1)[0], 1):
            features[_sub(entry, 1)[0]] = _sub(entry, 2)[0]
        image = _sub(_sub(features[b"image"], 1)[0], 1)[0]
        # Int64List.value: packed (bytes), or each number in a field of its own
        number = _values(_sub(features[b"class"], 3)[0], 1)[0]
        label = _read_varint(number, 0)[0] if isinstance(number, bytes) else number
    except (LookupError, ValueError) as error:
        raise DataError("a record is no tf.train.Example with the features image and class") from error
    return image, label - (1 << 64) if label >> 63 else label


def _sub(message: bytes, number: int) -> list[bytes]:
    """The contents of all length-delimited fields of a number."""
    return [value for value in _values(message, number) if isinstance(value, bytes)]


def _values(message: bytes, number: int) -> list[bytes | int]:
    values: list[bytes | int] = []
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
        if key >> 3 == number:
            values.append(value)
    return values


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
