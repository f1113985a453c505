"""What photographs look like, as numbers, and which of them are copies of each other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from flowerexp.errors import DataError

_ROWS, _COLUMNS = 16, 17
_LEAST = 32
"""Of 256 comparisons, as many have to be true, and as many false: a picture of one colour looks like any other one."""

COPY = 24
"""Looks that differ in at most so many of 256 bits are of copies.

Measured on 736 photographs of flowers: their copies of half the size, or of JPEG quality 70, differed in at most 24
bits; two different photographs differed in 33 bits (the same flower, taken twice), all others in 52 or more.
"""
MOST = 20_000
"""Of more photographs than this, not all pairs are compared: copies are then those with equal looks."""


def look_of(content: bytes) -> bytes:
    """The look of a picture's file: nearly the same for copies that were resized or recompressed.

    A difference hash (Krawetz, "Kind of Like That", 2013): is each point of a small grey picture brighter than its left
    neighbour? What cannot be decoded, or has hardly any structure, is known by its bytes alone.

    Args:
        content: the file's content.

    Returns:
        32 bytes.
    """
    import cv2
    import numpy as np

    from flowerexp.workload.images import decoded

    exact = hashlib.blake2b(content, digest_size=_ROWS * (_COLUMNS - 1) // 8).digest()
    try:
        pixels = decoded.decode(content, (_ROWS * 2, _COLUMNS * 2))
    except DataError:
        return exact
    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA)
    brighter = np.diff(grey.astype(np.int16), axis=1) > 0
    if not _LEAST <= int(brighter.sum()) <= brighter.size - _LEAST:
        return exact
    return np.packbits(brighter).tobytes()


def originals(looks: Sequence[bytes]) -> list[int]:
    """For each look the place of the first one that it is a copy of, directly or by way of others; else its own place.

    Args:
        looks: those of `look_of`.
    """
    import numpy as np

    first = list(range(len(looks)))

    def found(place: int) -> int:
        while first[place] != place:
            first[place] = place = first[first[place]]
        return place

    known: dict[bytes, int] = {}
    for place, look in enumerate(looks):
        first[place] = known.setdefault(look, place)
    if 1 < len(looks) <= MOST:
        words = np.frombuffer(b"".join(looks), np.uint64).reshape(len(looks), -1)
        for place in range(1, len(looks)):
            bits = np.bitwise_count(words[:place] ^ words[place]).sum(axis=1, dtype=np.uint16)
            for other in np.flatnonzero(bits <= COPY):
                one, two = sorted((found(int(other)), found(place)))
                first[two] = one
    return [found(place) for place in range(len(looks))]
