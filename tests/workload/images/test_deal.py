"""Dealing: partitions have equal weight and their share of every class, and no photograph is lost."""

import random
import statistics
from collections import Counter
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowerexp.workload.images import deal as dealing
from flowerexp.workload.images.deal import FIXED_BYTES
from flowerexp.workload.images.photographs import Photograph, Photographs


def photographs(labels, sizes=None):
    return [
        Photograph(f"/p/{label}/{number}", f"{label}/{number}", label, sizes[number] if sizes else 1, "")
        for number, label in enumerate(labels)
    ]


def deal(everything, partitions, seed):
    """The photographs of each partition."""
    sizes, labels = zip(*((photograph.size, photograph.label) for photograph in everything), strict=True)
    dealt = dealing.deal(sizes, labels, partitions, seed)
    return [[everything[place] for place in places] for places in dealt]


def weight(photograph):
    return photograph.size + FIXED_BYTES


def number(photograph):
    return int(photograph.uri.rpartition("/")[2])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=120), st.integers(1, 40), st.integers(0, 2**32))
def test_every_partition_has_its_share_of_every_class(labels, partitions, seed):
    everything = photographs(labels)
    dealt = deal(everything, partitions, seed)
    assert len(dealt) == min(partitions, len(labels))
    assert sorted(chain(*dealt), key=number) == everything
    shares = [Counter(photograph.label for photograph in partition) for partition in dealt]
    for counts in (list(map(len, dealt)), *([share[label] for share in shares] for label in range(5))):
        assert max(counts) - min(counts) <= 1


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**9)), min_size=1, max_size=60),
    st.integers(1, 70),
    st.integers(0, 9),
)
def test_all_photographs_are_dealt_once_whatever_their_sizes(described, partitions, seed):
    labels, sizes = zip(*described, strict=True)
    everything = photographs(labels, sizes)
    dealt = deal(everything, partitions, seed)
    assert sorted(chain(*dealt), key=number) == everything
    assert len(dealt) == min(partitions, len(everything))
    assert all(dealt)


def skewed(kind):
    """2,000 photographs in five classes: sizes in bytes."""
    chance = random.Random(5)
    if kind == "usual":
        return [int(chance.lognormvariate(11, 0.5)) for _ in range(2000)]
    if kind == "heavy tail":
        return [min(int(20_000 * chance.paretovariate(1.1)), 12_000_000) for _ in range(2000)]
    if kind == "one class of scans":
        return [8_000_000 + number if number % 5 == 3 and number < 200 else 50_000 for number in range(2000)]
    return [9_000_000 if number % 5 == 4 and number < 20 else 50_000 for number in range(2000)]


@pytest.mark.parametrize("kind", ["usual", "heavy tail", "one class of scans", "giants in the last class"])
def test_the_heaviest_partition_is_at_most_1_3_times_the_median(kind):
    sizes = skewed(kind)
    everything = photographs([number % 5 for number in range(2000)], sizes)
    partitions = 16
    weights = sorted(sum(map(weight, partition)) for partition in deal(everything, partitions, 0))
    assert weights[-1] <= 1.3 * statistics.median(weights)
    by_chance = list(everything)
    random.Random(0).shuffle(by_chance)
    random_weights = [sum(map(weight, by_chance[start::partitions])) for start in range(partitions)]
    assert weights[-1] < max(random_weights)


def test_sizes_as_usual_leave_counts_equal():
    everything = photographs([number % 5 for number in range(2000)], skewed("usual"))
    shares = [Counter(photograph.label for photograph in partition) for partition in deal(everything, 16, 0)]
    assert all(share == dict.fromkeys(range(5), 25) for share in shares)


def test_small_photographs_cost_too():
    everything = photographs([0] * 1000 + [1] * 2, [0] * 1000 + [FIXED_BYTES * 999] * 2)
    assert sorted(len(partition) for partition in deal(everything, 3, 0)) == [1, 1, 1000]
    everything = photographs([0] * 100, [0] * 99 + [1])
    assert {len(partition) for partition in deal(everything, 10, 0)} == {10}


def test_follows_from_the_seed_alone():
    everything = photographs([number % 3 for number in range(60)])
    assert deal(everything, 4, 1) == deal(everything, 4, 1)
    assert deal(everything, 4, 1) != deal(everything, 4, 2)


# As they were dealt by the first version that weighed photographs.
USUAL = [
    [20, 7, 27, 6, 16, 21, 11, 2],
    [5, 29, 12, 0, 15, 1, 10, 26],
    [19, 23, 9, 18, 25, 28, 14],
    [22, 8, 13, 24, 4, 17, 3],
]
GIANTS = [[12, 0, 14, 7, 16, 2], [17, 4, 8, 13, 19, 9, 3, 15], [5, 18, 1, 11, 6, 10]]


