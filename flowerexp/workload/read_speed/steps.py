"""Where the time of an image goes: what each step of a reader takes on one thread, in microseconds an image.

The steps are not timed one by one, since a clock around each would cost as much as some of them. Instead the same files
are read several times, each time one step further: only opened; opened and read; and decoded; and so on. A step takes
the difference of two such passes, each the fastest of some tries. It happens beside the measurements, whose rates it
does not touch. SPDL's analysis of head room (facebookresearch/spdl) compares a loader with its floor in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from flowerexp.workload import report
from flowerexp.workload.read_speed import pipeline
from flowerexp.workload.read_speed.kept import Kept
from flowerexp.workload.read_speed.readers import READERS, Options, Source, exhaust

Pass = tuple[str, Callable[[], object]]
"""The name of a step, and what reads the files up to and including it."""

FACT = "step/{}/{}"
"""The fact with the microseconds an image of a reader's step; `whole` is all, `floor` that of a cached reader."""
WHOLE, FLOOR = "whole", "floor"
IMAGES, SIZE, ROUNDS = 96, 32, 7


def look(spark: Any, sources: Mapping[str, Source]) -> None:
    """Time the steps of each reader in one task, and report them as facts."""
    chosen = [source for name, source in sources.items() if READERS[name].way != "cached"]
    with report.phase("steps"):
        found = spark.sparkContext.parallelize(chosen, 1).map(timed).collect()
    for source, steps in zip(chosen, found, strict=True):
        for step, microseconds in steps.items():
            report.fact(FACT.format(source.reader, step), round(microseconds, 2))


def timed(source: Source) -> dict[str, float]:
    """What each step of a reader takes.

    Returns:
        Microseconds an image by step, in their order, where a reader's steps can be told apart; then `WHOLE`, all of
        them with one thread, and `FLOOR`, the time of copying an image that is decoded.
    """
    files = source.prefix(range(len(source.files)), IMAGES)
    images = sum(dict(zip(source.files, source.records, strict=True))[uri] for uri in files)
    one_thread = Options(workers=1) if READERS[source.reader].way == "native" else Options()

    def whole() -> Kept:
        batches = Kept(pipeline.dataset(source, files, one_thread).batch(SIZE))
        exhaust(batches)
        return batches

    passes = [*pipeline.steps(source, files, SIZE), (WHOLE, whole)]
    kept = np.zeros((min(SIZE, images), *source.target_size, 3), np.uint8)
    seconds = _fastest([*passes, (FLOOR, lambda: [kept.copy() for _ in range(0, images, SIZE)])])
    floor = seconds.pop(FLOOR)
    steps, before = {}, 0.0
    for name in seconds:
        # What the reader itself takes beyond its last step is handing over: between threads, if it has some.
        steps["hand_over" if name == WHOLE else name] = max(0.0, seconds[name] - before)
        before = max(before, seconds[name])
    found = steps if len(passes) > 1 else {}
    found |= {WHOLE: seconds[WHOLE], FLOOR: floor}
    return {name: taken / images * 1e6 for name, taken in found.items()}


def _fastest(passes: Sequence[Pass]) -> dict[str, float]:
    """The seconds of the fastest try of each pass: whatever disturbs makes it slower. Tries of all passes alternate."""
    tries: dict[str, list[int]] = {}
    for _ in range(ROUNDS):
        for name, read in passes:
            started = time.perf_counter_ns()
            kept = read()
            tries.setdefault(name, []).append(time.perf_counter_ns() - started)
            del kept  # which may take time
    return {name: min(each) / 1e9 for name, each in tries.items()}
