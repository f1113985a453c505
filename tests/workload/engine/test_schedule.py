"""Which measurements a run makes: those that are planned, then rounds until all cells are narrow."""

import itertools
import json
import math
import random
from collections import Counter

import pytest

from flowerexp.workload.engine.cells import Cell
from flowerexp.workload.engine.declared import Subject
from flowerexp.workload.engine.gathered import Gathered
from flowerexp.workload.engine.schedule import Schedule
from flowerexp.workload.engine.until import FEWEST, reach_of
from tests.workload.engine.tiny import Lines, declared, workload

NOISE = {1: 0.005, 2: 0.12, 3: 0.25}
"""How far the measurements of a cell vary, by its size."""
GRID = {"size": [*NOISE]}


class Simulated:
    """A run whose measurements take as long as a seeded chance says, on a clock of its own."""

    def __init__(self, grid=GRID, noise=NOISE, earlier=(), beside=0.0, hosts=1, **changes):
        changes = {"until": 0.05, "until_seconds": 1e6, **changes}
        self.experiment = declared(grid, **changes)
        self.gathered = Gathered(self.experiment, earlier, Lines())
        self.schedule = Schedule(Subject(self.experiment, workload(lambda *_: 1), None), self.gathered)
        self.gathered.forget(self.schedule.tasks)
        self.noise, self.beside, self.hosts, self.now = noise, beside, hosts, 1000.0
        self.groups: list[list[Cell]] = []
        self.orders: list[int] = []

    def go(self, most=10**6, **more):
        """Measure, at most so often; `more` are further columns of the rows."""
        for group in self.schedule.groups():
            self.groups.append([task.cell for task in group])
            for task in group:
                if not most:
                    return self
                most -= 1
                self.orders.append(task.order)
                self.gathered.add(self.measured(task) | {name: of(task.cell) for name, of in more.items()})
        return self

    def measured(self, task):
        chance = random.Random(f"{task.cell.key} {task.cell.repetition}")
        seconds = task.cell["size"] * math.exp(chance.gauss(0, self.noise[task.cell["size"]]))
        start, self.now = self.now, self.now + seconds / self.hosts + self.beside
        return {
            **task.cell, "repetition": task.cell.repetition, "execution": 1, "order": task.order, "things": 9,
            "seconds": seconds, "started_at": start, "started_ns": int(start * 1e9), "ended_ns": int(self.now * 1e9),
            "host": "a", "censored": False,
        }  # fmt: skip

    def rows_of(self, size):
        return [row for row in self.gathered.rows if row["size"] == size and not row["censored"]]

    def reach(self, size):
        return reach_of(self.rows_of(size), self.experiment.value)

    @property
    def repetitions(self):
        return Counter(row["size"] for row in self.gathered.rows)


