"""The list of a large data set's photographs, which Spark's executors keep: the driver holds only numbers.

Each slice of the list is one partition of an RDD, on the disks of the executors that listed it; a slice that is lost
is listed again. Dealing needs only sizes and classes: 8 bytes per photograph go to the driver and 8 go back, but no
names.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from flowerexp.workload.images.deal import deal
from flowerexp.workload.images.left_out import LeftOut
from flowerexp.workload.images.photographs import Photographs
from flowerexp.workload.images.scan import Skipped

_LARGEST = 2**32 - 1  # bytes; a larger photograph weighs no more than this


@dataclass(frozen=True)
class Folder:
    """The content of one class folder: its number of photographs, the sample, the skipped ones, and what is left out.

    `problem` is the error of listing it: if an executor raised it, Spark would bury it in its own words.
    """

    name: str
    total: int
    sample: Photographs
    skipped: Sequence[Skipped]
    problem: OSError | None = None
    left_out: LeftOut = field(default_factory=LeftOut)


@dataclass(frozen=True)
class Summary:
    """A folder in numbers."""

    name: str
    total: int
    sampled: int
    bytes: int
    skipped: Sequence[Skipped]
    problem: OSError | None
    left_out: LeftOut


class Folders:
    """Class folders that executors scan, each once."""

    def __init__(self, context: Any, names: Sequence[str], scan: Callable[[str], Folder]) -> None:
        """Scan folders.

        Args:
            context: the SparkContext.
            names: the folders' names, in the order that their photographs will have.
            scan: scans one folder, on an executor.

        Raises:
            OSError: a folder could not be listed.
        """
        from pyspark import StorageLevel

        slices = max(1, min(len(names), 4 * context.defaultParallelism))
        self._scanned = context.parallelize(names, slices).mapPartitions(lambda part: [[scan(name) for name in part]])
        self._scanned.persist(StorageLevel.DISK_ONLY)
        self._slices: list[list[Summary]] = self._scanned.map(_summed).collect()
        for summary in self.summaries:
            if summary.problem:
                raise summary.problem

    @property
    def summaries(self) -> list[Summary]:
        """All folders, in their order."""
        return [summary for summaries in self._slices for summary in summaries]

    def photographs(self, numbers: dict[str, int]) -> DistributedListing:
        """All samples, in the order of the folders.

        Args:
            numbers: each folder's label.
        """

        def labelled(folders: Sequence[Folder]) -> Photographs:
            photographs = Photographs()
            for folder in folders:
                photographs.extend(folder.sample, numbers.get(folder.name, 0))
            return photographs

        lengths = [sum(summary.sampled for summary in summaries) for summaries in self._slices]
        size = sum(summary.bytes for summary in self.summaries)
        return DistributedListing(self._scanned.map(labelled), lengths, size)


def _summed(folders: Iterable[Folder]) -> list[Summary]:
    return [
        Summary(
            folder.name,
            folder.total,
            len(folder.sample),
            folder.sample.bytes,
            folder.skipped,
            folder.problem,
            folder.left_out,
        )
        for folder in folders
    ]


class DistributedListing:
    """Photographs in slices, each kept by one executor; their number and order are those of `Photographs`."""

    def __init__(self, slices: Any, lengths: Sequence[int], size: int) -> None:
        """Remember where the photographs are.

        Args:
            slices: an RDD with one `Photographs` per partition.
            lengths: the number of photographs in each.
            size: the bytes of all photographs.
        """
        self._slices = slices
        self._lengths = lengths
        self.bytes = size

    def __len__(self) -> int:
        return sum(self._lengths)

    @property
    def _starts(self) -> list[int]:
        return [0, *accumulate(self._lengths)][:-1]

    def each_slice(self, work: Callable[[Photographs], bytes]) -> Iterator[bytes]:
        """The results of some work on each slice, in order; the driver holds only one or two at a time."""
        yield from self._slices.map(work).toLocalIterator(prefetchPartitions=True)

    def some(self, count: int, seed: int) -> Photographs:
        """A random choice of `count` photographs, in their order; all photographs if there are fewer."""
        places = sorted(random.Random(seed).sample(range(len(self)), min(count, len(self))))
        bounds = list(zip(self._starts, self._lengths, strict=True))
        wanted = [[place - start for place in places if start <= place < start + length] for start, length in bounds]

        def pick(index: int, slices: Iterator[Photographs]) -> Iterator[Photographs]:
            return (photographs.pick(wanted[index]) for photographs in slices)

        chosen = Photographs()
        for picked in self._slices.mapPartitionsWithIndex(pick).collect():
            chosen.extend(picked)
        return chosen

    def deal(self, partitions: int, seed: int) -> Any:
        """An RDD with one `Photographs` per partition, dealt by `deal.deal`, which needs only numbers."""
        sizes, labels = array("I"), array("I")
        for slice_sizes, slice_labels in self._slices.map(_numbers).collect():
            sizes.extend(slice_sizes)
            labels.extend(slice_labels)
        dealt = deal(sizes, labels, partitions, seed)
        partition_of, turn_of = (array("I", bytes(4 * len(sizes))) for _ in range(2))
        for partition, places in enumerate(dealt):
            for turn, place in enumerate(places):
                partition_of[place], turn_of[place] = partition, turn
        bounds = list(zip(self._starts, self._lengths, strict=True))
        targets = [(partition_of[start : start + length], turn_of[start : start + length]) for start, length in bounds]
        pieces = self._slices.zip(self._slices.context.parallelize(targets, len(targets))).flatMap(_split)
        return pieces.partitionBy(len(dealt), int).mapPartitions(_joined)


def _numbers(photographs: Photographs) -> tuple[array[int], array[int]]:
    return array("I", (min(size, _LARGEST) for size in photographs.sizes)), array("I", photographs.labels)


_Piece = tuple["array[int]", Photographs]


def _split(slice_and_targets: tuple[Photographs, tuple[array[int], array[int]]]) -> Iterator[tuple[int, _Piece]]:
    """The pieces of a slice that go to different partitions, with their photographs' places in these partitions."""
    photographs, (partition_of, turn_of) = slice_and_targets
    places: dict[int, array[int]] = {}
    for place, partition in enumerate(partition_of):
        places.setdefault(partition, array("I")).append(place)
    for partition, chosen in places.items():
        yield partition, (array("I", (turn_of[place] for place in chosen)), photographs.pick(chosen))


def _joined(pieces: Iterable[tuple[int, _Piece]]) -> Iterator[Photographs]:
    """The photographs of one partition, put together from its pieces."""
    together, turns = Photographs(), array("I")
    for _, (piece_turns, photographs) in pieces:
        turns.extend(piece_turns)
        together.extend(photographs)
    places = array("I", bytes(4 * len(turns)))
    for place, turn in enumerate(turns):
        places[turn] = place
    yield together.pick(places)
