"""The functions of read_speed that the engine calls: read batches with one reader, and count their images."""

from __future__ import annotations

import random
import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload.read_speed import accelerators, feeding, page_cache, pipeline, steps, through_bucket, unreadable
from flowerexp.workload.read_speed.kept import Kept
from flowerexp.workload.read_speed.readers import READERS, Options, Source
from flowerexp.workload.read_speed.sources import Sources, mended, sources_of

PROBE = 8
"""Images that one warm-up reads: enough work for several batches, in about a hundredth of a second."""


@dataclass
class Timing:
    """The result of a read loop: counts, and seconds from the loop's start."""

    images: int = 0
    batches: int = 0
    first_batch_seconds: float = 0.0
    first_batch_images: int = 0


def time_batches(batches: Iterable[Any]) -> Timing:
    """Read all batches, and record when the first one arrived.

    Args:
        batches: pairs of (images, labels); the images are counted by their first dimension, since batches may be short.
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
    """Find or prepare what each reader of the run reads.

    Raises:
        DataError: there is nothing to read, or not enough for the grid and `on_short` is `fail`; or a file is damaged.
    """
    sources = sources_of(spark, config)
    grid = config["grid"]
    cells = [
        dict(zip(("reader", "batch_size", "batch_number"), values, strict=True))
        for values in product(sources.of, grid["batch_size"], grid["batch_number"])
    ]
    short = [cell for cell in cells if _is_short(sources, cell)]
    none_left = len(short) == len(cells)
    if short and (none_left or config["entrypoint"]["settings"]["on_short"] == "fail"):
        worst = max(short, key=_needed)
        raise DataError(
            f"batch_size {worst['batch_size']} x batch_number {worst['batch_number']} needs {_needed(worst)} images, "
            f"{worst['reader']} has {sources.of[worst['reader']].images}",
            where="grid",
            hint="use more images or a smaller grid"
            + ("" if none_left else ", or entrypoint.settings.on_short=drop leaves such cells out"),
        )
    settings = config["entrypoint"]["settings"]
    takes = accelerators.seconds_an_image(grid["accelerator"], settings)
    sources = replace(sources, of=through_bucket.moved(sources.of, config), accelerators=takes)
    if settings["steps"]:
        steps.look(spark, {name: source for name, source in sources.of.items() if _reaches(name, source)})
    return sources


def _reaches(reader: str, source: Source) -> bool:
    """Whether a reader can read where its files are."""
    return READERS[reader].remote or all(map(storage.is_local, source.files[:1]))


def _needed(cell: Mapping[str, Any]) -> int:
    return int(cell["batch_size"] * cell["batch_number"])


def _is_short(sources: Sources, cell: Mapping[str, Any]) -> bool:
    return _needed(cell) > sources.of[cell["reader"]].images


def possible(sources: Sources, cell: Mapping[str, Any]) -> str | None:
    """Why a cell cannot be measured, so that the engine leaves it out.

    Its reader has too few images, cannot read a bucket, or takes no number of workers or of batches ahead.
    """
    if _is_short(sources, cell):
        return "they need more images than there are"
    reader, options = READERS[cell["reader"]], Options.of(cell)
    if not _reaches(reader.name, sources.of[reader.name]):
        return f"their readers read local files only ({reader.data}_native also reads buckets)"
    if options.workers and not reader.workers:
        return "their readers cannot be given a number of workers"
    if options.prefetch and not reader.prefetch:
        return "their readers cannot be given a number of batches to read ahead"
    return None


def warmth(sources: Sources, cell: Mapping[str, Any]) -> Hashable:
    """The properties of a source that decide whether a worker that has read another one is warm for it."""
    source = sources.of[cell["reader"]]
    local = all(map(storage.is_local, source.files[:1]))
    kinds = {source.compressions.get(uri, "") for uri in source.files[:1]}
    traits = (source.reader, source.target_size, source.anonymous, source.narrow, local, source.features)
    options = Options.of(cell)
    return *traits, options.workers, options.shuffle == "full", *kinds


def warm(sources: Sources, cell: Mapping[str, Any]) -> object:
    """Read a little. The first time, this imports TensorFlow and traces a reader's functions, which is not reading.

    It reads only a source's first file, so that the page cache of the other files stays as it is.

    Returns:
        What takes time to be freed.
    """
    source = sources.of[cell["reader"]]
    files = [source.files[0]] * (PROBE if source.records[0] == 1 else 1)
    with unreadable.named(source, files):
        batches = Kept(pipeline.dataset(source, files, Options.of(cell)).batch(PROBE).take(1))
        time_batches(batches)
    return batches


@dataclass
class Chosen:
    """The files of a measurement, and the state of their pages before it; iterating over `batches` reads `images`."""

    source: Source
    images: int
    files: list[str]
    batches: Kept
    page_cache: str
    page_cache_fraction: float | None
    seconds_an_image: float | None = None  # of the accelerator that is fed


def ready(sources: Sources, cell: Any) -> Chosen:
    """Draw files by the measurement's seed, and bring their pages into the state that the config asks for."""
    source, size, number = sources.of[cell["reader"]], cell["batch_size"], cell["batch_number"]
    options = Options.of(cell, cell.seed)
    files = drawn(source, size * number, options)
    page_cache.bring_to(sources.page_cache, files)
    cached, fraction = page_cache.look_up(files)
    takes = sources.accelerators.get(cell.get("accelerator"))
    with unreadable.named(source, files):
        images = pipeline.dataset(source, files, options)
        expected = min(size * number, source.images)
        return Chosen(source, expected, files, Kept(images.batch(size).take(number)), cached, fraction, takes)


def drawn(source: Source, images: int, options: Options) -> list[str]:
    """Files that hold enough images, drawn by chance: in the order of their names, or if shuffled, as drawn."""
    order = list(range(len(source.files)))
    random.Random(options.seed).shuffle(order)
    files = source.prefix(order, images)
    return [source.files[place] for place in sorted(order[: len(files)])] if options.shuffle == "none" else files


def measure(chosen: Chosen, cell: Mapping[str, Any]) -> dict[str, Any]:
    """Read all batches, and count their images; as fast as an accelerator takes them, if the cell has one.

    Raises:
        DataError: a file cannot be read; the message says which, and where it is damaged.
    """
    with unreadable.named(chosen.source, chosen.files):
        if chosen.seconds_an_image is None:
            columns = vars(time_batches(chosen.batches))
        else:
            ahead = cell.get("prefetch") or feeding.AHEAD
            columns = feeding.feed(chosen.batches, cell["batch_number"], chosen.seconds_an_image, ahead).columns
        if columns["images"] != chosen.images:  # a format cannot tell that its end is missing
            raise DataError(f"{columns['images']} images were read, not {chosen.images}", where=chosen.source.origin)
    return {
        **columns,
        "page_cache": chosen.page_cache,
        "page_cache_fraction": chosen.page_cache_fraction,
    }


def recover(spark: Any, config: dict[str, Any], sources: Sources, error: Exception) -> Sources | None:
    """Write damaged files of prepared data again; None if no file is damaged."""
    again = mended(sources)
    return again and replace(again, of=through_bucket.moved(again.of, config))
