"""Files that are compressed as a whole, GZIP or ZLIB, as TensorFlow writes TFRecord files when asked to."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = 1 << 20
_ANY_HEADER = 32 + zlib.MAX_WBITS  # zlib's way to say that the header tells GZIP from ZLIB


def kind(head: bytes) -> str:
    """`GZIP` (RFC 1952), `ZLIB` (RFC 1950) or nothing, by the first bytes of a file."""
    if head.startswith(b"\x1f\x8b"):
        return "GZIP"
    return "ZLIB" if head and head[0] & 15 == 8 and int.from_bytes(head[:2], "big") % 31 == 0 else ""


def opened(head: bytes, file: BinaryIO) -> BinaryIO:
    """What a file decompresses to.

    Args:
        head: the first bytes of the file, if these have been read already.
        file: open for reading behind them.

    Returns:
        A file to read from. Reading raises an EOFError where the compressed one ends too early, and a zlib.error where
        it is damaged.
    """
    return cast("BinaryIO", io.BufferedReader(_Inflated(head, file), _BLOCK))


class _Inflated(io.RawIOBase):
    """What a GZIP or ZLIB file decompresses to.

    Raises:
        EOFError: the file ends too early.
        zlib.error: it is damaged.
    """

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
            if self._inflate.eof:  # GZIP files may be put one behind the other
                self._inflate = zlib.decompressobj(_ANY_HEADER)
            elif not self._packed:
                raise EOFError
        self._packed = self._inflate.unconsumed_tail
        view[: len(content)] = content
        return len(content)
