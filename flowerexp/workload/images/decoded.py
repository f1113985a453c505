"""Decode a picture file into pixels, and read its format, warnings of the decoder, and EXIF orientation."""

from __future__ import annotations

import io
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from flowerexp.errors import DataError
from flowerexp.workload.images import SCALES

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "Decoded",
    "decode",
    "inspect",
    "orientation_of",
    "scale_of",
    "stored_size",
    "upright",
]

#: Larger pictures are refused before they are decompressed: a file of some kB can claim to be 12 GB. Pillow's limit.
MAX_PIXELS = 178_956_970

#: The formats that are decoded. Missing are formats that run other programs (EPS) and formats that any text can look
#: like (PPM, XBM).
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
_JPEG_START = b"\xff\xd8"
_TIFF_STARTS = (b"II", b"MM")
_START_OF_SCAN = b"\xff\xda"
_END_OF_IMAGE = b"\xff\xd9"
_EXIF = b"Exif\0\0"


class Decoded(NamedTuple):
    """A picture, and what decoding has shown about its file.

    Attributes:
        pixels: RGB, shape (height, width, 3).
        kind: one of `FORMATS`.
        animated: whether the file is an animation of several pictures.
        warning: libjpeg's message about damage, although it could decode the picture; None without damage. For JPEGs
            that simplejpeg leaves to Pillow it is always None.
    """

    pixels: NDArray[np.uint8]
    kind: str
    animated: bool = False
    warning: str | None = None


