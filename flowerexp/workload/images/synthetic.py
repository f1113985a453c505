"""Paint synthetic photographs, so that everything runs without a data set.

They have the sizes, the bytes and the statistics of the Flowers data set's photographs (3,670, of which every fifth was
measured), so that decoding, resizing and reading cost as much. Photographs have about the same contrast at every scale
(Field, "Relations between the statistics of natural images", J. Opt. Soc. Am. A 4, 1987: amplitude 1/f): hence noise in
octaves of equal amplitude, over a flower in its class's shape and colours.

All pixels come from integer arithmetic, so that rounding does not depend on the processor: with the same versions of
NumPy, OpenCV and simplejpeg, every machine makes the same bytes.
"""

from __future__ import annotations

import bisect
import itertools
import math
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from flowerexp.workload.images.generated import SYNTHETIC_VERSION

__all__ = ["photograph"]

_Colour = tuple[int, int, int]


class _Flower(NamedTuple):
    """A class: its number of photographs in the Flowers data set, and its look (lengths are fractions of a petal's)."""

    photographs: int
    petals: int
    petal_width: float
    heart: float
    petal_colours: tuple[_Colour, ...]
    heart_colour: _Colour


_FLOWERS = {
    "daisy": _Flower(633, 16, 0.13, 0.32, ((236, 236, 228), (222, 214, 226)), (214, 168, 30)),
    "dandelion": _Flower(898, 34, 0.05, 0.16, ((238, 204, 24), (226, 184, 10)), (212, 150, 8)),
    "roses": _Flower(641, 7, 0.46, 0.42, ((186, 20, 42), (218, 92, 112), (226, 176, 150)), (128, 8, 28)),
    "sunflowers": _Flower(699, 22, 0.16, 0.52, ((240, 180, 12), (232, 150, 8)), (70, 42, 18)),
    "tulips": _Flower(
        799, 4, 0.50, 0.12, ((206, 40, 84), (150, 48, 140), (232, 120, 40), (240, 214, 90)), (60, 60, 20)
    ),
}

# For each of three common lengths of the longer side: its share, the length, the shorter sides with their shares (None:
# one from the range that follows), that range, and the share of landscape pictures.
_SIZES = (
    (0.37, 500, ((333, 0.56), (332, 0.09), (334, 0.06), (375, 0.12), (281, 0.05), (None, 0.12)), (268, 411), 1.0),
    (0.41, 320, ((240, 0.42), (213, 0.27), (256, 0.03), (None, 0.28)), (187, 286), 1.0),
    (0.22, 240, ((240, 0.28), (180, 0.22), (159, 0.07), (None, 0.43)), (145, 239), 0.2),
)
# libjpeg's quality and its share, as measured by the quantisation tables.
_QUALITIES = ((90, 0.63), (96, 0.33), (80, 0.04))
# The logarithm of the fine detail per pixel of the longer side: its mean and standard deviation.
_DETAIL_MEAN, _DETAIL_SPREAD = -1.10, 0.66


