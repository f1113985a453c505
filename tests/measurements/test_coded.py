"""Columns by their different values, and groups of rows by whole numbers."""

from __future__ import annotations

import numpy as np

from flowerexp.measurements.coded import Coded, firsts, joined, numbered

NAN = float("nan")


def test_different_values_are_sorted_and_a_row_without_a_number_has_no_place():
    numbers = Coded.of(np.array([3.0, NAN, 1.0, 3.0]))
    assert numbers.values.tolist() == [1.0, 3.0]
    assert numbers.places.tolist() == [1, -1, 0, 1]
    assert numbers.known.tolist() == [True, False, True, True]
    assert Coded.of(np.full(2, NAN)).places.tolist() == [-1, -1]


def test_values_that_are_equal_are_one_and_a_row_may_have_none():
    texts = Coded.chosen(np.array(["b", "a", "b"], object), np.array([0, 1, 2, -1]))
    assert texts.values.tolist() == ["a", "b"]
    assert texts.places.tolist() == [1, 0, 1, -1]
    assert texts.where(texts.known).each.tolist() == ["b", "a", "b"]
    assert texts.at(np.array([1, 0])).tolist() == ["a", "b"]


def test_a_value_of_no_row_does_not_count():
    texts = Coded.of(np.array(["a", "b", "c", "b"]))
    some = texts.where(texts.places != 0)
    assert some.present.values.tolist() == ["b", "c"]
    assert some.present.places.tolist() == [0, 1, 0]
    assert some.varies
    assert not texts.where(texts.places == 2).varies


def test_groups_are_numbered_in_the_order_of_the_columns():
    first, second = np.array([1, 0, 1, 0, 1]), np.array([0, 5, 0, 2, 2])
    groups = joined([first, second], 5)
    assert groups.tolist() == [2, 1, 2, 0, 3]
    assert firsts(groups).tolist() == [3, 1, 0, 4]
    assert joined([], 3).tolist() == [0, 0, 0]
    assert firsts(joined([np.empty(0, int)], 0)).tolist() == []


def test_numbers_far_apart_are_numbered_like_near_ones():
    assert numbered(np.array([7, 10**15, 7, 0])).tolist() == [1, 2, 1, 0]
    assert numbered(np.array([7, 9, 7, 0])).tolist() == [1, 2, 1, 0]


def test_many_columns_with_many_values_do_not_exceed_a_whole_number():
    rows = np.arange(1000)
    assert joined([rows] * 12, 1000).tolist() == rows.tolist()