def decode(data: bytes, least: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Decode a picture; a JPEG gives the pixels that ``tf.image.decode_jpeg`` gives.

    JPEGs that simplejpeg refuses (stray bytes in the header, chroma subsampled in an unusual way) are left to Pillow,
    whose more precise inverse DCT differs from TensorFlow's by a few grey levels.

    Args:
        data: the file's content: a JPEG, PNG, GIF, BMP, WebP or TIFF; the file's name does not matter. The first frame
            of an animation is taken, transparency is dropped, and an orientation in the EXIF data is not applied
            (TensorFlow does not apply it either; see `upright`).
        least: None to decode all of it. A height and width in pixels, to decode a JPEG 2, 4 or 8 times smaller (see
            `scale_of`) as ``tf.image.decode_jpeg(ratio=...)`` does; other formats have no scales.

    Returns:
        RGB, shape (height, width, 3); a smaller height or width is rounded up. Grey, CMYK and palette pictures become
        RGB too.

    Raises:
        DataError: the data is empty, truncated, not a picture, or larger than ``MAX_PIXELS``.
    """
    return inspect(data, least).pixels


def inspect(data: bytes, least: tuple[int, int] | None = None) -> Decoded:
    """Decode a picture like `decode`, and return what else is known about it.

    Raises:
        DataError: see `decode`.
    """
    if not data:
        raise DataError("empty file")
    try:
        height, width = simplejpeg.decode_jpeg_header(data, strict=False)[:2]
    except (ValueError, KeyError):  # not a JPEG, or simplejpeg does not know its colour space or subsampling
        return _decode_with_pillow(data, least)
    _check_size(height, width)
    return _decode_jpeg(data, height, width, least)


def scale_of(height: int, width: int, least: tuple[int, int]) -> int:
    """How many times smaller a JPEG is decoded: the most of `images.SCALES` that leaves enough, or 1.

    Pillow's ``draft`` has the same rule.

    Args:
        height: the picture's, in pixels.
        width: the picture's, in pixels.
        least: the height and width that must be left, without rounding up.
    """
    return next((scale for scale in SCALES if height >= scale * least[0] and width >= scale * least[1]), 1)


def stored_size(target_size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """The (height, width) that a picture needs to have before `upright` turns it, to have `target_size` after that."""
    height, width = target_size
    return (width, height) if orientation >= 5 else (height, width)


def _decode_jpeg(data: bytes, height: int, width: int, least: tuple[int, int] | None) -> Decoded:
    # simplejpeg scales rather than OpenCV (IMREAD_REDUCED_COLOR_2), which turns pictures by their EXIF data, returns
    # damaged ones without a word and has other pixels than TensorFlow, or Pillow (draft). It takes the
    # smallest of libjpeg's sixteen scales that leaves these sides: whole ones, or those of one of SCALES.
    scale = scale_of(height, width, least) if least else 1
    # The fast DCT and the smooth upsampling are TensorFlow's defaults: the same pixels depend on them.
    taken = partial(simplejpeg.decode_jpeg, data, "RGB", fastdct=True, fastupsample=False)
    pixels_of = partial(taken, min_height=-(-height // scale), min_width=-(-width // scale))
    try:
        return Decoded(pixels_of(strict=True), "JPEG")
    except (ValueError, KeyError) as error:
        # libjpeg reports only its first warning, which can hide a later "premature end": so look for the end marker.
        # (The compressed data cannot contain one by chance: there, 0xFF is followed by 0x00 or is a restart marker.)
        if "Premature end of JPEG file" in str(error) or data.rfind(_END_OF_IMAGE) < data.rfind(_START_OF_SCAN):
            raise DataError("truncated JPEG") from error
        warning = str(error)
    try:
        pixels = pixels_of(strict=False)
    except (ValueError, KeyError):  # more than a warning
        return _decode_with_pillow(data, least)._replace(warning=warning)
    return Decoded(pixels, "JPEG", warning=warning)


def _decode_with_pillow(data: bytes, least: tuple[int, int] | None) -> Decoded:
    is_jpeg = data.startswith(_JPEG_START)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image.height, image.width)
            kind = "JPEG" if is_jpeg else str(image.format)  # Pillow calls a JPEG that another follows an MPO
            animated = kind == "GIF" and bool(getattr(image, "is_animated", False))
            image.seek(0)
            if least:
                image.draft(None, least[::-1])  # without effect on what is no JPEG
            if image.mode.startswith("I;16"):  # Pillow would clip 16 bits to 8; TensorFlow keeps the upper 8
                grey = (np.asarray(image) >> 8).astype(np.uint8)
                return Decoded(np.repeat(grey[:, :, None], 3, axis=2), kind, animated)
            # Via RGBA, since Pillow warns if it drops a palette's transparency directly.
            opaque = image.convert("RGBA") if "transparency" in image.info else image
            return Decoded(np.asarray(opaque.convert("RGB")), kind, animated)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"picture of more than {MAX_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise DataError("truncated or damaged JPEG" if is_jpeg else "not an image") from error
    except Exception as error:  # Pillow's parsers raise OSError, SyntaxError, struct.error and more on damaged data
        raise DataError("truncated or damaged JPEG" if is_jpeg else "truncated or damaged picture") from error


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise DataError(f"picture of {width}x{height}, more than {MAX_PIXELS:,} pixels")


def orientation_of(data: bytes) -> int:
    """The orientation in a picture's EXIF data, 1 to 8; 1 if there is none that can be read.

    For a TIFF it is 1 too: the orientation is part of the format, and `decode` has applied it.
    """
    if data.startswith(_TIFF_STARTS) or (data.startswith(_JPEG_START) and not _has_exif(data)):
        return 1
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow's parsers raise many kinds of errors on damaged data
        return 1
    return orientation if orientation in range(1, 9) else 1


def _has_exif(data: bytes) -> bool:
    """Whether one of a JPEG's segments holds EXIF data; takes microseconds for a file of any size."""
    position = len(_JPEG_START)
    while data[position : position + 1] == b"\xff" and data[position : position + 2] != _START_OF_SCAN:
        if data[position + 4 : position + 10] == _EXIF:
            return True
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn a picture to how its EXIF orientation says that it should be seen.

    Args:
        pixels: RGB, shape (height, width, 3).
        orientation: 1 to 8; from 5 on, height and width are exchanged.
    """
    if orientation >= 5:
        pixels = np.asarray(cv2.transpose(pixels))
    # What remains is to flip it vertically, horizontally, or both.
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else np.asarray(cv2.flip(pixels, flip), np.uint8)
