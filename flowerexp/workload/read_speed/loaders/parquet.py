"""The reader `parquet`: a scanner of pyarrow.dataset, whose rows are decoded one after the other.

The scanner reads and decompresses with Arrow's threads. It reads in order only: random order is that of a buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from flowerexp.workload.formats.columns import IMAGE, LABEL
from flowerexp.workload.read_speed.loaders import Batch, Images, batches, buffered, decoded, steps_of
from flowerexp.workload.read_speed.readers import Options, Source


def dataset(source: Source, files: Sequence[str], options: Options) -> Images:
    """The images and labels in some files."""

    def read(size: int) -> Iterable[Batch]:
        rows = buffered(rows_of(_scanned(files, size, options)), options)
        return batches(((decoded(content), label) for content, label in rows), size)

    return Images(read)


def steps(source: Source, files: Sequence[str], size: int) -> list[tuple[str, Callable[[], None]]]:
    """Only scanned, then also decoded, then also stacked."""
    return steps_of(lambda: rows_of(_scanned(files, size, Options())), size)


def _scanned(files: Sequence[str], size: int, options: Options) -> Iterable[Any]:
    import pyarrow.dataset

    ahead = {"batch_readahead": options.prefetch} if options.prefetch else {}
    scanner = pyarrow.dataset.dataset(list(files), format="parquet").scanner(batch_size=size, **ahead)
    found: Iterable[Any] = scanner.to_batches()
    return found


def rows_of(found: Iterable[Any]) -> Iterator[tuple[bytes, int]]:
    """The rows of record batches."""
    for batch in found:
        yield from zip(batch.column(IMAGE).to_pylist(), batch.column(LABEL).to_pylist(), strict=True)
