"""What the workers' CPU goes to as photographs become TFRecord files: `python benchmarks/worker_profile.py IMAGES`.

Runs our command, with workers that sample themselves (`sampled_daemon`), and prints each part's share of their CPU. Two
sums are told: over the workers' whole life, and without their start and imports, which do not grow with the number of
photographs. The bound is on the latter. Shares are of CPU time, so that they hold on a busy machine, too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from preprocess import ours, repeat
from sampled_daemon import DECODE, ENCODE, IMPORTS, RESIZE, START
from side_by_side import wall
from targets import Target, finish

HERE = Path(__file__).parent
SHARE = 0.93
FLOWERS = 3670  # photographs in the data set `flowers`


def profiled(images: Path, home: Path) -> dict[str, float]:
    """CPU seconds of all Python workers by part, while our command prepares photographs.

    Raises:
        SystemExit: the command failed, or its workers were not sampled.
    """
    samples = home / "samples"
    samples.mkdir()
    os.environ["FLOWEREXP_SAMPLES"] = str(samples)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))
    wall([*ours(images, home), "+cluster.spark.spark.python.daemon.module=sampled_daemon"])
    seconds: dict[str, float] = {}
    for file in samples.iterdir():
        for line in file.read_text().splitlines():
            number, _, part = line.partition(" ")
            seconds[part] = seconds.get(part, 0.0) + float(number)
    if not seconds:
        raise SystemExit("no worker was sampled")
    return seconds


def main() -> None:
    """Profile, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="a folder of CLASS/*.jpg")
    parser.add_argument("--count", type=int, default=FLOWERS, help="so many, the photographs again and again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        seconds = profiled(repeat(options.images.absolute(), home / "photographs", options.count), home)
    total = sum(seconds.values())
    working = total - seconds.get(START, 0.0) - seconds.get(IMPORTS, 0.0)
    inside = sum(seconds.get(part, 0.0) for part in (DECODE, RESIZE, ENCODE))
    print(f"{'':<28} {'CPU s':>8} {'us/image':>9} {'share':>7}  ({options.count:,} photographs)")
    for part, each in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"{part:<28} {each:>8.2f} {each / options.count * 1e6:>9.0f} {each / total:>7.1%}")
    print(f"codecs and resize: {inside / total:.1%} of all, {inside / working:.1%} without start and imports")
    target = Target(
        f"{options.count:,} photographs, share of the workers' CPU in codecs and resize, start and imports apart",
        inside / working,
        SHARE,
        at_least=True,
    )
    finish([target], seconds=seconds, share_of_all=inside / total, images=options.count)


if __name__ == "__main__":
    main()
