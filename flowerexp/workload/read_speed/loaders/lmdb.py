"""The reader `lmdb`: the data set of PyTorch's tutorials and of torchvision (`LSUN`), one read by number, and a loop.

Its workers are those of PyTorch's DataLoader, so that without PyTorch there is one. Without read-ahead of the system,
as these data sets open it.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import accumulate

from flowerexp.errors import DataError
from flowerexp.workload import formats
from flowerexp.workload.read_speed.loaders import Batch, Images, Picture, batches, decoded, order, steps_of
from flowerexp.workload.read_speed.readers import Options, Source, exhaust


def dataset(source: Source, files: Sequence[str], options: Options) -> Images:
    """The images and labels in some files.

    Raises:
        DataError: a file is damaged. This is found out before it is read: one that is cut off would end the process.
    """
    for path in files:
        with formats.of("lmdb").open(path, {}):
            pass

    def read(size: int) -> Iterable[Batch]:
        with ExitStack() as opened:
            data = Data([_Database(path, opened) for path in files])
            yield from batches((data[place] for place in order(len(data), options)), size)

    return Images(read)


def steps(source: Source, files: Sequence[str], size: int) -> list[tuple[str, Callable[[], None]]]:
    """Only opened, then also read, decoded and stacked."""

    def contents() -> Iterator[tuple[bytes, int]]:
        with ExitStack() as opened:
            data = Data([_Database(path, opened) for path in files])
            yield from map(data.sample, range(len(data)))

    def opening() -> None:
        with ExitStack() as opened:
            exhaust(_Database(path, opened) for path in files)

    return [("open", opening), *steps_of(contents, size)]


class _Database:
    """One file: a database that several may read."""

    def __init__(self, path: str, opened: ExitStack) -> None:
        import lmdb

        self._path = path
        self._environment = lmdb.open(
            path, subdir=False, max_readers=1, readonly=True, lock=False, readahead=False, meminit=False
        )
        opened.callback(self._environment.close)
        with self._environment.begin() as transaction:
            self.length = int(transaction.get(b"num-samples") or 0)

    def sample(self, place: int) -> tuple[bytes, int]:
        """The content of a picture, and its label.

        Raises:
            DataError: there is none of this number.
        """
        with self._environment.begin() as transaction:
            content, label = (transaction.get(b"%s-%09d" % (kind, place + 1)) for kind in (b"image", b"label"))
        if content is None or label is None:
            raise DataError(f"{self._path} has no sample {place + 1}")
        return content, int(label)


class Data:
    """The pictures of some databases by number, as a `torch.utils.data.Dataset`."""

    def __init__(self, databases: Sequence[_Database]) -> None:
        self._databases = databases
        self._ends = list(accumulate(database.length for database in databases))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, place: int) -> Picture:
        content, label = self.sample(place)
        return decoded(content), label

    def sample(self, place: int) -> tuple[bytes, int]:
        """The content of a picture, and its label."""
        number = bisect.bisect_right(self._ends, place)
        before = self._ends[number - 1] if number else 0
        return self._databases[number].sample(place - before)
