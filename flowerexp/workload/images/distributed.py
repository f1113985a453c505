"""The list of a large data set's photographs, which Spark's executors keep: the driver holds only totals.

Executors list class folders, the large ones in ranges of names. The list then lies in slices on their disks, in the
order of the names; a slice that is lost is listed again. Dealing goes through executors, too: from slices to blocks,
and from blocks to partitions (see `deal`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from flowerexp.storage import Range
from flowerexp.workload.images.deal import Piece, block_of, blocks, deal_block, mixed
from flowerexp.workload.images.left_out import LeftOut
from flowerexp.workload.images.photographs import Photographs
from flowerexp.workload.images.scan import Skipped

#: Photographs that one task lists at most, and that one slice has: 200 requests to a bucket, and some 14 MB.
SLICE = 200_000

_FIRST, _MORE = 5_000, 4  # photographs that a task lists first: only where they end do ranges of equal size begin


@dataclass(frozen=True)
class Part:
    """What one task has listed of a class folder.

    `problem` is the error of listing it: if an executor raised it, Spark would bury it in its own words.

    Attributes:
        total: the number of photographs.
        sample: those in the sample.
        skipped: those that are left out because their class is not known.
        left_out: everything else.
        left: the ranges of the folder with what is not listed yet.
    """

    total: int
    sample: Photographs
    skipped: Sequence[Skipped] = ()
    problem: OSError | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    left: Sequence[Range] = ()


@dataclass(frozen=True)
class Summary:
    """A part in numbers."""

    total: int
    sampled: int
    bytes: int
    skipped: Sequence[Skipped]
    problem: OSError | None
    left_out: LeftOut
    left: Sequence[Range]


class Folders:
    """Class folders that executors list, each once.

    Attributes:
        names: their names.
        summaries: of all parts, in the order of their photographs, with the names of their folders.
    """

    def __init__(self, context: Any, names: Sequence[str], scan: Callable[[Range, int, int], Part]) -> None:
        """List folders: what is left of large ones is listed in ranges, until nothing is left.

        Args:
            context: the SparkContext.
            names: the folders' names, in the order that their photographs will have.
            scan: lists a range, on an executor; it takes `most` and `names` of `storage.RangeListing`.

        Raises:
            OSError: a folder could not be listed.
        """
        from pyspark import StorageLevel

        self._context = context
        self._rounds: list[Any] = []
        found: dict[tuple[int, ...], tuple[str, int, Summary]] = {}
        wanted: dict[tuple[int, ...], Range] = {(number,): Range(name) for number, name in enumerate(names)}
        while wanted:
            first, most = len(found), min(SLICE, _FIRST * _MORE ** len(self._rounds))
            slices = min(len(wanted), 4 * context.defaultParallelism) if not found else len(wanted)
            listed = context.parallelize([*enumerate(wanted.values(), first)], max(1, slices)).map(
                lambda one, most=most, names=SLICE: (one[0], scan(one[1], most, names))
            )
            self._rounds.append(listed.persist(StorageLevel.DISK_ONLY))
            summaries = listed.map(_summed).collect()
            for summary in summaries:
                if summary.problem:
                    raise summary.problem
            left: dict[tuple[int, ...], Range] = {}
            for number, ((key, within), summary) in enumerate(zip(wanted.items(), summaries, strict=True), first):
                found[key] = within.folder, number, summary
                left |= {(*key, place): rest for place, rest in enumerate(summary.left)}
            wanted = left
        self._found = [found[key] for key in sorted(found)]

    @property
    def summaries(self) -> list[tuple[str, Summary]]:
        """All parts, each with its folder's name, in the order of their photographs."""
        return [(name, summary) for name, _, summary in self._found]

    def photographs(self, numbers: Mapping[str, int]) -> DistributedListing:
        """All samples, in the order of the folders and of the names in them.

        Args:
            numbers: each folder's label.
        """
        place_of: dict[int, tuple[int, int, int]] = {}  # of each part: its slice, its place there, its label
        lengths = [0]
        for place, (name, number, summary) in enumerate(self._found):
            if lengths[-1] and lengths[-1] + summary.sampled > SLICE:
                lengths.append(0)
            lengths[-1] += summary.sampled
            place_of[number] = len(lengths) - 1, place, numbers.get(name, 0)

        def placed(numbered: tuple[int, Part]) -> tuple[int, tuple[int, tuple[int, Photographs]]]:
            index, place, label = place_of[numbered[0]]
            return index, (place, (label, numbered[1].sample))

        parts = self._context.union(self._rounds).map(placed).partitionBy(len(lengths), int)
        size = sum(summary.bytes for _, summary in self.summaries)
        return DistributedListing(parts.mapPartitions(_labelled), lengths, size)


def _summed(numbered: tuple[int, Part]) -> Summary:
    part = numbered[1]
    sample = part.sample
    return Summary(part.total, len(sample), sample.bytes, part.skipped, part.problem, part.left_out, part.left)


def _labelled(parts: Iterable[tuple[int, tuple[int, tuple[int, Photographs]]]]) -> Iterator[Photographs]:
    """The photographs of one slice, put together from its parts."""
    together = Photographs()
    for _, (label, sample) in sorted((part for _, part in parts), key=lambda part: part[0]):
        together.extend(sample, label)
    yield together


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

    def each_slice(self, work: Callable[[Photographs], bytes]) -> Iterator[bytes]:
        """The results of some work on each slice, in order; the driver holds only one or two at a time."""
        yield from self._slices.map(work).toLocalIterator(prefetchPartitions=True)

    def some(self, count: int, seed: int) -> Photographs:
        """A random choice of `count` photographs, in their order; all photographs if there are fewer."""
        places = sorted(random.Random(seed).sample(range(len(self)), min(count, len(self))))
        bounds = list(zip(accumulate(self._lengths, initial=0), self._lengths, strict=False))
        wanted = [[place - start for place in places if start <= place < start + length] for start, length in bounds]

        def pick(index: int, slices: Iterator[Photographs]) -> Iterator[Photographs]:
            return (photographs.pick(wanted[index]) for photographs in slices)

        chosen = Photographs()
        for picked in self._slices.mapPartitionsWithIndex(pick).collect():
            chosen.extend(picked)
        return chosen

    def deal(self, partitions: int, seed: int) -> Any:
        """An RDD with one `Photographs` per partition, the same as `deal.dealt`, which does this in one process."""
        partitions = min(partitions, len(self))
        count = blocks(len(self), partitions)

        def split(index: int, slices: Iterator[Photographs]) -> Iterator[tuple[int, tuple[int, Photographs]]]:
            for photographs in slices:
                for block, part in block_of(photographs, count, seed):
                    yield block, (index, part)

        def deal(block: int, parts: Iterable[tuple[int, tuple[int, Photographs]]]) -> Iterator[tuple[int, Piece]]:
            together = Photographs()
            for _, part in sorted((part for _, part in parts), key=lambda part: part[0]):
                together.extend(part)
            return deal_block(together, block, count, partitions, seed)

        def mix(partition: int, pieces: Iterable[tuple[int, Piece]]) -> Iterator[Photographs]:
            yield mixed([piece for _, piece in pieces], partition, count, seed)

        in_blocks = self._slices.mapPartitionsWithIndex(split).partitionBy(count, int)
        return in_blocks.mapPartitionsWithIndex(deal).partitionBy(partitions, int).mapPartitionsWithIndex(mix)
