"""Measure one cell: read batches with one reader, and record when they came and how many images really came."""

from __future__ import annotations

import gc
import os
import random
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp import storage
from flowerexp.workload import host, page_cache, readers, slots, unreadable

FEWEST_READS, MOST_READS, MOST_SECONDS = 4, 20, 2.0
"""Reads of a warm-up: so many at least, and after so many, or so long, it is given up."""

PROBE = 8
"""Images of a read of a warm-up: enough for several batches' worth of work, and a hundredth of a second or so."""

SETTLED = 3
"""A process is warm when so many reads in a row have brought nothing new."""

FASTER = 0.05
"""A read brings something new if it is faster than all before it by more than this share."""


@dataclass(frozen=True)
class Task:
    """One measurement to make.

    Attributes:
        reader: which reader.
        batch_size: images a batch.
        batch_number: batches.
        repetition: counted from 1.
        order: its place in the seeded order of all measurements, counted from 0.
        seed: chooses which files are read, and in which order.
    """

    reader: str
    batch_size: int
    batch_number: int
    repetition: int
    order: int
    seed: int


@dataclass
class Timing:
    """What a read loop gave: counts, and seconds from the loop's start."""

    images: int = 0
    batches: int = 0
    seconds: float = 0.0
    first_batch_seconds: float = 0.0
    first_batch_images: int = 0
    started_ns: int = 0
    ended_ns: int = 0


def time_batches(batches: Iterable[Any]) -> Timing:
    """Read all batches and time it: the clock runs around the loop, and nothing else is inside.

    Args:
        batches: pairs of (images, labels); the images' first dimension is counted, never assumed.
    """
    timing = Timing()
    first_ns = 0
    timing.started_ns = time.perf_counter_ns()
    for images, _ in batches:
        timing.images += int(images.shape[0])
        timing.batches += 1
        if timing.batches == 1:
            first_ns = time.perf_counter_ns()
            timing.first_batch_images = timing.images
    timing.ended_ns = time.perf_counter_ns()
    timing.seconds = (timing.ended_ns - timing.started_ns) / 1e9
    timing.first_batch_seconds = (first_ns - timing.started_ns) / 1e9 if first_ns else 0.0
    return timing


_warm: set[tuple[Any, ...]] = set()


def settings(source: readers.Source) -> tuple[Any, ...]:
    """What of a source decides whether a worker that has read another one is warm for it."""
    local = all(map(storage.is_local, source.files[:1]))
    kinds = {source.compressions.get(uri, "") for uri in source.files[:1]}
    return source.reader, source.target_size, source.anonymous, source.narrow, local, source.features, *kinds


def warm_up(source: readers.Source) -> None:
    """Load TensorFlow and trace a reader's functions in this process, once: neither is reading speed."""
    if settings(source) in _warm:
        return
    with unreadable.named(source, source.files[:1]):
        for _ in readers.dataset(source, source.files[:1]).batch(1).take(1):
            pass
    _warm.add(settings(source))
    _tidy()


@dataclass(frozen=True)
class Settling:
    """How a process became warm: its reads before the first measurement, and whether they had stopped getting faster.

    Reads are compared with the fastest of those before, since neighbours can only make a read slower: so a busy host
    does not look like a cold process.
    """

    reads: int
    steady: bool


_settled: dict[tuple[Any, ...], Settling] = {}


def settle(source: readers.Source) -> Settling:
    """Read a little again and again, until that gets no faster; once in a process for each reader and its settings.

    Only a source's first file is read, so that the page cache of what is measured stays as it is.
    """
    if settings(source) in _settled:
        return _settled[settings(source)]
    files, seconds = [source.files[0]] * (PROBE if source.records[0] == 1 else 1), list[float]()
    steady = False
    with unreadable.named(source, files):
        while not steady and len(seconds) < MOST_READS and sum(seconds) < MOST_SECONDS:
            seconds.append(time_batches(readers.dataset(source, files).batch(PROBE).take(1)).seconds)
            steady = is_steady(seconds)
    _tidy()
    return _settled.setdefault(settings(source), Settling(len(seconds), steady))


def is_steady(seconds: Sequence[float]) -> bool:
    """Whether the last `SETTLED` of some reads were no faster than the fastest before them, by more than `FASTER`."""
    if len(seconds) < FEWEST_READS:
        return False
    return min(seconds[-SETTLED:]) > (1 - FASTER) * min(seconds[:-SETTLED])


def _tidy() -> None:
    """Collect garbage now, and leave what is alive out of later collections.

    Spark collects garbage after every task; over TensorFlow's million objects that takes 0.25 s, which would fall into
    the next measurement on this host. So a worker does it itself while it holds the slot, and Spark finds nothing.
    """
    gc.collect()
    gc.freeze()


def measure(task: Task, source: readers.Source, concurrency: int, cache: str) -> dict[str, Any]:
    """Make one measurement on this host, when one of its slots is free.

    Args:
        task: what to measure.
        source: the files to choose from.
        concurrency: how many measurements may run on this host at once.
        cache: the state to bring the files' pages to first: `warm`, `cold` or `as_found`; nothing to files in a bucket.

    Returns:
        A row of results; seconds of the read loop alone, times of day in seconds since the epoch.

    Raises:
        DataError: a file cannot be read; says which, and where it is damaged.
    """
    with slots.slot(concurrency) as waited:
        warm_up(source)
        warm = settle(source)
        order = list(range(len(source.files)))
        random.Random(task.seed).shuffle(order)
        files = source.prefix(order, task.batch_size * task.batch_number)
        page_cache.bring_to(cache, files)
        cached, fraction = page_cache.look_up(files)
        with unreadable.named(source, files):
            batches = readers.dataset(source, files).batch(task.batch_size).take(task.batch_number)
            before, started_at = host.look(), time.time()
            timing = time_batches(batches)
            after = host.look()
        del batches
        _tidy()
    return {
        "reader": task.reader,
        "batch_size": task.batch_size,
        "batch_number": task.batch_number,
        "repetition": task.repetition,
        "execution": 1,
        "order": task.order,
        **vars(timing),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started_at": started_at,
        "waited_seconds": waited,
        "neighbours": 0,
        "page_cache": cached,
        "page_cache_fraction": fraction,
        "warm_up_reads": warm.reads,
        "warm_up_steady": warm.steady,
        **host.between(before, after),
    }
