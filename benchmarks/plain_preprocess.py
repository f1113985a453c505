"""The floor: the image chain in plain processes, one for each core, without Spark.

`python benchmarks/plain_preprocess.py IMAGES FOLDER` writes what `entrypoint=write_shards` writes, with the same
code for reading, decoding, resizing, compressing and writing; nothing is sampled, checked or recorded.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from flowerexp.workload.images import examples, tfrecords, transform


def records(files: Sequence[tuple[Path, int]]) -> Iterator[bytes]:
    """The serialised examples of some photographs with their labels."""
    for path, label in files:
        yield examples.encode_example(transform.recompress(path.read_bytes(), (192, 192), 95), label)


def write(task: tuple[Path, Sequence[tuple[Path, int]]]) -> int:
    """Write one file; returns how many images."""
    path, files = task
    with path.open("wb") as file:
        return tfrecords.write_file(file, records(files))


def main() -> None:
    """Write all, and print images and seconds, without starting Python."""
    root, folder = map(Path, sys.argv[1:3])
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    classes = sorted(path for path in root.iterdir() if path.is_dir())
    files = [(path, label) for label, each in enumerate(classes) for path in sorted(each.glob("*.jpg"))]
    cores = len(os.sched_getaffinity(0))
    parts = cores * 8
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        tasks = [(folder / f"{part:05d}.tfrec", files[part::parts]) for part in range(parts)]
        done = sum(pool.imap_unordered(write, tasks))
    print(f'{{"images": {done}, "seconds": {time.perf_counter() - start}}}')


if __name__ == "__main__":
    main()
