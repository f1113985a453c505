"""Make a smaller JPEG of a photograph: decode, fill the target size, compress again.

There are two ways. The exact one gives the same bytes as TensorFlow's
``tf.image.decode_jpeg``, ``tf.image.resize``, ``tf.image.crop_to_bounding_box``, ``tf.cast`` and
``tf.image.encode_jpeg(optimize_size=True, chroma_downsampling=False)``; the fast one resizes with OpenCV, and a few of
its pixels differ by one grey level. Neither imports TensorFlow, which would cost each Python worker of Spark seconds
and half a gigabyte.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from flowerexp.workload.images import LARGEST
from flowerexp.workload.images.decoded import decode

__all__ = ["Geometry", "decode", "encode", "fill_geometry", "is_narrow", "recompress", "resize_and_crop"]

# Spark runs one task per core already: OpenCV's threads would only take cores from other tasks.
cv2.setNumThreads(1)

_FULL_CHROMA = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
_OPTIMISED = (cv2.IMWRITE_JPEG_OPTIMIZE, 1)
# OpenCV leaves out the density, which has a fixed place in the header that each JPEG begins with: the unit (1 is an
# inch), and the dots in two bytes each.
_DENSITY, _DPI_300 = slice(13, 18), (1, *(300).to_bytes(2, "big") * 2)


class Geometry(NamedTuple):
    """A picture's size after resizing, and the target's top left corner in it; all in pixels."""

    height: int
    width: int
    top: int
    left: int


def fill_geometry(height: int, width: int, target_height: int, target_width: int) -> Geometry:
    """The "fill" rule: scale until the target is just covered, keep the aspect ratio, crop around the centre.

    For square targets it is the rule of Google's notebooks that write the Flowers data set as TFRecords. These exchange
    height and width, so that other targets are turned by 90 degrees there, but not here.

    Args:
        height: the picture's, in pixels.
        width: the picture's, in pixels.
        target_height: the result's, in pixels.
        target_width: the result's, in pixels.

    Returns:
        The resized picture's size, at least that of the target in both directions, and the crop's corner.
    """
    # The notebook divides in float64 and truncates; these integer divisions give the same (the quotient of two integers
    # under 2**53 never rounds up to the next integer), and never less than the target.
    if height * target_width < width * target_height:
        resized = target_height, width * target_height // height
    else:
        resized = height * target_width // width, target_width
    return Geometry(*resized, (resized[0] - target_height) // 2, (resized[1] - target_width) // 2)


def is_narrow(height: int, width: int, target_height: int, target_width: int) -> bool:
    """Whether a picture is so long and narrow that resizing all of it would make it huge (`images.LARGEST`)."""
    resized = fill_geometry(height, width, target_height, target_width)
    return resized.height * resized.width > LARGEST * target_height * target_width


def resize_and_crop(
    image: NDArray[np.uint8], target_height: int, target_width: int, *, exact: bool = False
) -> NDArray[np.uint8]:
    """Fill the target with the picture: bilinear, half-pixel centres, no antialiasing, grey levels truncated.

    Args:
        image: RGB, shape (height, width, 3).
        target_height: the result's, in pixels.
        target_width: the result's, in pixels.
        exact: give the same pixels as ``tf.image.resize`` and ``tf.cast``; otherwise a few differ by one grey level.

    Returns:
        RGB, shape (target_height, target_width, 3).
    """
    height, width = image.shape[:2]
    geometry = fill_geometry(height, width, target_height, target_width)
    rows = slice(geometry.top, geometry.top + target_height)
    columns = slice(geometry.left, geometry.left + target_width)
    if exact or _needs_exactness(height, width, geometry, target_height * target_width):
        return _bilinear(image, _taps(height, geometry.height, rows), _taps(width, geometry.width, columns))
    size = (geometry.width, geometry.height)
    resized = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized[rows, columns].astype(np.uint8))


def _needs_exactness(height: int, width: int, geometry: Geometry, target: int) -> bool:
    """Whether OpenCV would be slower than the exact way, or differ too much from it."""
    # OpenCV works on the whole picture, including what is cropped; the exact way works only on what is used. So the
    # latter is faster for large photographs, and the only way for a strip of 1 x 60,000 pixels (26 GB when resized).
    if height * width > 24 * target or geometry.height * geometry.width > 4 * target:
        return True
    # At scales such as 5/3 (320 to 192) many results are whole numbers except for the last bit, which decides how they
    # are truncated: a tenth of the pixels would differ, and the compressed pictures would agree to only 42 dB. With
    # denominators m, n of the two scales, about one result in 4 * m * n is whole. Powers of two have no such bits.
    m, n = (out // math.gcd(size, out) for size, out in ((height, geometry.height), (width, geometry.width)))
    return m * n < 256 and (m * n).bit_count() > 1


class _Taps(NamedTuple):
    """The two source pixels around each pixel of an axis, and its distance from the first (0 to 1)."""

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    weight: NDArray[np.float32]


def _taps(n_in: int, n_out: int, used: slice) -> _Taps:
    # TensorFlow's half-pixel centres, step by step in its float32 (HalfPixelScaler in core/util/image_resizer_state.h,
    # compute_interpolation_weights in core/kernels/image/resize_bilinear_op.cc): another order gives other bits.
    scale = np.float32(n_in) / np.float32(n_out)
    places = np.arange(used.start, used.stop).astype(np.float32)
    position = (places + np.float32(0.5)) * scale - np.float32(0.5)
    floor = np.floor(position)
    lower = np.maximum(floor.astype(np.int64), 0)
    upper = np.minimum(np.ceil(position).astype(np.int64), n_in - 1)
    return _Taps(lower, upper, position - floor)


def _bilinear(image: NDArray[np.uint8], y: _Taps, x: _Taps) -> NDArray[np.uint8]:
    # TensorFlow interpolates from left to right in the upper and in the lower row, then from top to bottom. Several
    # target rows use the same source row: take each once.
    used, place = np.unique(np.concatenate([y.lower, y.upper]), return_inverse=True)
    # NumPy picks rows by copying memory and columns pixel by pixel: turned by 90 degrees, columns are rows.
    turned = cv2.transpose(image[used, x.lower[0] : x.upper[-1] + 1])
    left, right = (cv2.transpose(turned[side - x.lower[0]]).reshape(len(used), -1) for side in (x.lower, x.upper))
    # Differences of bytes are exact in float32, so they need not be converted first.
    rows = cv2.subtract(right, left, dtype=cv2.CV_32F)
    rows *= np.repeat(x.weight, 3)
    rows = cv2.add(rows, left, dtype=cv2.CV_32F)
    top, bottom = rows[place[: len(y.lower)]], rows[place[len(y.lower) :]]
    bottom -= top
    bottom *= y.weight[:, None]
    bottom += top
    return np.asarray(bottom.astype(np.uint8).reshape(len(y.lower), len(x.lower), 3))


def encode(image: NDArray[np.uint8], quality: int) -> bytes:
    """Compress to a JPEG with full chroma and optimised Huffman tables.

    Args:
        image: RGB, shape (height, width, 3).
        quality: libjpeg's, 1 to 100.

    Returns:
        The bytes of ``tf.image.encode_jpeg(quality=quality, optimize_size=True, chroma_downsampling=False)``,
        including its density of 300 dots per inch.
    """
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, *_FULL_CHROMA, *_OPTIMISED]
    _, content = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    content[_DENSITY] = _DPI_300
    return content.tobytes()


def recompress(
    data: bytes, target_size: tuple[int, int], quality: int, *, exact: bool = False, scaled: bool = False
) -> bytes:
    """Make a training picture from a photograph: decode, fill the target, compress.

    Args:
        data: the photograph's file content.
        target_size: height and width of the result, in pixels.
        quality: libjpeg's, 1 to 100.
        exact: give TensorFlow's bytes; otherwise it takes a tenth less time.
        scaled: decode a large JPEG 2, 4 or 8 times smaller, but not smaller than the target.

    Returns:
        A JPEG of the target size.

    Raises:
        DataError: the data cannot be decoded.
    """
    pixels = decode(data, target_size if scaled else None)
    return encode(resize_and_crop(pixels, *target_size, exact=exact), quality)
