"""The cells of a grid: each as often as the config says, in random order, each measurement with its own seed."""

import itertools
import pickle
from collections.abc import Sequence
from typing import Any

import pytest

from flowerexp.errors import ConfigError
from flowerexp.workload.engine.cells import Cell, planned
from flowerexp.workload.engine.declared import Declared, Subject
from tests.workload.engine.tiny import GRID, config, declared, workload

WIDE: dict[str, Sequence[Any]] = {"reader": ["x", "y"], "size": [2, 4, 6, 8], "number": [3, 6, 12, 18]}


def plan(experiment, **hooks):
    return planned(Subject(experiment, workload(lambda *_: 1, **hooks), None))


def optional(values):
    """`WIDE` with a parameter that has a default."""
    made = config({**WIDE, "ahead": values})
    made["entrypoint"]["parameters"]["ahead"]["default"] = 0
    return Declared.of(made, "key")


def keys(tasks):
    return [task.cell.key for task in tasks]


class TestPlanned:
    def test_every_cell_once_in_each_repetition(self):
        tasks = plan(declared(WIDE, repetitions=3))
        assert [task.order for task in tasks] == list(range(96))
        assert [task.cell.repetition for task in tasks] == [1] * 32 + [2] * 32 + [3] * 32
        expected = set(itertools.product(*WIDE.values()))
        for start in (0, 32, 64):
            assert set(keys(tasks[start : start + 32])) == expected

    def test_the_order_is_by_chance_and_another_one_in_each_repetition(self):
        tasks = plan(declared(WIDE, repetitions=3))
        first, second, third = (keys(tasks[start : start + 32]) for start in (0, 32, 64))
        assert first != sorted(first)
        assert first != second != third != first

    def test_the_seed_decides_the_order_and_what_is_chosen_by_chance(self):
        one, same, other = (plan(declared(WIDE, seed=seed)) for seed in (1, 1, 2))
        assert keys(one) == keys(same) != keys(other)
        assert [task.cell.seed for task in one] == [task.cell.seed for task in same]
        assert not {task.cell.seed for task in one} & {task.cell.seed for task in other}

    def test_series_are_compared_on_like_terms_and_repetitions_are_not(self):
        seeds: dict[tuple[object, ...], set[int]] = {}
        for task in plan(declared(WIDE)):
            seeds.setdefault((*task.cell.key[1:], task.cell.repetition), set()).add(task.cell.seed)
        assert all(len(of_both) == 1 for of_both in seeds.values())
        assert len(set.union(*seeds.values())) == len(seeds)

    def test_the_seeds_are_those_of_runs_before(self):
        (task, *_) = [task for task in plan(declared(WIDE)) if task.key == (1, "x", 2, 3)]
        assert task.cell.seed == 1355007906708020920

    def test_a_parameter_with_its_default_alone_changes_nothing_but_can_be_asked_for(self):
        before, after = plan(declared(WIDE)), plan(optional([0]))
        assert [(task.key, task.cell.seed, str(task.cell)) for task in before] == [
            (task.key, task.cell.seed, str(task.cell)) for task in after
        ]
        assert {task.cell["ahead"] for task in after} == {0}
        assert "ahead" not in dict(after[0].cell)

    def test_values_of_an_optional_parameter_are_compared_on_like_terms(self):
        seeds: dict[tuple[object, ...], set[int]] = {}
        for task in plan(optional([0, 4])):
            seeds.setdefault((*task.cell.key[1:3], task.cell.repetition), set()).add(task.cell.seed)
        assert all(len(seeds_of_both) == 1 for seeds_of_both in seeds.values())
        assert {task.cell["ahead"] for task in plan(optional([4]))} == {4}

    def test_an_experiment_without_parameters_has_one_cell(self):
        assert [(task.key, dict(task.cell)) for task in plan(declared({}))] == [((1,), {}), ((2,), {})]

    def test_each_measurement_knows_the_first_cell_of_its_series(self):
        firsts = {task.cell["kind"]: dict(task.first) for task in plan(declared())}
        assert firsts == {"a": {"kind": "a", "size": 1}, "b": {"kind": "b", "size": 1}}

    def test_or_of_its_warmth(self):
        tasks = plan(declared(), warmth=lambda prepared, cell: cell["size"] > 1)
        assert {(task.cell["size"], task.first.key) for task in tasks} == {(1, ("a", 1)), (2, ("a", 2)), (3, ("a", 2))}


class TestPossible:
    def test_cells_that_cannot_be_measured_are_left_out_and_listed(self, told):
        reasons = {("a", 1): "it is too small", ("b", 3): "it is too large", ("a", 3): "it is too large"}
        tasks = plan(declared(), possible=lambda prepared, cell: reasons.get(cell.key))
        assert set(keys(tasks)) == set(itertools.product(*GRID.values())) - set(reasons)
        assert [task.order for task in tasks] == list(range(6))
        assert {task.cell["kind"]: task.first.key for task in tasks} == {"a": ("a", 2), "b": ("b", 1)}
        assert told.notes == [
            "cells left out, since it is too small: kind=a, size=1",
            "cells left out, since it is too large: kind=a, size=3; kind=b, size=3",
        ]
        assert told.facts["cells_dropped"] == 3

    def test_of_many_the_first_are_listed(self, told):
        plan(declared({"size": list(range(30))}), possible=lambda prepared, cell: "no" if cell["size"] else None)
        assert told.notes[0].endswith("size=9; size=10; and 19 more")
        assert told.facts["cells_dropped"] == 29

    def test_up_to_ten_are_all_listed(self, told):
        plan(declared({"size": list(range(11))}), possible=lambda prepared, cell: "no" if cell["size"] else None)
        assert told.notes[0].endswith("size=9; size=10")

    def test_none_left_has_failed(self):
        with pytest.raises(ConfigError, match=r"^grid: no cell of the grid can be measured: no memory; choose other"):
            plan(declared(), possible=lambda prepared, cell: "no memory")

    def test_without_any_nothing_is_said(self, told):
        plan(declared())
        assert (told.notes, told.facts) == ([], {})


def test_a_cell_is_a_mapping_that_travels():
    cell = pickle.loads(pickle.dumps(Cell({"size": 2, "kind": "a"}, 3, 4)))
    assert (cell["size"], {**cell}, cell.repetition, cell.seed) == (2, {"size": 2, "kind": "a"}, 3, 4)
    assert cell == {"kind": "a", "size": 2}
