"""Labelled pictures as serialised ``tf.train.Example`` messages, written and read without TensorFlow.

An Example (tensorflow/core/example/example.proto and feature.proto) of flowerexp has two features: ``image``, the JPEG,
and ``class``, the number of its class. Other people's Examples may have other names for these.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping

from flowerexp.errors import DataError

# Protocol buffers' wire format (protobuf.dev/programming-guides/encoding): a field starts with number * 8 + wire type.
_VARINT, _BYTES = 0, 2


def encode_example(image: bytes, label: int) -> bytes:
    """Serialise one labelled picture as a ``tf.train.Example``.

    Args:
        image: the picture's file content.
        label: the number of its class.

    Returns:
        The bytes of ``Example.SerializeToString(deterministic=True)``: the features in the order of their names.
    """
    # Features.feature is a map: a repeated field of entries with the key in field 1 and the value in field 2. The bytes
    # before the picture are built first, from the inside out, so that the picture itself is copied only once.
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
    """The bytes before the content of a length-delimited field: its key and its length."""
    return bytes([number << 3 | _BYTES]) + _varint(length)


def _varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF  # negative numbers travel as 64-bit two's complement
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


# What comes before the picture in an Example of `encode_example`: reading it costs a few microseconds, while walking
# through all fields costs as many as decoding a tenth of the picture.
_LONG = rb"[\x80-\xff]*[\x00-\x7f]"
_OWN = re.compile(
    rb"\n%(n)s\n.\n\x05class\x12.\x1a.\n[\x01-\x0a](?P<label>%(n)s)"
    rb"\n%(n)s\n\x05image\x12%(n)s\n%(n)s\n(?P<length>%(n)s)" % {b"n": _LONG},
    re.DOTALL,
)


@functools.cache
def _label(varint: bytes) -> int:
    return _signed(_read_varint(varint, 0)[0])


def decode_example(record: bytes, image: str = "image", label: str | None = "class") -> tuple[bytes, int | bytes]:
    """Take one labelled picture out of a serialised ``tf.train.Example``, whoever wrote it.

    Args:
        record: a payload of a TFRecord file.
        image: the name of the feature that holds the picture's file content.
        label: the name of the feature that holds its class, a number or a text; None if there is none.

    Returns:
        The picture's file content, and its class; -1 if there is none.

    Raises:
        DataError: the record is not an Example, or lacks one of the features; the message lists those that it has.
    """
    if (image, label) == ("image", "class") and (own := _OWN.match(record)):
        length, _ = _read_varint(own["length"], 0)
        if length == len(record) - own.end():
            return record[own.end() :], _label(own["label"])
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
    present = f"; it has {_described(features)}" if features else ""
    raise DataError(f"a record is not a tf.train.Example with {wanted}{present}")


def features_of(record: bytes) -> dict[str, str]:
    """The names of an Example's features, with their types: `bytes`, `float`, `int64`, or `empty`.

    Raises:
        DataError: the record is not an Example.
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
            raise ValueError("an entry that is not of a map of features")
        features[name.decode()] = ("empty", b"")
        for key, values in _fields(feature):
            if key in _KINDS and isinstance(values, bytes):
                features[name.decode()] = (_KINDS[key], values)
                break
    return features


def _first(kind: str, values: bytes) -> int | bytes:
    """The first value of a feature, a number or a text.

    Raises:
        LookupError: the feature has no value.
        ValueError: the value has another type.
    """
    if kind == "bytes":
        return _sub(values, 1)[0]
    if kind != "int64":
        raise ValueError(kind)
    # Int64List.value: packed (bytes), or each number in a field of its own
    value = _values(values, 1)[0]
    number = _read_varint(value, 0)[0] if isinstance(value, bytes) else value
    return _signed(number)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _sub(message: bytes, number: int) -> list[bytes]:
    """The contents of all length-delimited fields with this number."""
    return [value for value in _values(message, number) if isinstance(value, bytes)]


def _values(message: bytes, number: int) -> list[bytes | int]:
    return [value for key, value in _fields(message) if key == number]


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Each field's number and value."""
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
            raise ValueError("a wire type that Examples do not have")
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
