"""Are partitions balanced in seconds? `python benchmarks/balance.py`: the slowest task beside the median.

A skewed data set is written as TFRecord files: a few photographs of many megapixels among many small ones, in classes
of very different size. How long each task took is read from Spark's event log. Tasks that are the first of a Python
worker start it and import what it needs, which has nothing to do with their photographs: a small data set is prepared
before by the same application, so that the workers are there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from targets import Target, finish

_BOUND = 1.3
_CLASSES = (60, 25, 10, 4, 1)
"""Shares of the small photographs, in percent; the giants are all in the last class."""
_EDGES = (6000, 5000, 4000, 3000)
"""Pixels of the longer side of a giant."""


def skewed(folder: Path, small: int, giants: int) -> Path:
    """Make a data set: links of some generated photographs, and giants drawn larger from one of them."""
    import cv2
    import numpy as np

    from flowerexp.workload.images import synthetic

    sources = folder / "sources"
    sources.mkdir()
    for number in range(100):
        (sources / f"{number}").write_bytes(synthetic.photograph(number, 0)[1])
    picture = cv2.imdecode(np.frombuffer((sources / "0").read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    for edge in _EDGES:
        grown = cv2.resize(picture, (edge, edge * 3 // 4), interpolation=cv2.INTER_CUBIC)
        # Grain, as a camera has it: without it a large picture would have hardly more bytes than a small one.
        grain = np.random.default_rng(edge).normal(0, 6, grown.shape)
        grown = np.clip(grown + grain, 0, 255).astype(np.uint8)
        (sources / f"giant{edge}").write_bytes(cv2.imencode(".jpg", grown, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    images, bounds = folder / "images", [sum(_CLASSES[: place + 1]) for place in range(len(_CLASSES))]
    for place in range(len(_CLASSES)):
        (images / f"class{place}").mkdir(parents=True)
    for number in range(small):
        place = next(place for place, bound in enumerate(bounds) if number * 100 // small < bound)
        os.link(sources / f"{number % 100}", images / f"class{place}" / f"{number:06d}.jpg")
    for number in range(giants):
        edge = _EDGES[number % len(_EDGES)]
        os.link(sources / f"giant{edge}", images / f"class{len(_CLASSES) - 1}" / f"giant{number:04d}.jpg")
    return images


def task_seconds(home: Path, images: Path, partitions: int) -> list[float]:
    """Write the data set, and say how long each task of that took."""
    from flowerexp.analysis import event_log

    command = [sys.executable, "-m", "flowerexp", "-m", "entrypoint=write_shards", f"home={home}"]
    command += ["dataset=folder", f"dataset.path={images}", "sampling.fraction=0.05,1"]
    command += [f"preprocess.shards={partitions}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    logs = [log for folder in home.glob("outputs/**/events") for log in event_log.find_logs(folder.parent)]
    tasks = [task for task in event_log.read(logs[0]).tasks if task.phase == "prepare"]
    tasks.sort(key=lambda task: task.started)
    return [task.run for task in tasks[-partitions:]]


def main() -> None:
    """Measure, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=12_000, help="photographs of about 60 kB")
    parser.add_argument("--giants", type=int, default=200, help="photographs of 3,000 to 6,000 pixels")
    parser.add_argument("--partitions", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = skewed(Path(folder), options.small, options.giants)
        size = sum(path.stat().st_size for path in images.rglob("*.jpg"))
        seconds = task_seconds(Path(folder) / "home", images, options.partitions)
    median, slowest = statistics.median(seconds), max(seconds)
    print(f"{options.small:,} small photographs and {options.giants} giants, {size / 1e6:,.0f} MB")
    print(f"{len(seconds)} tasks: median {median:.2f} s, fastest {min(seconds):.2f} s, slowest {slowest:.2f} s")
    finish([Target("slowest task against the median, on a skewed data set", slowest / median, _BOUND)], seconds=seconds)


if __name__ == "__main__":
    main()
