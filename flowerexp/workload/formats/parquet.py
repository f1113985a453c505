"""Parquet: a table with the columns `image` (binary) and `label` (int64), in groups of 64 rows.

So many rows are a common size of batches. Without compression unless wanted: it makes a JPEG no smaller. Reading one
sample by number reads its group of rows, so each thread keeps the last group that it read. An object in a bucket is
streamed in blocks of 5 MiB when it is read in order; by number, each group is one request for each column.

What the file shows by itself: damage to a column's pages, by their checksums, which pyarrow verifies only when it is
told to. The footer has none; damage to it nearly always makes the file unreadable.
"""

from __future__ import annotations

import bisect
import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flowerexp import storage
from flowerexp.workload.formats import Sample, columns
from flowerexp.workload.formats.files import BaseFormat, Closing, checked


class Parquet(BaseFormat):
    """The format of Apache Parquet, as pyarrow writes it."""

    name, title, suffix = "parquet", "Parquet", ".parquet"
    compressions = ("zstd", "snappy")
    checks = True

    def write(self, path: str, samples: Iterable[tuple[bytes, int]], compression: str | None) -> int:
        """See `Format.write`."""
        import pyarrow.parquet as pq

        schema, count = columns.schema(), 0
        with pq.ParquetWriter(
            path,
            schema,
            compression=compression or "none",
            use_dictionary=False,  # no two images are the same
            write_statistics=False,  # the smallest image, as bytes, tells nobody anything
            write_page_checksum=True,
        ) as writer:
            for batch in columns.batches(samples, schema):
                writer.write_batch(batch)
                count += batch.num_rows
        return count

    def count(self, uri: str, options: dict[str, Any]) -> int:
        """See `Format.count`; the footer says it."""
        with self.open(uri, options) as rows:
            return len(rows)

    def open(self, uri: str, options: dict[str, Any]) -> Rows:
        """See `Format.open`."""
        return Rows(uri, options)


class Rows(Closing):
    """A Parquet file."""

    def __init__(self, uri: str, options: dict[str, Any]) -> None:
        super().__init__()
        self._uri, self._options = uri, options
        self._own = threading.local()
        self._metadata: Any = None
        with self._refusing():
            file = self._opened()
            self._metadata = file.metadata
            if not columns.fits(file.schema_arrow):
                raise FORMAT.damaged(uri, f"its columns are not image (binary) and label (int64): {file.schema_arrow}")
        sizes = (self._metadata.row_group(number).num_rows for number in range(self._metadata.num_row_groups))
        self._ends = list(itertools.accumulate(sizes))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Sample]:
        with self._refusing():
            file = self._opened(in_order=True)
        for number, end in enumerate(self._ends):
            yield from self._group(file, number, end - (self._ends[number - 1] if number else 0))

    def __getitem__(self, place: int) -> Sample:
        checked(place, len(self))
        number = bisect.bisect_right(self._ends, place)
        start = self._ends[number - 1] if number else 0
        if getattr(self._own, "number", None) != number:
            with self._refusing():
                self._own.file = getattr(self._own, "file", None) or self._opened()
            self._own.rows = self._group(self._own.file, number, self._ends[number] - start)
            self._own.number = number
        sample: Sample = self._own.rows[place - start]
        return sample

    def _opened(self, in_order: bool = False) -> Any:
        import pyarrow.parquet as pq

        source: Any = self._uri
        if not storage.is_local(self._uri):
            open_file = storage.open_read if in_order else storage.open_ranges
            source = open_file(self._uri, **self._options)
        return pq.ParquetFile(
            source,
            metadata=self._metadata,
            memory_map=storage.is_local(self._uri),
            pre_buffer=False,
            page_checksum_verification=True,
        )

    def _group(self, file: Any, number: int, length: int) -> list[Sample]:
        """The samples of a group of rows."""
        with self._refusing():
            table = file.read_row_group(number, use_threads=False)
            rows = [sample for batch in table.to_batches() for sample in columns.samples(batch)]
            if len(rows) != length:
                raise FORMAT.damaged(self._uri, f"group {number} has {len(rows)} rows, not {length}")
        return rows

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Raise pyarrow's errors about damage as a DataError; errors of the system, which have a number, stay."""
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise FORMAT.damaged(self._uri, str(error)) from error


FORMAT = Parquet()
