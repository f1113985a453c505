"""The passes of our own reader over some files, each a step further than the one before: see `steps`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from flowerexp import storage
from flowerexp.workload.read_speed import native
from flowerexp.workload.read_speed.readers import READERS, Options, Source, exhaust

Pass = tuple[str, Callable[[], object]]


def steps(source: Source, files: Sequence[str], size: int) -> list[Pass]:
    """The passes up to putting images together into batches; what comes after is the threads' handing over."""
    if READERS[source.reader].format is None:
        return [*_photographs(source, files), ("batch", lambda: _batched(source, files, size))]
    place = np.empty((*source.target_size, 3), np.uint8)

    def opening() -> None:
        for uri in files:
            with native.shard(source, uri):
                pass

    def decoding() -> None:
        for content, _ in native.samples(source, files):
            native.decode_into(place, content)

    return [
        ("open", opening),
        ("read", lambda: exhaust(native.samples(source, files))),
        ("decode", decoding),
        ("batch", lambda: _batched(source, files, size)),
    ]


def _photographs(source: Source, files: Sequence[str]) -> Iterator[Pass]:
    def contents() -> Iterator[bytes]:
        return (storage.read_bytes(uri, **options) for uri in files)

    def opening() -> None:
        for uri in files:
            Path(uri).open("rb").close()

    options = storage.access(source.anonymous)
    if all(map(storage.is_local, files[:1])):  # an object in a bucket is not opened before it is read
        yield "open", opening
    yield "read", lambda: exhaust(contents())
    yield "decode", lambda: exhaust(native.upright(source, one) for one in contents())
    yield (
        "resize",
        lambda: exhaust(native.fitted(native.upright(source, one), *source.target_size) for one in contents()),
    )


def _batched(source: Source, files: Sequence[str], size: int) -> None:
    """All work of the reader, in this thread."""
    with native.opened(source, files, Options()) as (items, work):
        exhaust(native.Loop(work, size, source.target_size, Options()).in_this_thread(items))
