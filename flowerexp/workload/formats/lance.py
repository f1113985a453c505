"""Lance: a data set of files with the columns `image` (binary) and `label` (int64), which lance.dataset(folder) reads.

A shard is one data file of it, in the folder `data` as Lance wants it, and whatever the files are called, the list of
them (`_versions`) is written when all are there: so the files are the same for the same samples, which the list is not
(it has a random number and the time). The library reads an object in a bucket only with credentials of its own kind, so
that one is copied into the temporary folder when it is opened, which belongs to the time of opening.

What a file shows by itself: most damage to its footer, which describes the columns. Contents have no checksums.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowerexp import storage
from flowerexp.workload.formats import Sample, columns
from flowerexp.workload.formats.files import BaseFormat, Closing, checked, local, writing

_VERSION = "2.2"  # of the file format
_MAGIC = b"LANC"  # a file ends with it


class Lance(BaseFormat):
    """The format of the library lance (the package pylance)."""

    name, title, suffix = "lance", "Lance", ".lance"
    below = "data/"
    compressions = ("zstd",)
    modules = ("lance",)

    def write(self, path: str, samples: Iterable[tuple[bytes, int]], compression: str | None) -> int:
        """See `Format.write`."""
        self.require()
        from lance.file import LanceFileWriter

        schema = columns.schema(**{"lance-encoding:compression": compression or "none"})
        count = 0
        with writing(path, OSError):
            writer = LanceFileWriter(str(Path(path).absolute()), schema, version=_VERSION)
        for batch in columns.batches(samples, schema):
            with writing(path, OSError):
                writer.write_batch(batch)
            count += batch.num_rows
        with writing(path, OSError):
            writer.close()
        return count

    def count(self, uri: str, options: dict[str, Any]) -> int:
        """See `Format.count`; the footer says it."""
        with self.open(uri, options) as rows:
            return len(rows)

    def open(self, uri: str, options: dict[str, Any]) -> Rows:
        """See `Format.open`."""
        self.require()
        return Rows(uri, options)

    def complete(self, folder: str, files: Sequence[tuple[str, int]]) -> None:
        """Write the list of files that makes a data set of them."""
        self.require()
        import lance
        from lance.fragment import DataFile, FragmentMetadata

        version = {"file_major_version": int(_VERSION[0]), "file_minor_version": int(_VERSION[2])}
        fragments = [
            FragmentMetadata(number, [DataFile(name.removeprefix(self.below), [0, 1], [0, 1], **version)], records)
            for number, (name, records) in enumerate(files)
        ]
        for entry in storage.list_files(folder):
            if entry.relative.startswith(("_versions/", "_transactions/")):
                storage.remove(entry.uri)
        with tempfile.TemporaryDirectory(prefix="flowerexp-") as made:
            lance.LanceDataset.commit(made, lance.LanceOperation.Overwrite(columns.schema(), fragments))
            for entry in storage.list_files(made):  # _transactions comes before _versions, which refers to it
                storage.write_bytes(storage.join(folder, entry.relative), storage.read_bytes(entry.uri))


class Rows(Closing):
    """A data file of Lance."""

    def __init__(self, uri: str, options: dict[str, Any]) -> None:
        super().__init__()
        self._uri = uri
        self._own = threading.local()  # the library's readers are for one thread each
        with self._open as opened:
            self._path = str(Path(opened.enter_context(local(uri, options))).absolute())
            with Path(self._path).open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - len(_MAGIC)))
                if file.read() != _MAGIC:  # the library panics if the file is empty
                    raise FORMAT.damaged(uri, "it is cut off, or is not a Lance file")
            with self._refusing():
                self._length = int(self._reader().num_rows())
                found = self._reader().metadata().schema
            if not columns.fits(found):
                raise FORMAT.damaged(uri, "its columns are not image (binary) and label (int64)")
            self._open = opened.pop_all()

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Sample]:
        count = 0
        with self._refusing():
            found = iter(self._opened().read_all(batch_size=columns.ROWS).to_batches())
        while (batch := self._next(found)) is not None:
            yield from columns.samples(batch)
            count += batch.num_rows
        if count != self._length:
            raise FORMAT.damaged(self._uri, f"it has {count} rows, not {self._length}")

    def __getitem__(self, place: int) -> Sample:
        checked(place, self._length)
        with self._refusing():
            batch = next(iter(self._reader().take_rows([place]).to_batches()))
            return next(columns.samples(batch))

    def _next(self, found: Iterator[Any]) -> Any:
        with self._refusing():
            return next(found, None)

    def _reader(self) -> Any:
        """This thread's reader."""
        if not hasattr(self._own, "reader"):
            self._own.reader = self._opened()
        return self._own.reader

    def _opened(self) -> Any:
        from lance.file import LanceFileReader

        return LanceFileReader(self._path)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Raise what the library raises about damage as a DataError, also where its Rust code panics."""
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError, ValueError, RuntimeError) as error:
            raise FORMAT.damaged(self._uri, str(error)) from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            raise FORMAT.damaged(self._uri, str(error)) from error


FORMAT = Lance()
