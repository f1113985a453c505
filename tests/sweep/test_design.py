"""Fractional designs: what makes them designs, how they go with the rest of a sweep, and what they refuse."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from typing import ClassVar

import pytest
from hydra.core.global_hydra import GlobalHydra

from flowerexp import app as application
from flowerexp.errors import ConfigError
from flowerexp.sweep import design, hadamard
from flowerexp.sweep.design import fraction
from flowerexp.sweep.grammar import expand


@pytest.fixture(scope="module")
def loader():
    yield application.create().config_loader
    GlobalHydra.instance().clear()


@pytest.fixture
def runs(loader):
    """`runs(fraction=..., axes=...)`: the runs of a sweep, each a dict of its overrides, and their design."""

    def runs(*overrides, **sweep):
        expanded = expand(overrides, sweep, loader)
        return [dict(override.split("=", 1) for override in run) for run in expanded], expanded.design

    return runs


def two(factors):
    """Axes of two values."""
    return {f"f{number}": [0, 1] for number in range(factors)}


def level(run, key):
    return 2 * int(run[key]) - 1


PUBLISHED = {12: "++-+++---+-", 20: "++--++++-+-+----++-", 24: "+++++-+-++--++--+-+----"}
"""The generators of Plackett and Burman (1946), table of generating vectors."""


@pytest.mark.parametrize("size", PUBLISHED)
def test_the_generators_are_those_of_plackett_and_burman(size):
    first, *core = hadamard.design(size - 1, size)
    assert first == (0,) * (size - 1)
    assert ["".join("-+"[value] for value in row) for row in core] == [
        PUBLISHED[size][-shift:] + PUBLISHED[size][:-shift] for shift in range(size - 1)
    ]


@pytest.mark.parametrize("factors", range(3, 24))
def test_every_two_factors_have_all_four_combinations_equally_often(runs, factors):
    found, made = runs(fraction="plackett_burman", axes=two(factors))
    assert len(found) == made.runs == (hadamard.smallest(factors + 1))
    assert factors < made.runs <= factors + 8
    for one, other in itertools.combinations(found[0], 2):
        assert {*Counter((run[one], run[other]) for run in found).values()} == {made.runs // 4}
    assert len({tuple(run.values()) for run in found}) == made.runs
    assert {*found[0].values()} == {"0"}


@pytest.mark.parametrize(("factors", "size"), [(4, 8), (8, 16), (6, 16), (12, 24), (9, 32), (6, 32)])
def test_half_as_many_factors_as_runs_are_free_of_interactions_of_two(runs, factors, size):
    found, made = runs(fraction="plackett_burman", runs=size, axes=two(factors))
    assert (len(found), made.resolution) == (size, 4)
    assert len({tuple(run.values()) for run in found}) == size
    for keys in itertools.combinations(found[0], 3):
        assert sum(level(run, keys[0]) * level(run, keys[1]) * level(run, keys[2]) for run in found) == 0


def test_eight_factors_in_sixteen_runs_say_what_they_are(runs):
    found, made = runs(fraction="plackett_burman", runs=16, axes=two(8))
    assert len(found) == 16
    assert made.said == (
        "16 of 256 combinations (Plackett-Burman, folded over, resolution IV): main effects can be told apart, "
        "interactions of two factors are mixed with each other only"
    )
    assert runs(fraction="plackett_burman", axes=two(8))[1].said == (
        "12 of 256 combinations (Plackett-Burman, resolution III): main effects can be told apart, interactions are "
        "mixed into them"
    )


def test_a_zip_is_one_factor_a_single_value_none_and_repeats_are_whole(runs):
    found, made = runs(
        "a=1,2", "b=7", axes={"c": ["x", "y"]}, zip=[{"d": [1, 2], "e": [3, 4]}], repeats=2, fraction="plackett_burman"
    )
    assert made.factors == ("a", "d and e", "c")
    assert (made.runs, made.combinations) == (4, 8)
    assert [run["repeat"] for run in found] == ["1"] * 4 + ["2"] * 4
    assert all(run["b"] == "7" and int(run["e"]) == int(run["d"]) + 2 for run in found)
    assert [{**run, "repeat": "1"} for run in found[4:]] == found[:4]


def test_combinations_that_nobody_could_list(runs):
    found, made = runs(fraction="plackett_burman", axes=two(40))
    assert (len(found), made.combinations) == (44, 2**40)


class TestLatinHypercube:
    AXES: ClassVar = {"a": [1, 2], "b": [1, 2, 3], "c": "range(0,5)", "d": [7]}

    @pytest.mark.parametrize("size", [5, 7, 16, 29])
    def test_each_value_is_there_as_often_as_another_and_no_run_twice(self, runs, size):
        found, made = runs(fraction="latin_hypercube", runs=size, axes=self.AXES)
        assert len({tuple(run.values()) for run in found}) == len(found) == size
        for key, values in (("a", 2), ("b", 3), ("c", 5)):
            counts = Counter(run[key] for run in found)
            assert len(counts) == values
            assert max(counts.values()) - min(counts.values()) <= 1
        assert (made.factors, made.combinations, made.resolution) == (("a", "b", "c"), 30, None)
        assert made.said.startswith(f"{size} of 30 combinations (Latin hypercube): ")

    def test_by_its_seed(self, runs):
        one, same, other = (
            runs(fraction="latin_hypercube", runs=9, seed=seed, axes=self.AXES)[0] for seed in (1, 1, 2)
        )
        assert one == same != other

    def test_in_the_order_of_the_grid(self, runs):
        grid = runs(axes=self.AXES)[0]
        found = runs(fraction="latin_hypercube", runs=12, axes=self.AXES)[0]
        assert found == [run for run in grid if run in found]

    def test_what_is_excluded_is_said(self, runs):
        found, made = runs(fraction="latin_hypercube", runs=12, axes=self.AXES, exclude=[{"a": 1}], repeats=2)
        assert len(found) == 12
        assert made.left_out == 12
        assert "12 of 30 combinations (Latin hypercube, of which sweep.exclude leaves 12 runs out)" in made.said


def test_without_a_fraction_there_is_no_design(runs):
    assert runs(axes=two(3))[1] is None


THREE = {"axes": two(3)}
REFUSED = [
    ({"fraction": "half", **THREE}, "sweep.fraction: half must be one of plackett_burman, latin_hypercube, or null"),
    ({"runs": 4, **THREE}, "sweep.runs: without a design, a sweep runs the full grid; choose the design"),
    ({"runs": 0, "fraction": "latin_hypercube", **THREE}, "sweep.runs: 0 must be a whole number of 1 to 1,000"),
    ({"runs": True, "fraction": "latin_hypercube", **THREE}, "sweep.runs: True must be"),
    ({"runs": 10**9, "fraction": "latin_hypercube", **THREE}, "sweep.runs: 1000000000 must be"),
    ({"seed": "x", "runs": 3, "fraction": "latin_hypercube", **THREE}, "sweep.seed: x must be"),
    ({"fraction": "latin_hypercube", **THREE}, "sweep.runs: a Latin hypercube needs a number of runs"),
    ({"fraction": "latin_hypercube", "runs": 8, **THREE},
     "sweep.fraction: latin_hypercube of 8 runs is not a fraction: the full grid has 8"),
    ({"fraction": "latin_hypercube", "runs": 4, "axes": {"a": [1, 2, 3, 4, 5], "b": [1, 2]}},
     "sweep.runs: 4 runs cannot have each of the 5 values of a; set sweep.runs=5 or more"),
    ({"fraction": "plackett_burman", "axes": two(2)},
     "sweep.fraction: plackett_burman of 4 runs is not a fraction: the full grid has 4"),
    ({"fraction": "plackett_burman", "axes": {**two(3), "a": [1, 2, 3]}},
     "sweep.fraction: a has 3 values, and plackett_burman takes two; give a its lowest and its highest, or set"),
    ({"fraction": "plackett_burman", **THREE, "exclude": [{"f0": 1}]},
     "sweep.exclude: plackett_burman needs all of its runs, so none can be excluded"),
    ({"fraction": "plackett_burman", "runs": 18, "axes": two(8)},
     "sweep.runs: there is no plackett_burman design of 18 runs for 8 factors; the next one has 20 runs"),
    ({"fraction": "plackett_burman", "runs": 28, "axes": two(8)},
     "sweep.runs: there is no plackett_burman design of 28 runs for 8 factors; the next one has 32 runs"),
    ({"fraction": "plackett_burman", "runs": 8, "axes": two(8)},
     "sweep.runs: there is no plackett_burman design of 8 runs for 8 factors; the next one has 12 runs"),
    ({"fraction": "plackett_burman", "runs": 12, "axes": two(4)},
     "sweep.runs: plackett_burman of 12 runs has the same run twice with 4 factors; leave it out: 8 runs are enough"),
    ({"fraction": "plackett_burman", "axes": two(2000)}, "sweep.fraction: 2,000 factors need more than 1,000 runs"),
    ({"fraction": "latin_hypercube", "runs": 1000, "repeats": 200, "axes": {"a": "range(0,50)", "b": "range(0,50)"}},
     "sweep: 200,000 runs are more than 100,000"),
]  # fmt: skip


@pytest.mark.parametrize(("sweep", "message"), REFUSED, ids=[message[:70] for _, message in REFUSED])
def test_what_is_no_design_is_refused_with_its_place(runs, sweep, message):
    with pytest.raises(ConfigError) as caught:
        runs(**sweep)
    assert str(caught.value).startswith(message)


def test_runs_that_cannot_differ_are_refused(monkeypatch):
    monkeypatch.setattr(design, "_SWAPS", 1)
    sweep = {"fraction": "latin_hypercube", "runs": 15}
    with pytest.raises(ConfigError, match="15 runs cannot all differ"):
        fraction([("a", 4), ("b", 4)], sweep)


@pytest.mark.slow
def test_scipy_is_imported_for_a_latin_hypercube_alone():
    code = """
import sys
from flowerexp.sweep.design import fraction
axes = [(name, 2) for name in "abcd"]
fraction(axes, {})
fraction(axes, {"fraction": "plackett_burman"})
assert "scipy" not in sys.modules
fraction(axes, {"fraction": "latin_hypercube", "runs": 5})
assert "scipy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
