"""How many shards data is written into: as many as the config says, or as many as give shards of a certain size."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

MOST = 100_000
"""Shards of a data set."""

_QUALITIES = ((1, 0.4), (30, 1.15), (50, 1.6), (75, 2.4), (85, 3.3), (90, 4.1), (95, 5.85), (100, 12.3))
_SIDE = 192


def count(preprocess: dict[str, Any], photographs: int) -> int:
    """How many shards there are to be: `preprocess.shards`, or by `preprocess.shard_mb`.

    Args:
        preprocess: the config's.
        photographs: how many there are.

    Returns:
        The number; where it follows from a size, only from what is named in `image_bytes` and the number of
        photographs, so that it is the same each time.
    """
    if preprocess["shards"] is not None:
        return int(preprocess["shards"])
    height, width = preprocess["target_size"]
    size = photographs * image_bytes(height, width, preprocess["quality"])
    return int(min(MOST, max(1, math.ceil(size / (preprocess["shard_mb"] * 1e6)))))


def image_bytes(height: int, width: int, quality: int) -> float:
    """About how many bytes an image takes when it is written, by its size and the quality of the JPEG.

    The bits for each pixel are the means of 100 of the flower photographs at 192 x 192 pixels, for some qualities, with
    straight lines in between. They fall with the square root of the side, since larger images have less detail in each
    pixel: from 96 to 512 pixels that is at most 15 % wrong for these photographs. Others may be half or twice as large.

    Args:
        height: in pixels.
        width: in pixels.
        quality: libjpeg's, 1 to 100.
    """
    for (low, fewer), (high, more) in pairwise(_QUALITIES):
        if quality <= high:
            bits = fewer + (more - fewer) * (quality - low) / (high - low)
            break
    pixels = height * width
    return pixels * bits / 8 * math.sqrt(_SIDE / math.sqrt(pixels))
