"""`Photographs` gives back the photographs that it was made from."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowerexp import storage
from flowerexp.workload.images.fingerprint import lines_of
from flowerexp.workload.images.photographs import Photograph, Photographs

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
described = st.tuples(names, st.integers(0, 9999), st.integers(0, 2**40), st.text(max_size=9))


def listed(described, root="/data/"):
    return [Photograph(root + relative, relative, *rest) for relative, *rest in described]


@given(st.lists(described, max_size=20))
def test_each_comes_back_as_it_was(described):
    everything = listed(described)
    kept = Photographs.of(everything)
    assert list(kept) == everything
    assert [kept[place] for place in range(-len(everything), 0)] == everything
    assert list(kept.uris) == [photograph.uri for photograph in everything] == [kept.uris[n] for n in range(len(kept))]
    assert list(kept.uris[:2]) == [photograph.uri for photograph in everything[:2]]
    assert kept.bytes == sum(photograph.size for photograph in everything)
    assert list(kept[1::2]) == everything[1::2]
    assert list(pickle.loads(pickle.dumps(kept))) == everything
    entries = [storage.Entry(one.uri, one.relative, one.size, one.version) for one in everything]
    assert list(lines_of(kept)) == list(lines_of(entries))
    assert kept == Photographs.of(everything)
    with pytest.raises(IndexError):
        kept[len(everything)]


def test_names_that_are_no_unicode_are_kept():
    odd = listed([("a/\udcff.jpg", 0, 1, "v")])
    assert list(Photographs.of(odd)) == odd
    assert list(lines_of(Photographs.of(odd))) == [b"a/\xff.jpg\x001\x00v\n"]


def test_labels_are_replaced_by_what_stands_at_their_places():
    kept = Photographs.of(listed([("a", 0, 1, ""), ("b", 1, 1, ""), ("c", 0, 1, "")]))
    kept.relabel([5, 3])
    assert [photograph.label for photograph in kept] == [5, 3, 5]


def test_two_roots_are_refused():
    with pytest.raises(ValueError, match="/b/x is not below /a/"):
        Photographs.of([*listed([("x", 0, 1, "")], "/a/"), *listed([("x", 0, 1, "")], "/b/")])


def test_a_photograph_takes_little_more_than_its_name():
    kept = Photographs("/data/")
    for number in range(20_000):
        kept.add(f"class/{number:09d}.jpg", 3, 60_000, "1700000000000000000")
    assert len(pickle.dumps(kept)) / len(kept) < 90
