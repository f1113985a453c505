"""Deal photographs to partitions, so that all take about as long: a stage is over when its slowest task is."""

from __future__ import annotations

import heapq
import random
from array import array
from collections.abc import Iterable, Iterator

#: What every photograph costs beside its own bytes, in bytes: resizing, compressing and writing the result take as long
#: as decoding so many bytes (0.3 + 0.8 ms, where 60 kB are decoded in 0.64 ms).
FIXED_BYTES = 100_000

#: Equal counts are given up where the heaviest partition has more than so many times the weight that it need have.
_UNEVEN = 1.1


def deal(sizes: Iterable[int], labels: Iterable[int], partitions: int, seed: int) -> list[array[int]]:
    """Deal shuffled photographs to partitions of about the same weight, each with its share of every class.

    A photograph weighs its bytes and `FIXED_BYTES`, and goes to the lightest partition, the heaviest photographs first
    (Graham, "Bounds on multiprocessing timing anomalies", 1969: longest processing time first). In a first attempt,
    classes are dealt one after the other, and no partition gets a second photograph of a class before all have one: so
    partitions differ by one photograph of each class at the most. Where sizes differ so much that these do not come out
    even, weight alone decides, and classes are mixed by chance.

    Only numbers are needed; arrays of them are held, and of one class at a time a list.

    Args:
        sizes: of the photographs in bytes, in an order that is the same whenever they are listed.
        labels: the numbers of their classes.
        partitions: how many are wanted; there are never more than photographs.
        seed: of the order within the partitions, and of who gets which of several photographs of one size.

    Returns:
        For each partition the places of its photographs.
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
    found: dict[int, array[int]] = {}
    for place, label in enumerate(labels):
        found.setdefault(label, array("I")).append(place)
    return [found[label] for label in sorted(found)]


def _shuffled(group: array[int], weights: array[int], chance: random.Random) -> array[int]:
    """The places of a group, the heaviest first, and in an order of chance where they weigh the same."""
    chance.shuffle(group)
    return array("I", sorted(group, key=weights.__getitem__, reverse=True))


def _by_count(group: array[int], weights: array[int], totals: list[int]) -> Iterator[int]:
    """Deal a group in rounds of one for each partition, in each round the heaviest to the lightest partition.

    Args:
        group: places, the heaviest first.
        weights: of all photographs.
        totals: the weight of each partition; changed.

    Yields:
        For each of the group the partition that gets it.
    """
    for start in range(0, len(group), len(totals)):
        dealt = group[start : start + len(totals)]
        turns = sorted(range(len(totals)), key=totals.__getitem__)[: len(dealt)]
        for place, number in zip(dealt, turns, strict=True):
            totals[number] += weights[place]
        yield from turns


def _by_weight(group: array[int], weights: array[int], count: int) -> tuple[array[int], int]:
    """Deal a group, the next always to the lightest partition; who gets each, and the heaviest partition's weight."""
    dealt_to = array("I")
    turns = [(0, number) for number in range(count)]  # in the order of a heap
    for place in group:
        total, number = turns[0]
        dealt_to.append(number)
        heapq.heapreplace(turns, (total + weights[place], number))
    return dealt_to, max(turns)[0]


def _gathered(order: array[int], dealt_to: array[int], count: int, chance: random.Random) -> list[array[int]]:
    """The places of each partition, mixed by chance.

    Args:
        order: the places, in the order in which they were dealt.
        dealt_to: the partition that got each.
        count: how many partitions.
        chance: of the orders within the partitions.
    """
    gathered = [array("I") for _ in range(count)]
    for place, partition in zip(order, dealt_to, strict=True):
        gathered[partition].append(place)
    for places in gathered:
        chance.shuffle(places)
    return gathered
