"""ArrayRecord: the format of the library grain, for reading by number; records are those of TFRecord files.

Groups of one record, as grain wants them for reading by number. Without compression unless wanted (the library's own
default is zstd, which makes a JPEG no smaller). The library reads local files only, so that an object in a bucket is
copied into the temporary folder when it is opened, which belongs to the time of opening.

What the file shows by itself: any damage to what is read, by checksums of each group and header.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flowerexp.errors import DataError
from flowerexp.workload.formats import Sample
from flowerexp.workload.formats.files import BaseFormat, Closing, checked, local, writing
from flowerexp.workload.images import examples

_AT_ONCE = 64  # records that are read with one call

# Without them, the library reads ahead with threads of its own.
_BY_NUMBER = "readahead_buffer_size:0,max_parallelism:0"


class ArrayRecord(BaseFormat):
    """The format of the libraries array_record and grain."""

    name, title, suffix = "array_record", "ArrayRecord", ".array_record"
    compressions = ("zstd", "brotli", "snappy")
    checks = True
    modules = ("array_record",)

    def write(self, path: str, samples: Iterable[tuple[bytes, int]], compression: str | None) -> int:
        """See `Format.write`."""
        self.require()
        from array_record.python.array_record_module import ArrayRecordWriter

        with writing(path, RuntimeError):
            writer = ArrayRecordWriter(path, f"group_size:1,{compression or 'uncompressed'}")
        count = 0
        try:
            for image, label in samples:
                record = examples.encode_example(image, label)
                with writing(path, RuntimeError):
                    writer.write(record)
                count += 1
        finally:
            with writing(path, RuntimeError):
                writer.close()
        return count

    def count(self, uri: str, options: dict[str, Any]) -> int:
        """See `Format.count`."""
        with self.open(uri, options) as records:
            return len(records)

    def open(self, uri: str, options: dict[str, Any]) -> Records:
        """See `Format.open`."""
        self.require()
        return Records(uri, options)


class Records(Closing):
    """An ArrayRecord file."""

    def __init__(self, uri: str, options: dict[str, Any]) -> None:
        from array_record.python.array_record_module import ArrayRecordReader

        super().__init__()
        self._uri = uri
        with self._open as opened:
            path = opened.enter_context(local(uri, options))
            with self._refusing():
                self._reader = ArrayRecordReader(path, _BY_NUMBER)
                if not self._reader.ok():  # with these options, what is wrong is said when the file is closed
                    self._reader.close()
                    raise RuntimeError("it cannot be opened")
                opened.callback(self._reader.close)
            self._open = opened.pop_all()

    def __len__(self) -> int:
        return int(self._reader.num_records())

    def __iter__(self) -> Iterator[Sample]:
        for start in range(0, len(self), _AT_ONCE):
            with self._refusing():
                records = self._reader.read(start, min(start + _AT_ONCE, len(self)))
            yield from map(self._sample, records)

    def __getitem__(self, place: int) -> Sample:
        place = checked(place, len(self))
        with self._refusing():
            record = self._reader.read([place])[0]
        return self._sample(record)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise FORMAT.damaged(self._uri, str(error)) from error

    def _sample(self, record: bytes) -> Sample:
        try:
            return examples.decode_example(record)
        except DataError as error:
            raise FORMAT.damaged(self._uri, error.problem) from error


FORMAT = ArrayRecord()