class TestRounds:
    def test_each_cell_is_measured_until_it_is_narrow_and_no_more(self, told):
        run = Simulated().go()
        assert run.repetitions[1] == FEWEST < run.repetitions[2] < run.repetitions[3]
        for size in NOISE:
            assert run.reach(size) <= 0.05
            before = run.rows_of(size)[:-1]
            assert len(before) < FEWEST or (reach_of(before, run.experiment.value) or 0.0) > 0.05
        run.schedule.report()
        assert told.facts == {
            "until_stopped": "no wide cell is left",
            "until_rounds": len(run.groups) - 1,
            "cells_wide": 0,
        }
        assert told.notes == []
        assert run.schedule.measurements == len(run.gathered.rows)

    def test_without_a_goal_there_are_the_planned_repetitions_alone(self, told):
        run = Simulated(until=None, repetitions=2).go()
        assert run.repetitions == dict.fromkeys(NOISE, 2)
        run.schedule.report()
        assert told.facts == {}
        assert run.schedule.measurements == 6

    @pytest.mark.parametrize(("asked", "made"), [(1, FEWEST), (9, 9)])
    def test_the_first_repetitions_are_those_that_are_asked_for_but_enough_to_know_a_cell(self, asked, made):
        assert Simulated(noise=dict.fromkeys(NOISE, 0.001), repetitions=asked).go().repetitions == dict.fromkeys(
            NOISE, made
        )

    def test_a_round_is_one_repetition_and_rows_know_it(self):
        run = Simulated().go()
        for number, cells in enumerate(run.groups[1:], start=FEWEST + 1):
            assert {cell.repetition for cell in cells} == {number}
            assert len({cell.key for cell in cells}) == len(cells)
        assert run.orders == list(range(len(run.orders)))
        assert len({(cell.key, cell.seed) for group in run.groups for cell in group}) == len(run.orders)

    def test_the_widest_is_in_every_round_and_no_wide_cell_is_left_out_twice_in_a_row(self):
        noise = {1: 0.08, 2: 0.1, 3: 0.12, 4: 0.3}
        run = Simulated({"size": [*noise]}, noise).go()
        assert all(any(cell["size"] == 4 for cell in group) for group in run.groups)
        for size in noise:
            taken = [number for number, group in enumerate(run.groups) if any(cell["size"] == size for cell in group)]
            assert max(later - sooner for sooner, later in itertools.pairwise(taken)) <= 2
        assert run.repetitions[1] < FEWEST + len(run.groups) - 1

    def test_a_round_is_the_wider_half_of_what_is_not_narrow(self):
        noise = {1: 0.2, 2: 0.3, 3: 0.5, 4: 0.7}
        first = Simulated({"size": [*noise]}, noise).go(most=4 * FEWEST + 1)
        reaches = {size: reach_of(first.rows_of(size)[:FEWEST], first.experiment.value) or 0.0 for size in noise}
        assert min(reaches.values()) > 0.05
        widest = sorted(reaches, key=lambda size: -reaches[size])[:2]
        assert sorted(cell["size"] for cell in first.groups[1]) == sorted(widest)
        second = Simulated({"size": [*noise]}, noise).go(most=4 * FEWEST + 3)
        assert {cell["size"] for cell in second.groups[2]} >= noise.keys() - {*widest}

    def test_the_order_within_a_round_is_by_chance_and_the_same_again(self):
        noise = dict.fromkeys(range(1, 9), 0.3)
        runs = [Simulated({"size": [*noise]}, noise, seed=seed).go(most=150) for seed in (1, 1, 2)]
        orders = [[[cell["size"] for cell in group] for group in run.groups[1:]] for run in runs]
        assert orders[0] == orders[1] != orders[2]
        assert any(sizes != sorted(sizes) for sizes in orders[0])

    def test_it_goes_by_the_value_of_the_experiment(self):
        run = Simulated(value={"name": "loss"}).go(loss=lambda cell: cell["size"] + 0.01 * cell.repetition)
        assert run.repetitions == dict.fromkeys(NOISE, FEWEST)


class TestBudget:
    def test_it_ends_the_rounds_and_the_cells_that_stay_wide_are_named(self, told):
        run = Simulated(until=0.01, until_seconds=60.0, beside=0.25).go()
        assert 50 < run.gathered.spent() <= 60 * 1.05
        run.schedule.report()
        assert told.facts["until_stopped"] == "the budget is spent"
        assert told.facts["cells_wide"] == 2
        (note,) = told.notes
        assert note.startswith("2 of 3 cells are not known to 1 % after measure.until_seconds (60 s); the widest")
        assert note.endswith("to each side: size=3; size=2")

    def test_the_planned_repetitions_are_made_in_any_case(self):
        assert Simulated(until_seconds=0.5).go().repetitions == dict.fromkeys(NOISE, FEWEST)

    @pytest.mark.parametrize("beside", [0.0, 20.0])
    def test_no_more_is_begun_than_fits_also_where_most_of_it_is_around_the_clock(self, beside):
        noise = dict.fromkeys(range(1, 9), 0.4)
        run = Simulated({"size": [*noise]}, noise, until_seconds=FEWEST * 8 * (4.5 + beside) * 1.1, beside=beside).go()
        assert len(run.groups) > 1
        each = run.gathered.spent() / len(run.gathered.rows)
        assert run.gathered.spent() < run.experiment.until_seconds + each

    def test_hosts_that_measure_at_the_same_time_fit_more_into_it(self):
        noise = dict.fromkeys(range(1, 9), 0.4)
        planned = Simulated({"size": [*noise]}, noise, hosts=100).go(most=8 * FEWEST).gathered.spent()
        run = Simulated({"size": [*noise]}, noise, hosts=100, until_seconds=planned + 3.0).go()
        assert len(run.groups[1]) == 4  # of 2 to 8 s each

    def test_of_the_last_round_the_widest_are_made_that_fit(self):
        noise = {2: 0.1, 3: 0.3}
        run = Simulated({"size": [2, 3]}, noise, until_seconds=FEWEST * 5 * 1.2 + 3).go()
        assert run.repetitions[3] > run.repetitions[2]


