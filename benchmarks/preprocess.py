"""Photographs to TFRecord files, beside the notebook's own program: `python benchmarks/preprocess.py IMAGES`.

Both write into an empty folder each time; the MLflow store exists already, as it does from the second run on.

With `--floor 20000`, beside `plain_preprocess.py` instead: that many images (the photographs again and again, under
other names), written by plain Python processes without Spark. Of both, the time that two images take is subtracted:
what is left is the job rate, start-up apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from side_by_side import Cost, compare, measure, wall
from targets import Target, finish

BASELINE = Path(__file__).parents[2] / "shared" / "baselines" / "notebook_preprocess.py"
PLAIN = Path(__file__).with_name("plain_preprocess.py")
# Of wall time; a small job is nearly all start-up.
WALL, WALL_SMALL, SMALL = 0.30, 0.35, 2000
CPU, MEMORY = 0.25, 0.35
RATE = 0.8


def ours(images: Path, home: Path) -> list[str]:
    """Our command."""
    command = [sys.executable, "-m", "flowerexp", "dataset=folder", f"dataset.path={images}", f"home={home}"]
    return [*command, "entrypoint=write_shards"]


def fresh(home: Path, command: list[str], run: Callable[[list[str]], Any]) -> Any:
    """Run a command that finds nothing prepared."""
    for name in ("data", "theirs"):
        shutil.rmtree(home / name, ignore_errors=True)
    return run(command)


def against_notebook(images: Path, home: Path, baseline: Path, pairs: int) -> None:
    """Compare wall time, CPU and memory with the notebook's program."""
    theirs = [sys.executable, str(baseline), str(images), str(home / "theirs")]

    def cost(command: list[str]) -> Cost:
        found: Cost = fresh(home, command, measure)
        return found

    cost(ours(images, home))  # makes the store, warms the page cache
    result: dict[str, Any] = compare(lambda: cost(ours(images, home)), lambda: cost(theirs), pairs)
    count = sum(1 for _ in images.glob("*/*.jpg"))
    bounds = {"wall": WALL if count >= SMALL else WALL_SMALL, "cpu": CPU, "memory": MEMORY}
    targets = [
        Target(f"{count:,} photographs, {name} against the notebook's program", result[name]["ratio"], bound)
        for name, bound in bounds.items()
    ]
    finish(targets, images=count, **result)


def repeat(images: Path, folder: Path, count: int) -> Path:
    """Link photographs again and again under other names, until there are so many."""
    photographs = sorted(images.glob("*/*.jpg"))
    for number in range(count):
        source = photographs[number % len(photographs)]
        place = folder / source.parent.name
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:08d}.jpg").symlink_to(source)
    return folder


def against_floor(images: Path, home: Path, count: int, pairs: int) -> None:
    """Compare the job rate with that of plain processes."""
    many, few = repeat(images, home / "many", count), repeat(images, home / "few", 2)
    environment = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLAIN.parents[1]), environment]))
    commands = {
        "ours": lambda where: ours(where, home),
        "plain": lambda where: [sys.executable, str(PLAIN), str(where), str(home / "theirs")],
    }
    rates: dict[str, list[float]] = {name: [] for name in commands}
    fresh(home, ours(few, home), wall)
    for _ in range(pairs):
        for name, command in commands.items():
            start_up = fresh(home, command(few), wall)
            rates[name].append((count - 2) / (fresh(home, command(many), wall) - start_up))
    ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates["plain"], strict=True))
    for name, values in rates.items():
        print(f"{name:<6} {statistics.median(values):10,.0f} images/s, start-up apart")
    target = Target(f"{count:,} images, job rate against plain processes", ratio, RATE, at_least=True)
    finish([target], rates=rates, images=count)


def main() -> None:
    """Compare, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="a folder of CLASS/*.jpg")
    parser.add_argument("--baseline", type=Path, default=BASELINE, help="the program to compare with")
    parser.add_argument("--floor", type=int, metavar="IMAGES", help="compare with plain processes, on so many images")
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    images = options.images.absolute()
    with tempfile.TemporaryDirectory() as folder:
        if options.floor:
            against_floor(images, Path(folder), options.floor, options.pairs)
        else:
            against_notebook(images, Path(folder), options.baseline, options.pairs)


if __name__ == "__main__":
    main()
