from typing import Any

import numpy as np
import pyarrow
import pytest

from flowerexp.experiment import Experiment, Parameter
from flowerexp.measurements.loading import from_rows
from flowerexp.measurements.table import Measurements
from tests.analysis.rows import READ_SPEED, row, table, written

ODD = [1, 2.5, None, True, "3", float("nan"), float("inf"), [1]]


class TestRates:
    def test_a_total_rate_is_no_average_of_rates(self):
        rows = [{"images": 100, "seconds": 1}, {"images": 100, "seconds": 4}]
        assert table(rows).total_rate == 40  # the average of 100/s and 25/s would be 62.5

    def test_what_was_not_timed_or_counted_has_no_rate(self):
        rows: list[dict[str, Any]] = [
            {"images": 5, "seconds": None},
            {"seconds": 1},
            {"images": 5, "seconds": 0},
            {"images": True, "seconds": 1},
        ]
        assert np.isnan(table(rows).rates).all()
        assert table([*rows, {"images": 6, "seconds": 2}]).total_rate == 3
        assert table([]).total_rate is None

    def test_a_rate_of_nothing_counts_as_time(self):
        found = table([{"images": 0, "seconds": 1}, {"images": 2, "seconds": 1}])
        assert (len(found.rated), len(found.timed), found.total_rate) == (2, 1, 1)


class TestColumns:
    def test_only_finite_numbers_are_numbers(self):
        found = table([{"x": value} for value in ODD]).numbers("x")
        assert found[:2].tolist() == [1, 2.5]
        assert np.isnan(found[2:]).all()

    @pytest.mark.parametrize("value", ODD)
    def test_and_so_they_are_in_a_column_of_one_kind(self, value):
        (found,) = table([{"x": value}]).numbers("x")
        assert np.isnan(found) or (found == value and value is not True)

    def test_a_column_that_is_not_there_has_no_numbers_truths_or_texts(self):
        found = table([row(), row()])
        assert np.isnan(found.numbers("x")).all()
        assert found.truths("x").tolist() == [-1, -1]
        assert found.texts("x")[0].tolist() == [-1, -1]
        assert not found.known("x").any()
        assert not found.has("x").any()

    def test_true_and_false_are_told_from_all_else(self):
        assert table([{"x": value} for value in (True, False, None)]).truths("x").tolist() == [1, 0, -1]
        assert table([{"x": value} for value in (True, False, 1, "true")]).truths("x").tolist() == [1, 0, -1, -1]
        assert table([{"x": 1}]).truths("x").tolist() == [-1]

    def test_a_null_is_not_a_column_that_a_row_lacks(self):
        found = table([{"x": 1, "y": None}, {"y": 2}, {"x": None, "y": 1}])
        assert found.has("x").tolist() == [True, False, True]
        assert found.has("y").all()
        assert found.where(np.array([False, True, True])).has("x").tolist() == [False, True]

    def test_texts_are_those_of_python(self):
        places, names = table([{"x": value} for value in ("b", 1, None, "b")]).texts("x")
        assert [None if place < 0 else names[place] for place in places] == ["b", "1", None, "b"]

    def test_texts_that_were_read_by_their_different_values_are_the_same_and_those_of_no_row_are_left_out(self):
        coded = pyarrow.DictionaryArray.from_arrays([2, None, 1, 2], ["a", "b", "c"])
        found = Measurements(pyarrow.table({"x": coded}), READ_SPEED)
        places, names = found.texts("x")
        assert places.tolist() == [0, -1, 1, 0]
        assert names == ["c", "b"]
        assert found.rows() == [{"x": "c"}, {"x": None}, {"x": "b"}, {"x": "c"}]


class TestCells:
    def test_rows_are_split_by_what_is_categorical_and_the_experiment_names_the_others(self):
        found = table([row("b"), row("a"), written(0, 1.0), row("b")], "ping")
        assert {name: len(group) for name, group in found.by_series.items()} == {"a": 1, "b": 2, "ping": 1}

    def test_cells_are_sorted_as_numbers_and_what_is_missing_comes_first(self):
        one = row("a") | {"batch_size": None}
        found = table([row(size=16), row(size=2, number=12), row(size=2), row(size=2), one])
        assert found.cells.tolist() == [3, 2, 1, 1, 0]
        expected = [("a", None, 3), ("tfrecords", 2, 3), ("tfrecords", 2, 12), ("tfrecords", 16, 3)]
        assert found.cell_keys == expected

    def test_later_executions_are_left_out(self):
        rows = [row(), row(execution=2), {"images": 1}, {"execution": None}]
        assert [one["images"] for one in table(rows).firsts.rows()] == [6, 1, None]

    def test_an_experiment_says_what_its_columns_are(self):
        """Words of a text, by two categorical parameters and a numeric one."""
        words = Experiment(
            name="count",
            question="How fast?",
            script="count.py",
            unit="words",
            column="found",
            parameters={
                "partitions": Parameter(type="int"),
                "how": Parameter(type="text"),
                "where": Parameter(type="text"),
            },
        )
        rows = [
            {"how": how, "where": where, "partitions": 2, "found": 10, "seconds": seconds}
            for how, where, seconds in (("sort", "here", 1), ("hash", None, 2), ("sort", "there", 4), (None, None, 5))
        ]
        found = from_rows(rows, words)
        assert [found.series_names[place] for place in found.series] == ["sort here", "hash", "sort there", "count"]
        rates = {name: group.total_rate for name, group in found.by_series.items()}
        assert rates == {"count": 2, "hash": 5, "sort here": 10, "sort there": 2.5}
        assert found.cell_keys[1] == ("hash", 2)


