"""Deal photographs to partitions, so that all take about as long: a stage is over when its slowest task is."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence

from flowerexp.workload.listing import Photograph

#: What every photograph costs beside its own bytes, in bytes: resizing, compressing and writing the result take as long
#: as decoding so many bytes (0.3 + 0.8 ms, where 60 kB are decoded in 0.64 ms).
FIXED_BYTES = 100_000

#: Equal counts are given up where the heaviest partition has more than so many times the weight that it need have.
_UNEVEN = 1.1


def deal(photographs: Sequence[Photograph], partitions: int, seed: int) -> list[list[Photograph]]:
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
    """
    equal = _dealt(photographs, partitions, random.Random(seed), by_count=True)
    if _heaviest(equal) * len(equal) <= _UNEVEN * sum(map(weight, photographs)):
        return equal
    even = _dealt(photographs, partitions, random.Random(seed), by_count=False)
    return equal if _heaviest(equal) <= _UNEVEN * _heaviest(even) else even


def _heaviest(hands: Sequence[Sequence[Photograph]]) -> int:
    return max(sum(map(weight, hand)) for hand in hands)


def weight(photograph: Photograph) -> int:
    """What a photograph costs, as a number of bytes that take as long to decode."""
    return photograph.size + FIXED_BYTES


def _dealt(
    photographs: Sequence[Photograph], partitions: int, chance: random.Random, *, by_count: bool
) -> list[list[Photograph]]:
    groups: dict[int, list[Photograph]] = {}
    for photograph in photographs:
        groups.setdefault(photograph.label if by_count else 0, []).append(photograph)
    hands: list[list[Photograph]] = [[] for _ in range(min(partitions, len(photographs)))]
    totals = [0] * len(hands)
    for _, own in sorted(groups.items()):
        chance.shuffle(own)
        own.sort(key=weight, reverse=True)
        # The next in turn: who has the fewest of this group, if counts matter, and is the lightest of those.
        turns = [(0, total, place) for place, total in enumerate(totals)]
        heapq.heapify(turns)
        for photograph in own:
            count, _, place = turns[0]
            hands[place].append(photograph)
            totals[place] += weight(photograph)
            heapq.heapreplace(turns, (count + by_count, totals[place], place))
    for hand in hands:
        chance.shuffle(hand)
    return hands
