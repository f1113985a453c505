"""The photographs of a large data set: their list lies with Spark's executors, and the driver holds numbers only.

Each slice of the list is one partition of an RDD, on the disks of the executors that listed it; a slice that is lost
is listed again. Dealing needs sizes and classes, so that 8 bytes a photograph come to the driver and 8 go back:
names never do.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from flowerexp.workload.images.deal import deal
from flowerexp.workload.images.found import Skipped
from flowerexp.workload.images.left_out import LeftOut
from flowerexp.workload.images.photographs import Photographs

_LARGEST = 2**32 - 1  # bytes; a photograph of more weighs no more


@dataclass(frozen=True)
class Folder:
    """What one class folder holds: how many photographs, the sample of them, those skipped, and what is left out."""

    name: str
    found: int
    sample: Photographs
    skipped: Sequence[Skipped]
    problem: OSError | None = None  # of listing it: raised by an executor, Spark would bury it in its own words
    left_out: LeftOut = field(default_factory=LeftOut)


@dataclass(frozen=True)
class Summary:
    """A folder in numbers."""

    name: str
    found: int
    sampled: int
    bytes: int
    skipped: Sequence[Skipped]
    problem: OSError | None
    left_out: LeftOut


class Folders:
    """Class folders that executors look into, each once."""

    def __init__(self, context: Any, names: Sequence[str], look: Callable[[str], Folder]) -> None:
        """Look into folders.

        Args:
            context: the SparkContext.
            names: the folders' names, in the order in which their photographs are to come.
            look: what to do for each, on an executor.

        Raises:
            OSError: the problem of a folder that could not be listed.
        """
        from pyspark import StorageLevel

        slices = max(1, min(len(names), 4 * context.defaultParallelism))
        self._found = context.parallelize(names, slices).mapPartitions(lambda some: [[look(name) for name in some]])
        self._found.persist(StorageLevel.DISK_ONLY)
        summed: list[list[Summary]] = self._found.map(_summed).collect()
        self._slices = summed
        for one in self.summaries:
            if one.problem:
                raise one.problem

    @property
    def summaries(self) -> list[Summary]:
        """All folders, in their order."""
        return [one for some in self._slices for one in some]

    def photographs(self, numbers: dict[str, int]) -> DistributedListing:
        """All samples, in the order of the folders.

        Args:
            numbers: each folder's label.
        """

        def labelled(folders: Sequence[Folder]) -> Photographs:
            made = Photographs()
            for folder in folders:
                made.extend(folder.sample, numbers.get(folder.name, 0))
            return made

        lengths = [sum(one.sampled for one in some) for some in self._slices]
        return DistributedListing(self._found.map(labelled), lengths, sum(one.bytes for one in self.summaries))


def _summed(folders: Iterable[Folder]) -> list[Summary]:
    return [
        Summary(one.name, one.found, len(one.sample), one.sample.bytes, one.skipped, one.problem, one.left_out)
        for one in folders
    ]


class DistributedListing:
    """Photographs in slices, each with one executor; in number and in order those of `Photographs`."""

    def __init__(self, slices: Any, lengths: Sequence[int], size: int) -> None:
        """Know where they are.

        Args:
            slices: an RDD of one `Photographs` a partition.
            lengths: how many each holds.
            size: bytes of all.
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
        """What some work on each slice gives, in order; one slice's at a time is here."""
        results: Iterator[bytes] = self._slices.map(work).toLocalIterator(prefetchPartitions=True)
        return results

    def some(self, count: int, seed: int) -> Photographs:
        """So many of them, chosen by chance, in their order; all if there are no more."""
        places = sorted(random.Random(seed).sample(range(len(self)), min(count, len(self))))
        bounds = list(zip(self._starts, self._lengths, strict=True))
        wanted = [[place - start for place in places if start <= place < start + length] for start, length in bounds]

        def pick(index: int, slices: Iterator[Photographs]) -> Iterator[Photographs]:
            return (one.pick(wanted[index]) for one in slices)

        made = Photographs()
        for picked in self._slices.mapPartitionsWithIndex(pick).collect():
            made.extend(picked)
        return made

    def deal(self, partitions: int, seed: int) -> Any:
        """An RDD of one `Photographs` a partition, dealt as `deal` does, which needs the numbers only."""
        sizes, labels = array("I"), array("I")
        for some_sizes, some_labels in self._slices.map(_numbers).collect():
            sizes.extend(some_sizes)
            labels.extend(some_labels)
        dealt = deal(sizes, labels, partitions, seed)
        partition_of, turn_of = (array("I", bytes(4 * len(sizes))) for _ in range(2))
        for number, own in enumerate(dealt):
            for turn, place in enumerate(own):
                partition_of[place], turn_of[place] = number, turn
        bounds = list(zip(self._starts, self._lengths, strict=True))
        given = [(partition_of[start : start + length], turn_of[start : start + length]) for start, length in bounds]
        pieces = self._slices.zip(self._slices.context.parallelize(given, len(given))).flatMap(_torn)
        return pieces.partitionBy(len(dealt), int).mapPartitions(_joined)


def _numbers(photographs: Photographs) -> tuple[array[int], array[int]]:
    return array("I", (min(size, _LARGEST) for size in photographs.sizes)), array("I", photographs.labels)


_Piece = tuple["array[int]", Photographs]


def _torn(slice_and_given: tuple[Photographs, tuple[array[int], array[int]]]) -> Iterator[tuple[int, _Piece]]:
    """The pieces of a slice that go to different partitions, with the turns in which their photographs come there."""
    photographs, (partition_of, turn_of) = slice_and_given
    places: dict[int, array[int]] = {}
    for place, partition in enumerate(partition_of):
        places.setdefault(partition, array("I")).append(place)
    for partition, own in places.items():
        yield partition, (array("I", (turn_of[place] for place in own)), photographs.pick(own))


def _joined(pieces: Iterable[tuple[int, _Piece]]) -> Iterator[Photographs]:
    """What a partition is dealt, made of its pieces."""
    every, turns = Photographs(), array("I")
    for _, (own, photographs) in pieces:
        turns.extend(own)
        every.extend(photographs)
    places = array("I", bytes(4 * len(turns)))
    for place, turn in enumerate(turns):
        places[turn] = place
    yield every.pick(places)