class TestSome:
    """Some of the rows are looked up in the table of all, and are as if there were no others."""

    ROWS: tuple[dict[str, Any], ...] = (
        row("b", 8, host="z", censored=True),
        row("a", 2, host="y", repetition=2, odd=[1]),
        row("b", 2, host=None, seconds=None, odd=True),
        row("a", 4, host="z", censored=None, odd=1),
        {"images": 3, "seconds": 2, "odd": "x"},
        row("a", 2, host="x", images=0),
    )

    @pytest.mark.parametrize("chosen", [[0, 2, 3], [4, 5], [1], [], [0, 1, 2, 3, 4, 5]])
    def test_they_are_as_if_there_were_no_others(self, chosen):
        mask = np.isin(np.arange(len(self.ROWS)), chosen)
        alone = from_rows([self.ROWS[place] for place in chosen], READ_SPEED)
        more = table([*self.ROWS]).where(mask | np.isin(np.arange(len(self.ROWS)), [1, 4]))
        for found in (table([*self.ROWS]).where(mask), more.where(mask[more.places])):
            assert len(found) == len(alone)
            assert (found.series_names, found.cell_keys) == (alone.series_names, alone.cell_keys)
            assert found.total_value == alone.total_value
            for name in ("series", "cells", "rates", "parts", "censored", "later", "value"):
                np.testing.assert_array_equal(np.array(getattr(found, name)), np.array(getattr(alone, name)))
            for name in alone.names:
                places, texts = found.texts(name)
                assert [texts[place] for place in places] == [alone.texts(name)[1][place] for place in places]
                for look in ("has", "known", "truths", "numbers"):
                    np.testing.assert_array_equal(getattr(found, look)(name), getattr(alone, look)(name))


class TestDeclared:
    """Columns as an experiment declares them."""

    SORT = Experiment(
        name="sort",
        question="How fast?",
        script="sort.py",
        unit="rows",
        parameters={"adaptive": Parameter(type="bool"), "skew": Parameter(type="float")},
    )

    def test_true_and_false_name_their_parameter(self):
        rows = [{"adaptive": value, "skew": 0, "rows": 1, "seconds": 1} for value in (True, False, None)]
        assert from_rows(rows, self.SORT).series_names == ["adaptive=false", "adaptive=true", "sort"]

    def test_their_types_do_not_depend_on_the_rows(self):
        one, two = (
            from_rows([{"adaptive": None, "skew": skew, "rows": None, "mine": None}], self.SORT).table
            for skew in (0, 0.5)
        )
        assert one.schema == two.schema
        assert [str(kind) for kind in one.schema.types] == ["int64", "bool", "double", "null"]

    def test_what_was_stopped_has_no_rate(self):
        rows = [{"rows": 6, "seconds": 2, "censored": stopped} for stopped in (True, False, None)]
        found = from_rows(rows, self.SORT)
        assert [bool(one) for one in np.isnan(found.rates)] == [True, False, False]
        assert (len(found.finished), len(found.rated)) == (2, 2)


class TestDefaults:
    EXPERIMENT = Experiment(
        name="read",
        question="?",
        script="read.py",
        unit="images",
        parameters={
            "reader": Parameter(type="text"),
            "order": Parameter(type="text", choices=("none", "full"), default="none"),
            "ahead": Parameter(type="int", default=0),
        },
    )

    def test_rows_that_lack_a_parameter_have_its_default(self):
        found = from_rows([{"reader": "a", "images": 1, "seconds": 1}], self.EXPERIMENT)
        assert found.numbers("ahead").tolist() == [0]
        assert found.texts("order")[1] == ["none"]
        assert found.cell_keys == [("a", 0)]

    def test_series_are_not_named_by_defaults(self):
        rows = [{"reader": "a", "order": order, "images": 1, "seconds": 1} for order in ("none", "full")]
        assert from_rows(rows, self.EXPERIMENT).series_names == ["a", "a order=full"]
        assert from_rows([{"reader": "a", "images": 1, "seconds": 1}], self.EXPERIMENT).series_names == ["a"]