def test_deals_as_it_always_has():
    # Another deal would give other files under the fingerprint of data that is prepared already.
    usual = photographs([number % 3 for number in range(30)], [number * 7919 % 50_000 for number in range(30)])
    numbers = [list(map(number, partition)) for partition in deal(usual, 4, 1)]
    assert numbers == USUAL
    giants = photographs([number % 3 for number in range(20)], [9_000_000 * (number < 2) for number in range(20)])
    assert [list(map(number, partition)) for partition in deal(giants, 3, 1)] == GIANTS


@pytest.mark.parametrize(
    ("sizes", "labels", "expected"),
    [
        # counts are uneven by more than a tenth, by less than a fifth: weight decides
        ([400_000, 0, 100_000, 0, 200_000, 200_000, 200_000], [0, 1, 2, 0, 1, 2, 0], [[0, 3], [6, 4], [5, 2, 1]]),
        # by less than a tenth: counts stay
        (
            [400_000, 100_000, 100_000, 50_000, 50_000, 0, 100_000, 400_000, 200_000],
            [0, 1, 2] * 3,
            [[0, 2, 4], [1, 8, 6], [5, 3, 7]],
        ),
        # classes are dealt in the order of their numbers, not of their first photographs
        ([number * 7919 % 50_000 for number in range(12)], [2, 1, 0] * 4, [[7, 9, 5, 10], [0, 6, 4, 11], [3, 8, 1, 2]]),
    ],
)
def test_deals_as_it_always_has_at_the_limits_of_its_rules(sizes, labels, expected):
    assert [list(places) for places in dealing.deal(sizes, labels, 3, 1)] == expected


def as_list(everything):
    return Photographs.of(everything)


def test_fewer_than_200_000_are_one_block_and_dealt_as_always():
    assert [dealing.blocks(count, 16) for count in (1, 199_999, 200_000, 1_000_000)] == [1, 1, 2, 10]
    assert dealing.blocks(1_000_000, 10_000) == 5, "a block has several for each partition"
    everything = photographs([number % 3 for number in range(30)], [number * 7919 % 50_000 for number in range(30)])
    assert [list(map(number, part)) for part in dealing.dealt(as_list(everything), 4, 1)] == USUAL


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(dealing, "BLOCK", 500)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", ["usual", "heavy tail", "one class of scans", "giants in the last class"])
def test_blocks_give_partitions_of_about_the_same_weight_too(kind):
    everything = photographs([number % 5 for number in range(2000)], skewed(kind))
    assert dealing.blocks(2000, 16) == 4
    dealt = dealing.dealt(as_list(everything), 16, 0)
    assert sorted(chain(*dealt), key=number) == everything
    weights = sorted(sum(map(weight, partition)) for partition in dealt)
    assert weights[-1] <= 1.3 * statistics.median(weights)
    shares = [Counter(photograph.label for photograph in partition) for partition in dealt]
    if kind == "usual":
        assert all(abs(share[label] - 25) <= 4 for share in shares for label in range(5))


@pytest.mark.usefixtures("small_blocks")
def test_partitions_mix_the_blocks_and_follow_from_the_seed():
    everything = as_list(photographs([0] * 2000))
    blocks = {name: block for block, part in dealing.block_of(everything, 4, 1) for name, _, _ in part.named()}
    assert min(Counter(blocks.values()).values()) > 400
    (first, *_), (other, *_) = (dealing.dealt(everything, 8, seed) for seed in (1, 2))
    assert {blocks[photograph.relative.encode()] for photograph in first[:40]} == {0, 1, 2, 3}
    assert {photograph.relative for photograph in first} != {photograph.relative for photograph in other}


def test_each_block_has_another_partition_that_is_dealt_to_first():
    heaviest = as_list(photographs([0] * 9, [8_000_000, *[1] * 8]))
    firsts = set()
    for block in range(20):
        for partition, (_, piece) in dealing.deal_block(heaviest, block, 20, 3, 0):
            if 8_000_000 in piece.sizes:
                firsts.add(partition)
    assert firsts == {0, 1, 2}


def test_classes_are_mixed_within_a_partition():
    (partition,) = deal(photographs([0] * 50 + [1] * 50), 1, 0)
    assert {photograph.label for photograph in partition[:25]} == {0, 1}


def test_does_not_change_what_it_is_given():
    everything = photographs([0, 1, 0, 1], [4, 3, 2, 1])
    before = list(everything)
    deal(everything, 2, 0)
    assert everything == before
