"""A photograph's CPU time beside libjpeg-turbo called from C: `python benchmarks/codec_floor.py IMAGES`.

What is measured is what `write_shards` does to a photograph: decode, resize to 192 x 192, compress. The floor is to
decode the same photograph and to compress the same small picture, from C: to the same pixels and the same bytes, which
is checked. Both take turns, photograph by photograph, on one core. The C program is compiled here against the machine's
libjpeg-turbo, which may have another version than those in our packages; without a compiler or the header there is no
floor, and the reason is printed.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from targets import Target, finish

from flowerexp.workload.images import transform

SOURCE = Path(__file__).with_suffix(".c")
SIZE, QUALITY = (192, 192), 95
BOUND = 1.25
PARTS = ("decode", "resize", "compress", "all")


def compiled(folder: Path) -> ctypes.CDLL | str:
    """The C functions, or why there are none."""
    library = folder / "floor.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ljpeg"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"no C compiler: {error.strerror}"
    if done.returncode:
        return next(
            (line.partition("error: ")[2] for line in done.stderr.splitlines() if "error: " in line), "cc failed"
        )
    found = ctypes.CDLL(str(library))
    found.encode.restype = ctypes.c_ulong
    return found


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of some work, and its result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def ours(content: bytes) -> tuple[dict[str, float], Any, Any, bytes]:
    """CPU seconds of one photograph's parts, its pixels, those of the small picture, and its bytes."""
    decoding, pixels = timed(lambda: transform.decode(content))
    resizing, small = timed(lambda: transform.resize_and_crop(pixels, *SIZE))
    compressing, made = timed(lambda: transform.encode(small, QUALITY))
    parts = (decoding, resizing, compressing, decoding + resizing + compressing)
    return dict(zip(PARTS, parts, strict=True)), pixels, small, made


def floor(library: ctypes.CDLL, content: bytes, pixels: Any, small: Any, made: bytes) -> dict[str, float]:
    """CPU seconds of the same in C.

    Raises:
        SystemExit: pixels or bytes differ.
    """
    decoded, room = np.empty_like(pixels), ctypes.create_string_buffer(2 * small.size + 4096)
    source, size = ctypes.c_char_p(content), ctypes.c_ulong(len(content))
    decoding, _ = timed(lambda: library.decode(source, size, decoded.ctypes.data_as(ctypes.c_void_p)))
    place, most = small.ctypes.data_as(ctypes.c_void_p), ctypes.c_ulong(len(room))
    compressing, length = timed(lambda: library.encode(place, *SIZE, QUALITY, room, most))
    if not np.array_equal(decoded, pixels) or room.raw[:length] != made:
        raise SystemExit("the C program's pixels or bytes are others")
    return {"decode": decoding, "resize": 0.0, "compress": compressing, "all": decoding + compressing}


def main() -> None:
    """Compare, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="a folder of CLASS/*.jpg")
    parser.add_argument("--rounds", type=int, default=3, help="how often each photograph is taken")
    options = parser.parse_args()
    contents = [path.read_bytes() for path in sorted(options.images.glob("*/*.jpg"))]
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(Path(folder))
        pairs = []
        for _ in range(options.rounds):
            for content in contents:
                seconds, *made = ours(content)
                pairs.append((seconds, {} if isinstance(library, str) else floor(library, content, *made)))
    print(f"{'':<10} {'ours':>8} {'in C':>8}   (CPU, us/image; medians of {len(pairs):,})")
    for part in PARTS:
        each = [
            statistics.median(one[part] for one in side) * 1e6 for side in zip(*pairs, strict=True) if part in side[0]
        ]
        print(f"{part:<10} " + " ".join(f"{value:>8.0f}" for value in each))
    if isinstance(library, str):
        print(f"nothing in C: {library}")
        return finish([], images=len(contents))
    ratio = statistics.median(one["all"] / other["all"] for one, other in pairs)
    what = f"{len(contents):,} photographs, CPU to decode, resize and compress against decoding and compressing in C"
    return finish([Target(what, ratio, BOUND)], images=len(contents))


if __name__ == "__main__":
    main()
