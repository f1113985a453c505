"""Samples as rows of Arrow tables, as Parquet and Lance store them: the columns `image` and `label`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from flowerexp.workload.formats import Sample

IMAGE, LABEL = "image", "label"

#: Rows that are stored and read together: a common size of batches.
ROWS = 64


def batches(samples: Iterable[tuple[bytes, int]], schema: Any) -> Iterator[Any]:
    """Record batches of `ROWS` samples; the last one may be short."""
    import pyarrow as pa

    left = iter(samples)
    while some := list(islice(left, ROWS)):
        images, labels = zip(*some, strict=True)
        yield pa.record_batch([pa.array(images, pa.binary()), pa.array(labels, pa.int64())], schema=schema)


def schema(**metadata: str) -> Any:
    """The columns; metadata is that of the images' column."""
    import pyarrow as pa

    return pa.schema([pa.field(IMAGE, pa.binary(), metadata=metadata or None), pa.field(LABEL, pa.int64())])


def fits(found: Any) -> bool:
    """Whether a schema has the columns."""
    return bool(found.names == [IMAGE, LABEL] and [str(kind) for kind in found.types] == ["binary", "int64"])


def samples(batch: Any) -> Iterator[Sample]:
    """The rows of a record batch; images are views of its memory."""
    images, labels = batch.column(0), batch.column(1).to_pylist()
    _, offsets, content = images.buffers()
    ends = np.frombuffer(offsets, np.int32)[images.offset : images.offset + len(images) + 1].tolist()
    view = memoryview(content or b"")
    for start, stop, label in zip(ends, ends[1:], labels, strict=False):  # one end more than there are rows
        yield view[start:stop], label
