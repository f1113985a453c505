"""The cells of a grid: which ones can be measured, and in which order."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowerexp.errors import ConfigError
from flowerexp.workload import report
from flowerexp.workload.engine.declared import Declared, Subject

_LISTED = 10


@dataclass(frozen=True, eq=False)
class Cell(Mapping[str, Any]):
    """One combination of the parameters for one measurement: `cell["words"]`.

    Attributes:
        parameters: the value of each parameter that is in play; iterating gives these.
        repetition: counted from 1.
        seed: for the random choices of a measurement; the same in all series.
        idle: the value of each parameter that has its default alone in the run.
    """

    parameters: Mapping[str, Any]
    repetition: int = 1
    seed: int = 0
    idle: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name] if name in self.parameters else self.idle[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.parameters.items())

    @property
    def key(self) -> tuple[Any, ...]:
        """The values of the parameters, the same in all repetitions."""
        return tuple(self.parameters.values())


@dataclass(frozen=True)
class Task:
    """One measurement to make.

    Attributes:
        cell: the cell.
        order: the place in the seeded order of all measurements, counted from 0.
        first: the first cell of the grid with the same warmth (`warmth_of`).
    """

    cell: Cell
    order: int
    first: Cell

    @property
    def key(self) -> tuple[Any, ...]:
        """The repetition and the values of the parameters, unique in the run."""
        return self.cell.repetition, *self.cell.key


def planned(subject: Subject) -> list[Task]:
    """Every measurement of a run: each repetition has all cells once, in a seeded random order.

    Raises:
        ConfigError: no cell can be measured.
    """
    experiment, cells = subject.experiment, _possible(subject)
    firsts: dict[Hashable, Cell] = {}
    for cell in cells:
        firsts.setdefault(warmth_of(subject, cell), cell)
    chance = random.Random(experiment.seed)
    tasks: list[Task] = []
    for repetition in range(1, experiment.repetitions + 1):
        chance.shuffle(cells)
        for cell in cells:
            first = firsts[warmth_of(subject, cell)]
            tasks.append(Task(_repeated(experiment, cell, repetition), len(tasks), first))
    return tasks


def again(experiment: Declared, tasks: Sequence[Task], repetition: int, order: int) -> list[Task]:
    """One more repetition of some cells, in a seeded random order.

    Args:
        experiment: the run's experiment.
        tasks: a measurement of each of these cells.
        repetition: the number of the repetition.
        order: the place of its first measurement among all of the run.
    """
    chosen = sorted(tasks, key=lambda task: str(task.cell.key))
    random.Random(f"{experiment.seed} {repetition}").shuffle(chosen)
    return [
        Task(_repeated(experiment, task.cell, repetition), place, task.first)
        for place, task in enumerate(chosen, start=order)
    ]


def _repeated(experiment: Declared, cell: Cell, repetition: int) -> Cell:
    numbers = (cell[name] for name in experiment.numeric if name not in experiment.optional)
    return Cell(cell.parameters, repetition, _seed(experiment.seed, *numbers, repetition), cell.idle)


def warmth_of(subject: Subject, cell: Cell) -> Hashable:
    """A cell's warmth: a process that is warm for one cell is warm for all cells of the same warmth."""
    if subject.workload.warmth:
        warmth: Hashable = subject.workload.warmth(subject.prepared, cell)
        return warmth
    return subject.experiment.run_key, *(cell[name] for name in subject.experiment.categorical)


def _seed(*parts: float) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


def _possible(subject: Subject) -> list[Cell]:
    """The cells that can be measured; those that are left out are reported with the reason."""
    grid, possible = subject.experiment.grid, subject.workload.possible
    cells = [
        Cell(dict(zip(grid, values, strict=True)), idle=subject.experiment.idle)
        for values in itertools.product(*grid.values())
    ]
    kept: list[Cell] = []
    left_out: dict[str, list[Cell]] = {}
    for cell in cells:
        reason = possible(subject.prepared, cell) if possible else None
        left_out.setdefault(reason, []).append(cell) if reason else kept.append(cell)
    if not kept:
        raise ConfigError(
            f"no cell of the grid can be measured: {'; '.join(left_out)}", where="grid", hint="choose other values"
        )
    for reason, omitted in left_out.items():
        report.note(f"cells left out, since {reason}: {listed(omitted)}")
    if left_out:
        report.fact("cells_dropped", len(cells) - len(kept))
    return kept


def listed(cells: Sequence[Mapping[str, Any]]) -> str:
    """The first few of some cells, in words."""
    more = f"; and {len(cells) - _LISTED} more" if len(cells) > _LISTED else ""
    return "; ".join(map(str, cells[:_LISTED])) + more
