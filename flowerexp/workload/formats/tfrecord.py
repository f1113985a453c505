"""TFRecord: records of `tf.train.Example`, each with checksums; see `flowerexp.workload.images.tfrecords`.

The file has no index, so that reading by number first walks over the lengths of all records; in a bucket, that streams
the file once. A file that is compressed as a whole cannot be read by number: it is decompressed into memory first.

What the file shows by itself: each flipped byte of a record. A file that ends between two records looks whole, and an
empty one is a file without records: only the size in the manifest tells.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from flowerexp.errors import DataError
from flowerexp.workload.formats import Sample
from flowerexp.workload.formats.files import BaseFormat, Closing, Once, Ranges, checked, stream
from flowerexp.workload.images import examples


class TFRecord(BaseFormat):
    """The format of TensorFlow; compressed as a whole with GZIP if wanted."""

    name, title, suffix = "tfrecord", "TFRecord", ".tfrec"
    compressions = ("gzip",)
    checks = True

    def write(self, path: str, samples: Iterable[tuple[bytes, int]], compression: str | None) -> int:
        """See `Format.write`."""
        from flowerexp.workload.images import tfrecords

        records = (examples.encode_example(image, label) for image, label in samples)
        with Path(path).open("wb") as file:
            if not compression:
                return tfrecords.write_file(file, records)
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                return tfrecords.write_file(cast("BinaryIO", packed), records)

    def count(self, uri: str, options: dict[str, Any]) -> int:
        """See `Format.count`; payloads are not read, unless the file is compressed."""
        from flowerexp.workload.images import tfrecords

        with stream(uri, options) as file:
            return tfrecords.count_records(file, uri)

    def verify(self, uri: str, options: dict[str, Any]) -> int:
        """See `Format.verify`; what is in the records does not matter."""
        from flowerexp.workload.images import tfrecords

        with stream(uri, options) as file:
            return sum(1 for _ in tfrecords.read_records(file, uri))

    def open(self, uri: str, options: dict[str, Any]) -> Records:
        """See `Format.open`."""
        return Records(uri, options)


class Records(Closing):
    """A TFRecord file."""

    def __init__(self, uri: str, options: dict[str, Any]) -> None:
        super().__init__()
        self._uri, self._options = uri, options
        self._index = Once(self._indexed)

    def __len__(self) -> int:
        return len(self._index()[1])

    def __iter__(self) -> Iterator[Sample]:
        from flowerexp.workload.images import tfrecords

        with stream(self._uri, self._options) as file:
            for record in tfrecords.read_records(file, self._uri):
                yield self._sample(record)

    def __getitem__(self, place: int) -> Sample:
        from flowerexp.workload.images import tfrecords

        ranges, ends = self._index()
        place = checked(place, len(ends))
        start = ends[place - 1] if place else 0
        return self._sample(tfrecords.payload(ranges(start, ends[place]), self._uri, place, start))

    def _indexed(self) -> tuple[Ranges, list[int]]:
        """The file's bytes, and the place behind each record."""
        from flowerexp.workload.images import tfrecords

        with stream(self._uri, self._options) as file:
            if not tfrecords.compression_of(file):
                return Ranges(self._uri, self._options), list(tfrecords.ends(file, self._uri))
            framed = [tfrecords.frame(record) for record in tfrecords.read_records(file, self._uri)]
        ends, end = [], 0
        for record in framed:
            end += len(record)
            ends.append(end)
        return Ranges(self._uri, self._options, b"".join(framed)), ends

    def _sample(self, record: bytes) -> Sample:
        try:
            return examples.decode_example(record)
        except DataError as error:
            raise FORMAT.damaged(self._uri, error.problem) from error


FORMAT = TFRecord()
