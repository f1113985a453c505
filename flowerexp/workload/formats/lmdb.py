"""LMDB: a database with the keys image-000000001, label-000000001 and so on, and num-samples, one file a shard.

The keys are a custom of data sets for training: numbers are counted from 1, and labels are texts. Each file is a
database of its own (`subdir=False`), which readers open without its lock file. Its pages are as large as the system's,
mostly 4 KiB: files are the same for the same samples on machines where these are. The library reads local files only,
so that an object in a bucket is copied into the temporary folder when it is opened, which belongs to the time of
opening.

What the file shows by itself: damage to its first pages, and some damage to the tree of keys. Values have no checksums.
A file that is cut off would end the process (SIGBUS), so that its size is compared with the number of its pages first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from flowerexp.errors import DataError
from flowerexp.workload.formats import Sample
from flowerexp.workload.formats.files import BaseFormat, Closing, checked, local, writing

_BLOCK = 32 << 20  # bytes of one transaction when a file is written
_COUNT = b"num-samples"
_SPARE = 64  # pages that a transaction may need for the tree


class LMDB(BaseFormat):
    """The format of the library lmdb."""

    name, title, suffix = "lmdb", "LMDB", ".lmdb"
    modules = ("lmdb",)

    def write(self, path: str, samples: Iterable[tuple[bytes, int]], compression: str | None) -> int:
        """See `Format.write`."""
        self.require()
        import lmdb

        with writing(path, lmdb.Error):
            database = _Database(lmdb.open(path, subdir=False, lock=False, sync=False, map_size=1 << 20))
        with database.environment:
            labels = []
            for image, label in samples:
                labels.append(label)
                with writing(path, lmdb.Error):
                    database.put(_key(b"image", len(labels)), image)
            with writing(path, lmdb.Error):
                for number, label in enumerate(labels, 1):
                    database.put(_key(b"label", number), str(label).encode())
                database.put(_COUNT, str(len(labels)).encode())
                database.commit()
        return len(labels)

    def count(self, uri: str, options: dict[str, Any]) -> int:
        """See `Format.count`."""
        with self.open(uri, options) as samples:
            return len(samples)

    def open(self, uri: str, options: dict[str, Any]) -> Samples:
        """See `Format.open`."""
        self.require()
        return Samples(uri, options)


def _key(kind: bytes, number: int) -> bytes:
    return b"%s-%09d" % (kind, number)


class _Database:
    """A database that is written: in transactions of some megabytes, and mapped as large as it has to be."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self._page = int(environment.stat()["psize"])
        self._pending: list[tuple[bytes, bytes]] = []
        self._pages = 0

    def put(self, key: bytes, value: bytes) -> None:
        """Add a value; keys come in their order."""
        self._pending.append((key, value))
        self._pages += len(value) // self._page + 2
        if self._pages * self._page > _BLOCK:
            self.commit()

    def commit(self) -> None:
        """Write what was added."""
        used = int(self.environment.info()["last_pgno"]) + 1
        self.environment.set_mapsize((used + self._pages + _SPARE) * self._page)
        with self.environment.begin(write=True) as transaction:
            for key, value in self._pending:
                transaction.put(key, value, append=True)
        self._pending, self._pages = [], 0


class _Shared:
    """A database that is open for reading, until nobody has it any more."""

    def __init__(self, path: str) -> None:
        import lmdb

        self.environment = lmdb.open(path, subdir=False, lock=False, readonly=True, readahead=False)

    def __del__(self) -> None:
        if hasattr(self, "environment"):
            self.environment.close()


_LOCK = threading.Lock()
_OPEN: WeakValueDictionary[tuple[int, str], _Shared] = WeakValueDictionary()


def _shared(path: str) -> _Shared:
    """A database of this process: the library opens a file only once in each."""
    key = os.getpid(), os.path.realpath(path)
    with _LOCK:
        if (found := _OPEN.get(key)) is None:
            found = _OPEN[key] = _Shared(path)
    return found


class Samples(Closing):
    """An LMDB file."""

    def __init__(self, uri: str, options: dict[str, Any]) -> None:
        super().__init__()
        self._uri = uri
        with self._open as opened:
            path = opened.enter_context(local(uri, options))
            with self._refusing():
                self._shared = _shared(path)
                self._environment = self._shared.environment
                opened.callback(self._release)
                pages = self._environment.info()["last_pgno"] + 1
                size = pages * self._environment.stat()["psize"]
            if Path(path).stat().st_size < size:
                raise FORMAT.damaged(uri, f"it is cut off: it has fewer than the {size} bytes of its {pages} pages")
            count = self._get(_COUNT)
            if not count.isdigit():
                raise FORMAT.damaged(uri, f"the value of {_COUNT.decode()} is not a number")
            self._length = int(count)
            self._open = opened.pop_all()

    def _release(self) -> None:
        del self._environment, self._shared

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Sample]:
        for place in range(self._length):
            yield self[place]

    def __getitem__(self, place: int) -> Sample:
        number = checked(place, self._length) + 1
        image, label = self._get(_key(b"image", number)), self._get(_key(b"label", number))
        if not label.removeprefix(b"-").isdigit():
            raise FORMAT.damaged(self._uri, f"the label of sample {number} is not a number")
        return image, int(label)

    def _get(self, key: bytes) -> bytes:
        """A copy of a value, since its memory belongs to a transaction."""
        with self._refusing(), self._environment.begin() as transaction:
            value = transaction.get(key)
        if value is None:
            raise FORMAT.damaged(self._uri, f"it has no key {key.decode()}")
        return bytes(value)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        import lmdb

        try:
            yield
        except lmdb.Error as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DataError:
        return FORMAT.damaged(self._uri, str(error))


FORMAT = LMDB()
