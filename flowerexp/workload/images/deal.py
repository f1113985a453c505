"""Deal photographs to partitions that take about the same time: a Spark stage ends when its slowest task ends.

Many photographs are dealt in blocks. A seeded hash of its name decides which block a photograph is in, and each block
is dealt to all partitions without regard to the others. So no process has to hold more than one block. The result is
the same whether the driver or the executors list the photographs, and however many executors there are.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from array import array
from collections.abc import Iterable, Iterator, Sequence

from flowerexp.workload.images.photographs import Photographs

#: The cost of every photograph besides its bytes, in bytes: resizing, compressing and writing the result take as long
#: as decoding this many bytes (0.3 + 0.8 ms; 60 kB are decoded in 0.64 ms).
FIXED_BYTES = 100_000

#: Photographs in a block, at least, and for each partition: with fewer, the partitions would be less even.
BLOCK, _FOR_EACH = 100_000, 20

#: Equal counts are given up if the heaviest partition has more than this many times the weight that it needs to have.
_UNEVEN = 1.1


Piece = tuple[int, Photographs]
"""What a partition gets of a block: the block's number, and the photographs."""


def blocks(count: int, partitions: int) -> int:
    """How many blocks there are, by the number of photographs and of partitions; one for fewer than 200,000."""
    return max(1, count // max(BLOCK, _FOR_EACH * partitions))


def dealt(photographs: Photographs, partitions: int, seed: int) -> list[Photographs]:
    """The photographs of each partition; there are never more partitions than photographs.

    Args:
        photographs: in the order of their names.
        partitions: the wanted number of partitions.
        seed: see `deal`; decides about blocks too.
    """
    partitions = min(partitions, len(photographs))
    count = blocks(len(photographs), partitions)
    pieces: list[list[Piece]] = [[] for _ in range(partitions)]
    for block, part in block_of(photographs, count, seed):
        for partition, piece in deal_block(part, block, count, partitions, seed):
            pieces[partition].append(piece)
    return [mixed(some, partition, count, seed) for partition, some in enumerate(pieces)]


def block_of(photographs: Photographs, count: int, seed: int) -> Iterator[tuple[int, Photographs]]:
    """The photographs of each block, with its number, in their order."""
    if count == 1:
        yield 0, photographs
        return
    places = [array("I") for _ in range(count)]
    start = f"{seed}:block:".encode()
    for place, (name, _, _) in enumerate(photographs.named()):
        number = int.from_bytes(hashlib.blake2b(start + name, digest_size=8).digest(), "big")
        places[number % count].append(place)
    for block, chosen in enumerate(places):
        yield block, photographs.pick(chosen)


def deal_block(
    photographs: Photographs, block: int, count: int, partitions: int, seed: int
) -> Iterator[tuple[int, Piece]]:
    """Deal one of `count` blocks.

    The first of the partitions that `deal` fills gets the heaviest photograph, so each block has another first one.

    Yields:
        A partition, and what it gets.
    """
    filled = deal(photographs.sizes, photographs.labels, partitions, seed)
    order: Sequence[int] = range(partitions)
    if count > 1:
        order = random.Random(f"{seed}:{block}").sample(order, partitions)
    for partition, places in zip(order, filled, strict=False):
        yield partition, (block, photographs.pick(places))


def mixed(pieces: Iterable[Piece], partition: int, count: int, seed: int) -> Photographs:
    """The photographs of one partition, put together from what it got of each of `count` blocks."""
    together = Photographs()
    for _, piece in sorted(pieces, key=lambda piece: piece[0]):
        together.extend(piece)
    if count == 1:
        return together
    places = array("I", range(len(together)))
    random.Random(f"{seed}:{partition}:mixed").shuffle(places)
    return together.pick(places)


def deal(sizes: Iterable[int], labels: Iterable[int], partitions: int, seed: int) -> list[array[int]]:
    """Deal shuffled photographs to partitions of about the same weight, each with its share of every class.

    A photograph weighs its bytes plus `FIXED_BYTES`, and goes to the lightest partition, the heaviest photographs first
    (Graham, "Bounds on multiprocessing timing anomalies", 1969: longest processing time first). A first attempt deals
    one class after the other, and no partition gets a second photograph of a class before all have one: so partitions
    differ by at most one photograph of each class. If sizes differ so much that the weights become uneven, weight alone
    decides, and classes are mixed by chance.

    It needs only numbers, and keeps arrays of them; only one class at a time is a list.

    Args:
        sizes: the photographs' sizes in bytes, in an order that is the same for every listing.
        labels: the numbers of their classes.
        partitions: the wanted number of partitions; there are never more partitions than photographs.
        seed: decides the order within the partitions, and which partition gets which of several equal photographs.

    Returns:
        The places of the photographs of each partition.
    """
    weights = array("Q", (size + FIXED_BYTES for size in sizes))
    count = min(partitions, len(weights))
    chance = random.Random(seed)
    totals, order, dealt_to = [0] * count, array("I"), array("I")
    for group in _by_class(labels):
        heaviest_first = _shuffled(group, weights, chance)
        dealt_to.extend(_by_count(heaviest_first, weights, totals))
        order.extend(heaviest_first)
    if max(totals) * count > _UNEVEN * sum(weights):
        other = random.Random(seed)
        by_weight = _shuffled(array("I", range(len(weights))), weights, other)
        lightest, heaviest = _by_weight(by_weight, weights, count)
        if max(totals) > _UNEVEN * heaviest:
            order, dealt_to, chance = by_weight, lightest, other
    return _gathered(order, dealt_to, count, chance)


def _by_class(labels: Iterable[int]) -> list[array[int]]:
    """The places of each class's photographs."""
    places: dict[int, array[int]] = {}
    for place, label in enumerate(labels):
        places.setdefault(label, array("I")).append(place)
    return [places[label] for label in sorted(places)]


def _shuffled(group: array[int], weights: array[int], chance: random.Random) -> array[int]:
    """The places of a group, the heaviest first; equal weights are in random order."""
    chance.shuffle(group)
    return array("I", sorted(group, key=weights.__getitem__, reverse=True))


def _by_count(group: array[int], weights: array[int], totals: list[int]) -> Iterator[int]:
    """Deal a group in rounds of one photograph per partition; each round gives the heaviest to the lightest partition.

    Args:
        group: places, the heaviest first.
        weights: the weights of all photographs.
        totals: the weight of each partition; updated.

    Yields:
        The partition that gets each photograph of the group.
    """
    for start in range(0, len(group), len(totals)):
        dealt = group[start : start + len(totals)]
        turns = sorted(range(len(totals)), key=totals.__getitem__)[: len(dealt)]
        for place, number in zip(dealt, turns, strict=True):
            totals[number] += weights[place]
        yield from turns


def _by_weight(group: array[int], weights: array[int], count: int) -> tuple[array[int], int]:
    """Deal each photograph of a group to the lightest partition.

    Returns:
        The partition that gets each, and the weight of the heaviest partition.
    """
    dealt_to = array("I")
    turns = [(0, number) for number in range(count)]  # in the order of a heap
    for place in group:
        total, number = turns[0]
        dealt_to.append(number)
        heapq.heapreplace(turns, (total + weights[place], number))
    return dealt_to, max(turns)[0]


def _gathered(order: array[int], dealt_to: array[int], count: int, chance: random.Random) -> list[array[int]]:
    """The places of each partition, in random order.

    Args:
        order: the places, in the order in which they were dealt.
        dealt_to: the partition that got each.
        count: the number of partitions.
        chance: decides the order within the partitions.
    """
    gathered = [array("I") for _ in range(count)]
    for place, partition in zip(order, dealt_to, strict=True):
        gathered[partition].append(place)
    for places in gathered:
        chance.shuffle(places)
    return gathered
