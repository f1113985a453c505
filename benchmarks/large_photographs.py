"""Photographs of 12 megapixels, decoded whole and scaled: `python benchmarks/large_photographs.py`.

What is measured is what `write_shards` does to a photograph: decode, resize to 192 x 192, compress. Both ways take
turns, photograph by photograph, on one core. libjpeg reads every bit of a file whatever the scale, so the bytes of a
photograph decide how much there is to win: hence three kinds, from a smooth one that is strongly compressed to one of
about 3 MB, as phones write them (https://thesmartphonephotographer.com/size-of-smartphone-photos/).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator

import cv2
import numpy as np
import simplejpeg
from targets import Target, finish

from flowerexp.workload.images import synthetic, transform

BOUND = 2.5
HEIGHT, WIDTH = 3024, 4032
KINDS = {"smooth, quality 75": (0, 75), "little noise, quality 90": (2, 90), "little noise, quality 95": (2, 95)}
"""The noise of the sensor (its standard deviation in grey levels) and libjpeg's quality, by what it is called."""


def photographs(count: int, noise: int, quality: int) -> Iterator[bytes]:
    """Generated photographs, drawn larger, with noise on top; colours at half the resolution, as cameras store them."""
    random = np.random.default_rng(0)
    for index in range(count):
        small = transform.decode(synthetic.photograph(index, 0)[1])
        picture = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        grain = random.normal(0, noise, (HEIGHT, WIDTH, 1)).round().astype(np.int16)
        noisy = np.clip(picture + grain, 0, 255).astype(np.uint8)
        yield simplejpeg.encode_jpeg(noisy, quality=quality, colorspace="RGB", colorsubsampling="420")


def seconds(content: bytes, *, scaled: bool) -> float:
    """How long one photograph takes."""
    start = time.perf_counter()
    transform.recompress(content, (192, 192), 95, scaled=scaled)
    return time.perf_counter() - start


def main() -> None:
    """Compare, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8, help="photographs of each kind")
    parser.add_argument("--pairs", type=int, default=5, help="how often each photograph is taken both ways")
    options = parser.parse_args()
    print(f"{'':<26} {'MB':>5} {'full':>9} {'scaled':>9} {'ratio':>6}  (medians)")
    targets, measured = [], {}
    for kind, (noise, quality) in KINDS.items():
        pairs, sizes = [], []
        for content in photographs(options.count, noise, quality):
            sizes.append(len(content) / 1e6)
            transform.recompress(content, (192, 192), 95)
            pairs += [(seconds(content, scaled=False), seconds(content, scaled=True)) for _ in range(options.pairs)]
        full, scaled = (statistics.median(times) * 1e3 for times in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in pairs)
        size = statistics.mean(sizes)
        print(f"{kind:<26} {size:>5.1f} {full:>6.1f} ms {scaled:>6.1f} ms {ratio:>6.2f}")
        what = f"photographs of 12 megapixels, scaled against full, {kind} ({size:.1f} MB)"
        targets.append(Target(what, ratio, BOUND, at_least=True))
        measured[kind] = {"megabytes": size, "pairs": pairs}
    finish(targets, kinds=measured)


if __name__ == "__main__":
    main()