class TestEarlier:
    @pytest.mark.parametrize("most", [4, 18, 30, 41])
    def test_a_run_that_was_killed_goes_on_where_it_was(self, tmp_path, most):
        whole, before = Simulated().go(), Simulated().go(most=most)
        lines = [json.dumps(row) + "\n" for row in before.gathered.rows]
        (tmp_path / "00001.jsonl").write_text("".join(lines))
        again = Simulated(earlier=[str(tmp_path)]).go()
        assert again.gathered.earlier == most
        assert len({(row["size"], row["repetition"]) for row in again.gathered.rows}) == len(again.gathered.rows)
        assert len({row["order"] for row in again.gathered.rows}) == len(again.gathered.rows)
        assert again.repetitions[1] == FEWEST
        assert all(again.reach(size) <= 0.05 for size in NOISE)
        assert again.repetitions.total() <= whole.repetitions.total() * 2

    def test_later_executions_of_earlier_attempts_say_nothing_about_a_cell(self, tmp_path):
        rows = Simulated().go(most=3 * FEWEST).gathered.rows
        rows += [row | {"execution": 2, "seconds": row["repetition"] ** 3.0} for row in rows if row["size"] == 1]
        (tmp_path / "00001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        again = Simulated(earlier=[str(tmp_path)]).go()
        assert {row["repetition"] for row in again.rows_of(1)} == {*range(1, FEWEST + 1)}

    def test_rows_of_rounds_of_cells_that_are_not_in_the_grid_are_left_out(self, tmp_path, told):
        rows = Simulated().go(most=40).gathered.rows
        strangers = [row | {"size": 99} for row in rows if row["repetition"] > FEWEST]
        (tmp_path / "00001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, *strangers]))
        assert Simulated(earlier=[str(tmp_path)]).gathered.earlier == 40
        assert told.notes == [
            f"{len(strangers)} rows of earlier attempts are left out: their cells are not measured now"
        ]

    def test_what_was_spent_before_counts_and_the_pause_does_not(self, tmp_path):
        before = Simulated(until=0.01).go(most=40)
        (tmp_path / "00001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in before.gathered.rows))
        again = Simulated(until=0.01, earlier=[str(tmp_path)])
        again.now = 10**9
        assert again.gathered.spent() == pytest.approx(before.gathered.spent())
        again.go(most=1)
        assert again.gathered.spent() == pytest.approx(before.gathered.spent() + again.gathered.rows[-1]["seconds"])

    def test_rows_of_rounds_belong_to_the_run_only_with_a_goal(self, tmp_path, told):
        before = Simulated().go(most=40)
        (tmp_path / "00001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in before.gathered.rows))
        without = Simulated(until=None, repetitions=FEWEST, earlier=[str(tmp_path)])
        assert without.gathered.earlier == 3 * FEWEST
        assert "22 rows of earlier attempts are left out" in told.notes[0]


def test_a_cell_that_was_stopped_is_left_as_it_is(told):
    run = Simulated(max_seconds=10.0)
    for group in run.schedule.groups():
        for task in group:
            slow = task.cell["size"] == 3 and task.cell.repetition == 2
            if run.gathered.missing([task]):
                run.gathered.add(run.measured(task) | ({"censored": True, "things": None} if slow else {}))
    assert run.repetitions[3] == 2
    assert run.reach(2) <= 0.05
    run.schedule.report()
    assert told.facts["cells_wide"] == 0
