from dataclasses import replace

import pytest

from flowerexp.analysis import words
from flowerexp.experiment import Experiment, Parameter
from tests.analysis.rows import READ_SPEED, WRITE_SHARDS

HOW = Parameter(type="text", choices=("sort", "sort first", "hash"), labels={"hash": "Hashing"})
COUNT = Experiment(
    name="count",
    question="How fast?",
    script="count.py",
    unit="words",
    parameters={
        "how": HOW,
        "adaptive": Parameter(type="bool", label="adaptive execution"),
        "size": Parameter(type="int", unit="words", label="size of a text"),
        "parts": Parameter(type="int"),
    },
    products=(("size", "parts"),),
)


def test_parameters_have_their_labels_and_axes_their_units():
    assert words.parameter(COUNT, "size") == "size of a text"
    assert words.parameter(COUNT, "size", unit=True) == "size of a text (words)"
    assert words.parameter(COUNT, "size x parts", unit=True) == "size of a text × parts"
    assert words.parameter(COUNT, "repetition") == "repetition"
    assert words.head(COUNT) == "how and adaptive execution"
    assert words.head(WRITE_SHARDS) == "series"


@pytest.mark.parametrize(
    ("name", "label", "values"),
    [
        ("hash adaptive=true", "Hashing, adaptive execution=true", {"how": "hash", "adaptive": "true"}),
        (
            "sort first adaptive=false",
            "sort first, adaptive execution=false",
            {"how": "sort first", "adaptive": "false"},
        ),
        ("sort", "sort", {"how": "sort"}),
        ("adaptive=true", "adaptive execution=true", {"adaptive": "true"}),
        ("count", "count", {}),
        ("what_else adaptive=true", "what else adaptive=true", {}),
    ],
)
def test_a_series_is_named_by_the_labels_of_its_values(name, label, values):
    assert words.series(COUNT, name) == label
    assert words.values(COUNT, name) == values


def test_a_text_that_may_be_anything_is_its_own_label():
    free = Experiment(
        name="x", question="", script="", unit="words",
        parameters={"how": Parameter(type="text"), "flag": Parameter(type="bool", labels={"true": "with a flag"})},
    )  # fmt: skip
    assert words.series(free, "my_way flag=true") == "my way, with a flag"
    assert words.ordered(free, ["b flag=true", "a flag=true", "a flag=false"])[0] == "a flag=false"


def test_a_label_begins_with_a_small_letter_within_a_sentence():
    assert [words.inside(one) for one in ("Image files", "TFRecords", "x", "A way", "")] == [
        "image files", "TFRecords", "x", "a way", "",
    ]  # fmt: skip


def test_series_and_colours_are_in_the_declared_order():
    names = ["hash adaptive=false", "sort adaptive=true", "count", "sort adaptive=false"]
    assert words.ordered(COUNT, names) == ["sort adaptive=false", "sort adaptive=true", "hash adaptive=false", "count"]
    tones = words.colours(COUNT, names)
    assert tones["sort adaptive=false"] == words.PALETTE[0]
    assert len({tones[name] for name in names}) == 4


def test_a_series_has_the_same_colour_in_every_run():
    readers = (READ_SPEED.parameters["reader"].choices or ())[: len(words.PALETTE)]
    few = replace(READ_SPEED, parameters={"reader": Parameter(type="text", choices=readers)})
    every = words.colours(few, readers)
    assert len({*every.values()}) == len(readers) == len(words.PALETTE)
    assert all(words.colours(few, [reader])[reader] == every[reader] for reader in readers)


def test_more_series_than_colours_share_them_among_those_that_there_are():
    many = Experiment(
        name="x", question="", script="", unit="words",
        parameters={name: Parameter(type="text", choices=tuple("abcd")) for name in ("one", "two")},
    )  # fmt: skip
    assert len({*words.colours(many, ["d d", "a b", "d a"]).values()}) == 3


def test_a_default_is_not_in_the_name_of_a_series_but_is_its_value():
    order = Parameter(type="text", choices=("none", "full"), default="none", labels={"full": "shuffled"})
    ahead = Parameter(type="text", default="a b")
    which = replace(COUNT, parameters={**COUNT.parameters, "order": order, "ahead": ahead})
    assert words.values(which, "hash adaptive=true") == {
        "how": "hash",
        "adaptive": "true",
        "order": "none",
        "ahead": "a b",
    }
    assert words.values(which, "hash adaptive=true order=full ahead=b")["order"] == "full"
    assert words.values(which, "hash adaptive=true ahead=b")["ahead"] == "b"
    assert words.series(which, "hash order=full ahead=b") == "Hashing, shuffled, ahead=b"
