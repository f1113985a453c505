"""The cells of a grid, and the order in which they are measured."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp.errors import ConfigError
from flowerexp.workload import report
from flowerexp.workload.engine.declared import Declared, Workload

_LISTED = 10


@dataclass(frozen=True, eq=False)
class Cell(Mapping[str, Any]):
    """One combination of the parameters, as it is measured once: `cell["words"]`.

    Attributes:
        parameters: the value of each.
        repetition: counted from 1.
        seed: for what a measurement chooses by chance; the same in all series.
    """

    parameters: Mapping[str, Any]
    repetition: int = 1
    seed: int = 0

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.parameters.items())

    @property
    def key(self) -> tuple[Any, ...]:
        """What is the same in all repetitions."""
        return tuple(self.parameters.values())


@dataclass(frozen=True)
class Task:
    """One measurement to make.

    Attributes:
        cell: what is measured.
        order: its place in the seeded order of all measurements, counted from 0.
        first: the first cell of the grid for which a process is warm that is warm for this one.
    """

    cell: Cell
    order: int
    first: Cell

    @property
    def key(self) -> tuple[Any, ...]:
        """What no other measurement of the run has."""
        return self.cell.repetition, *self.cell.key


def planned(experiment: Declared, workload: Workload, prepared: Any) -> list[Task]:
    """Every measurement of a run: each repetition has all cells once, in a seeded random order.

    Raises:
        ConfigError: no cell is left.
    """
    cells = _possible(experiment, workload, prepared)
    firsts: dict[Hashable, Cell] = {}
    for cell in cells:
        firsts.setdefault(warmth_of(experiment, workload, prepared, cell), cell)
    chance = random.Random(experiment.seed)
    tasks: list[Task] = []
    for repetition in range(1, experiment.repetitions + 1):
        chance.shuffle(cells)
        for cell in cells:
            numbers = (cell[name] for name in experiment.numeric)
            seed = _seed(experiment.seed, *numbers, repetition)
            first = firsts[warmth_of(experiment, workload, prepared, cell)]
            tasks.append(Task(Cell(cell.parameters, repetition, seed), len(tasks), first))
    return tasks


def warmth_of(experiment: Declared, workload: Workload, prepared: Any, cell: Cell) -> Hashable:
    """What is the same of all cells for which a process is warm that is warm for one of them."""
    if workload.warmth:
        warmth: Hashable = workload.warmth(prepared, cell)
        return warmth
    return experiment.run_key, *(cell[name] for name in experiment.categorical)


def _seed(*parts: float) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


def _possible(experiment: Declared, workload: Workload, prepared: Any) -> list[Cell]:
    """The cells that can be measured; those that are left out are reported, with the reason."""
    names = list(experiment.grid)
    cells = [Cell(dict(zip(names, values, strict=True))) for values in itertools.product(*experiment.grid.values())]
    kept: list[Cell] = []
    left_out: dict[str, list[Cell]] = {}
    for cell in cells:
        reason = workload.possible(prepared, cell) if workload.possible else None
        left_out.setdefault(reason, []).append(cell) if reason else kept.append(cell)
    if not kept:
        raise ConfigError(
            f"no cell of the grid can be measured: {'; '.join(left_out)}", where="grid", hint="choose other values"
        )
    for reason, some in left_out.items():
        report.note(f"cells left out, since {reason}: {listed(some)}")
    if left_out:
        report.fact("cells_dropped", len(cells) - len(kept))
    return kept


def listed(cells: Sequence[Mapping[str, Any]]) -> str:
    """The first cells of some, in words."""
    more = f"; and {len(cells) - _LISTED} more" if len(cells) > _LISTED else ""
    return "; ".join(map(str, cells[:_LISTED])) + more
