"""Deal photographs to partitions that take about the same time: a Spark stage ends when its slowest task ends."""

from __future__ import annotations

import heapq
import random
from array import array
from collections.abc import Iterable, Iterator

#: The cost of every photograph besides its bytes, in bytes: resizing, compressing and writing the result take as long
#: as decoding this many bytes (0.3 + 0.8 ms; 60 kB are decoded in 0.64 ms).
FIXED_BYTES = 100_000

#: Equal counts are given up if the heaviest partition has more than this many times the weight that it needs to have.
_UNEVEN = 1.1


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
