"""Deal photographs to partitions, so that all take about as long: a stage is over when its slowest task is."""

from __future__ import annotations

import heapq
import random
from array import array
from collections.abc import Sequence

from flowerexp.workload.photographs import Photograph

#: What every photograph costs beside its own bytes, in bytes: resizing, compressing and writing the result take as long
#: as decoding so many bytes (0.3 + 0.8 ms, where 60 kB are decoded in 0.64 ms).
FIXED_BYTES = 100_000

#: Equal counts are given up where the heaviest partition has more than so many times the weight that it need have.
_UNEVEN = 1.1


def deal(photographs: Sequence[Photograph], partitions: int, seed: int) -> list[list[int]]:
    """Deal shuffled photographs to partitions of about the same weight, each with its share of every class.

    A photograph weighs its bytes and `FIXED_BYTES`, and goes to the lightest partition, the heaviest photographs first
    (Graham, "Bounds on multiprocessing timing anomalies", 1969: longest processing time first). In a first attempt,
    classes are dealt one after the other, and no partition gets a second photograph of a class before all have one: so
    partitions differ by one photograph of each class at the most. Where sizes differ so much that these do not come out
    even, weight alone decides, and classes are mixed by chance.

    Args:
        photographs: in an order that is the same whenever they are listed.
        partitions: how many are wanted; there are never more than photographs.
        seed: of the order within the partitions, and of who gets which of several photographs of one size.

    Returns:
        For each partition the places of its photographs.
    """
    count = min(partitions, len(photographs))
    weights = array("Q", map(weight, photographs))
    by_class: dict[int, list[int]] = {}
    for place, photograph in enumerate(photographs):
        by_class.setdefault(photograph.label, []).append(place)
    equal = _dealt([by_class[label] for label in sorted(by_class)], weights, count, random.Random(seed), by_count=True)
    if _heaviest(equal, weights) * count <= _UNEVEN * sum(weights):
        return equal
    even = _dealt([[*range(len(photographs))]], weights, count, random.Random(seed), by_count=False)
    return equal if _heaviest(equal, weights) <= _UNEVEN * _heaviest(even, weights) else even


def _heaviest(hands: Sequence[Sequence[int]], weights: Sequence[int]) -> int:
    return max(sum(weights[place] for place in hand) for hand in hands)


def weight(photograph: Photograph) -> int:
    """What a photograph costs, as a number of bytes that take as long to decode."""
    return photograph.size + FIXED_BYTES


def _dealt(
    groups: Sequence[list[int]], weights: Sequence[int], count: int, chance: random.Random, *, by_count: bool
) -> list[list[int]]:
    """Deal one group after the other; each starts with the heaviest."""
    hands: list[list[int]] = [[] for _ in range(count)]
    totals = [0] * count
    for group in groups:
        chance.shuffle(group)
        group.sort(key=weights.__getitem__, reverse=True)
        # The next in turn: who has the fewest of this group, if counts matter, and is the lightest of those.
        turns = [(0, total, number) for number, total in enumerate(totals)]
        heapq.heapify(turns)
        for place in group:
            held, _, number = turns[0]
            hands[number].append(place)
            totals[number] += weights[place]
            heapq.heapreplace(turns, (held + by_count, totals[number], number))
    for hand in hands:
        chance.shuffle(hand)
    return hands
