"""Read batches with one reader, and say when they came and how many images really came: what the engine calls."""

from __future__ import annotations

import random
import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload.read_speed import page_cache, readers, unreadable
from flowerexp.workload.read_speed.readers import Source
from flowerexp.workload.read_speed.sources import Sources, mended, sources

PROBE = 8
"""Images of a read that warms up: enough for several batches' worth of work, and a hundredth of a second or so."""


@dataclass
class Timing:
    """What a read loop gave: counts, and seconds from the loop's start."""

    images: int = 0
    batches: int = 0
    first_batch_seconds: float = 0.0
    first_batch_images: int = 0


def time_batches(batches: Iterable[Any]) -> Timing:
    """Read all batches, and note when the first one came.

    Args:
        batches: pairs of (images, labels); the images' first dimension is counted, never assumed.
    """
    timing = Timing()
    first_ns = 0
    started_ns = time.perf_counter_ns()
    for images, _ in batches:
        timing.images += int(images.shape[0])
        timing.batches += 1
        if timing.batches == 1:
            first_ns = time.perf_counter_ns()
            timing.first_batch_images = timing.images
    timing.first_batch_seconds = (first_ns - started_ns) / 1e9 if first_ns else 0.0
    return timing


def prepare(spark: Any, config: dict[str, Any]) -> Sources:
    """What each reader of the run reads.

    Raises:
        DataError: there is nothing to read, or not enough for the grid and `on_short` is `fail`; or a file is damaged.
    """
    made = sources(spark, config)
    grid = config["grid"]
    cells = [
        dict(zip(("reader", "batch_size", "batch_number"), values, strict=True))
        for values in product(made.of, grid["batch_size"], grid["batch_number"])
    ]
    short = [cell for cell in cells if possible(made, cell)]
    none_left = len(short) == len(cells)
    if short and (none_left or config["entrypoint"]["settings"]["on_short"] == "fail"):
        worst = max(short, key=_needed)
        raise DataError(
            f"batch_size {worst['batch_size']} x batch_number {worst['batch_number']} needs {_needed(worst)} images, "
            f"{worst['reader']} has {made.of[worst['reader']].images}",
            where="grid",
            hint="use more images or a smaller grid"
            + ("" if none_left else ", or entrypoint.settings.on_short=drop leaves such cells out"),
        )
    return made


def _needed(cell: Mapping[str, Any]) -> int:
    return int(cell["batch_size"] * cell["batch_number"])


def possible(made: Sources, cell: Mapping[str, Any]) -> str | None:
    """Why a cell cannot be measured, if its reader has too few images; the engine leaves it out."""
    return "they need more images than there are" if _needed(cell) > made.of[cell["reader"]].images else None


def warmth(made: Sources, cell: Mapping[str, Any]) -> Hashable:
    """What of a source decides whether a worker that has read another one is warm for it."""
    source = made.of[cell["reader"]]
    local = all(map(storage.is_local, source.files[:1]))
    kinds = {source.compressions.get(uri, "") for uri in source.files[:1]}
    return source.reader, source.target_size, source.anonymous, source.narrow, local, source.features, *kinds


def warm(made: Sources, cell: Mapping[str, Any]) -> None:
    """Read a little; at first, this loads TensorFlow and traces a reader's functions. Neither is reading speed.

    Only a source's first file is read, so that the page cache of what is measured stays as it is.
    """
    source = made.of[cell["reader"]]
    files = [source.files[0]] * (PROBE if source.records[0] == 1 else 1)
    with unreadable.named(source, files):
        time_batches(readers.dataset(source, files).batch(PROBE).take(1))


@dataclass
class Chosen:
    """The files of a measurement, and the state of their pages before it; `batches` reads them when it is iterated."""

    source: Source
    files: list[str]
    batches: Iterable[Any]
    page_cache: str
    page_cache_fraction: float | None


def ready(made: Sources, cell: Any) -> Chosen:
    """Choose files by the measurement's seed, and bring their pages to the state that is asked for."""
    source, size, number = made.of[cell["reader"]], cell["batch_size"], cell["batch_number"]
    order = list(range(len(source.files)))
    random.Random(cell.seed).shuffle(order)
    files = source.prefix(order, size * number)
    page_cache.bring_to(made.page_cache, files)
    cached, fraction = page_cache.look_up(files)
    with unreadable.named(source, files):
        return Chosen(source, files, readers.dataset(source, files).batch(size).take(number), cached, fraction)


def measure(chosen: Chosen, cell: Mapping[str, Any]) -> dict[str, Any]:
    """Read, and count what came.

    Raises:
        DataError: a file cannot be read; says which, and where it is damaged.
    """
    with unreadable.named(chosen.source, chosen.files):
        timing = time_batches(chosen.batches)
    return {
        **vars(timing),
        "page_cache": chosen.page_cache,
        "page_cache_fraction": chosen.page_cache_fraction,
    }


def recover(spark: Any, config: dict[str, Any], made: Sources, error: Exception) -> Sources | None:
    """Write damaged files of prepared data again; None if there are none."""
    return mended(made)
