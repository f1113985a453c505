"""Read files that are compressed as a whole with GZIP or ZLIB, as TensorFlow can write TFRecord files."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = 1 << 20
_ANY_HEADER = 32 + zlib.MAX_WBITS  # tells zlib to recognise GZIP and ZLIB by the header


def kind(head: bytes) -> str:
    """`GZIP` (RFC 1952), `ZLIB` (RFC 1950) or an empty text, by the first bytes of a file."""
    if head.startswith(b"\x1f\x8b"):
        return "GZIP"
    return "ZLIB" if head and head[0] & 15 == 8 and int.from_bytes(head[:2], "big") % 31 == 0 else ""


def opened(head: bytes, file: BinaryIO) -> BinaryIO:
    """Open a compressed file for reading its decompressed content.

    Args:
        head: the first bytes of the file, if they have been read already.
        file: open for reading the bytes after them.

    Returns:
        A file. Reading raises an EOFError if the compressed file ends too early, and a zlib.error if it is damaged.
    """
    return cast("BinaryIO", io.BufferedReader(_Inflated(head, file), _BLOCK))


def is_opened(file: BinaryIO) -> bool:
    """Whether `opened` made a file, which can only be read in order."""
    return isinstance(getattr(file, "raw", None), _Inflated)


class _Inflated(io.RawIOBase):
    """The decompressed content of a GZIP or ZLIB file; see `opened` for the errors of reading."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._packed, self._file = head, file
        self._inflate = zlib.decompressobj(_ANY_HEADER)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        while not (content := self._inflate.decompress(self._packed, len(view))):
            self._packed = self._inflate.unused_data or self._file.read(_BLOCK)
            if self._inflate.eof and not self._packed:
                return 0
            if self._inflate.eof:  # a file may consist of several GZIP files
                self._inflate = zlib.decompressobj(_ANY_HEADER)
            elif not self._packed:
                raise EOFError
        self._packed = self._inflate.unconsumed_tail
        view[: len(content)] = content
        return len(content)