def photograph(index: int, seed: int) -> tuple[str, bytes]:
    """Make one photograph of an endless series.

    Args:
        index: its place in the series, from 0. Any range of indices has the classes in the real data set's proportions.
        seed: not negative; another seed makes another series.

    Returns:
        The relative name, which begins with the class's folder, such as ``daisy/00012.jpg``; and the file's content, a
        baseline JPEG with full chroma, like the real ones. Both depend only on the arguments and on
        ``generated.SYNTHETIC_VERSION``.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence((SYNTHETIC_VERSION, seed, index))))
    name = _class_of(index)
    height, width = _size(random)
    quality = int(random.choice([q for q, _ in _QUALITIES], p=[p for _, p in _QUALITIES]))
    pixels = _scene(random, _FLOWERS[name], height, width)
    content = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB", colorsubsampling="444", fastdct=False)
    return f"{name}/{index:05d}.jpg", content


def _class_of(index: int) -> str:
    # Any number of steps of the golden ratio spreads evenly over a circle (Weyl's sequence): here in 32 bits.
    bounds = list(itertools.accumulate(flower.photographs for flower in _FLOWERS.values()))
    place = index * 2_654_435_769 % 2**32 * bounds[-1] >> 32
    return list(_FLOWERS)[bisect.bisect(bounds, place)]


def _size(random: np.random.Generator) -> tuple[int, int]:
    """Draw height and width, in pixels."""
    kind = random.choice(len(_SIZES), p=[size[0] for size in _SIZES])
    _, longer, common, between, landscape = _SIZES[kind]
    shorter = common[random.choice(len(common), p=[chance for _, chance in common])][0]
    if shorter is None:
        shorter = int(random.integers(*between, endpoint=True))
    return (shorter, longer) if random.random() < landscape else (longer, shorter)


def _scene(random: np.random.Generator, flower: _Flower, height: int, width: int) -> NDArray[np.uint8]:
    """Paint a flower before a background, and light and texture over both: RGB, shape (height, width, 3)."""
    green, dark = int(random.integers(50, 150)), int(random.integers(10, 70))
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = (green * 3 // 4 + int(random.integers(-20, 30)), green, dark)
    _paint_flower(canvas, random, flower)
    blur = 3 + 2 * int(random.integers(0, 3))
    picture = cv2.blur(canvas, (blur, blur)).astype(np.int16)
    # The fine detail decides the size in bytes. The real set's larger photographs have more of it per pixel, too.
    detail = min(640, int(max(height, width) * math.exp(random.normal(_DETAIL_MEAN, _DETAIL_SPREAD))))
    light = _octaves(random, height, width, coarse=int(random.integers(24, 44)), detail=detail, finest=0)
    red, blue = (_octaves(random, height, width, coarse=9, detail=detail // 2, finest=1) for _ in range(2))
    picture += cv2.merge([light + red, light, light + blue])
    return np.asarray(np.clip(picture, 0, 255).astype(np.uint8))


def _octaves(
    random: np.random.Generator, height: int, width: int, *, coarse: int, detail: int, finest: int
) -> NDArray[np.int16]:
    """Noise in octaves, each twice as fine as the previous one; shape (height, width), in grey levels around 0.

    Args:
        random: the source of the noise.
        height: in pixels.
        width: in pixels.
        coarse: the amplitude of the coarse octaves, in grey levels.
        detail: the amplitude of the three finest octaves relative to it, in 256ths.
        finest: the finest octave's size of a grain, as a power of two.
    """
    shapes = [(height, width)]
    while max(shapes[-1]) > 8:
        shapes.append(((shapes[-1][0] + 1) // 2, (shapes[-1][1] + 1) // 2))
    noise = np.zeros(shapes[-1], np.int16)
    for level in range(len(shapes) - 1, -1, -1):
        rows, columns = shapes[level]
        if level < len(shapes) - 1:
            noise = cv2.pyrUp(noise, dstsize=(columns, rows))
        if level >= finest:
            # In eighths of a grey level, so that little is lost where the amplitude is small.
            amplitude = coarse * 8 * (detail if level < 3 else 256) >> 8
            noise += random.integers(-amplitude, amplitude, (rows, columns), np.int16, endpoint=True)
    return noise >> 3


def _paint_flower(canvas: NDArray[np.uint8], random: np.random.Generator, flower: _Flower) -> None:
    height, width = canvas.shape[:2]
    petal = int(min(height, width) * random.uniform(0.22, 0.45))
    centre = int(width * random.uniform(0.35, 0.65)), int(height * random.uniform(0.35, 0.65))
    cv2.line(canvas, centre, (centre[0] + int(random.integers(-40, 40)), height), (52, 96, 30), max(3, petal // 8))
    colour = np.array(flower.petal_colours[random.integers(len(flower.petal_colours))])
    turn = int(random.integers(360))
    for ring in range(2):
        for number in range(flower.petals):
            angle = turn + ring * 180 // flower.petals + 360 * number // flower.petals
            length = petal * (4 - ring) // 4 // 2
            direction = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            middle = round(centre[0] + length * direction[0]), round(centre[1] + length * direction[1])
            shade = np.clip(colour + int(random.integers(-28, 20)), 0, 255).tolist()
            cv2.ellipse(
                canvas, middle, (length, max(2, int(petal * flower.petal_width))), angle, 0, 360, shade, cv2.FILLED
            )
    cv2.circle(canvas, centre, max(2, int(petal * flower.heart)), flower.heart_colour, cv2.FILLED)
