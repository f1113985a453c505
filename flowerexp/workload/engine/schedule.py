"""Which measurements a run makes, one group after the other: those that are planned, then more of what is not known.

With `measure.until`, a run goes on in rounds after its planned repetitions. A round is one more repetition of cells
whose interval reaches too far; the wider half of them is in every round, and none is left out twice in a row. So the
widest get the most, and one that is too noisy to become narrow does not keep the others from it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flowerexp.workload import report
from flowerexp.workload.engine.cells import Cell, Task, again, listed, planned
from flowerexp.workload.engine.declared import Row, Subject
from flowerexp.workload.engine.gathered import Gathered
from flowerexp.workload.engine.until import reach_of


@dataclass
class _Measured:
    """What is known of a cell.

    Attributes:
        task: one of its measurements.
        rows: its measurements so far, those of earlier attempts included.
        reach: how far its interval reaches to each side.
    """

    task: Task
    rows: list[Row] = field(default_factory=list)
    reach: float = float("inf")

    @property
    def seconds(self) -> float:
        """Of one of its measurements."""
        return statistics.fmean(row["seconds"] for row in self.rows)

    @property
    def last(self) -> int:
        """The last repetition in which it was measured."""
        return max(int(row["repetition"]) for row in self.rows)


class Schedule:
    """The measurements of a run.

    Args:
        subject: what is measured.
        gathered: the rows so far, which decide about the rest.

    Attributes:
        tasks: all measurements so far: those that are planned, and those of the rounds that were given out.
    """

    def __init__(self, subject: Subject, gathered: Gathered) -> None:
        self._experiment = subject.experiment
        self._gathered = gathered
        self.tasks = planned(subject)
        self._cells = {task.cell.key: _Measured(task) for task in sorted(self.tasks, key=lambda task: str(task.key))}
        self._seen = self._taken_out = 0

    def groups(self) -> Iterator[list[Task]]:
        """The measurements that are missing, in groups: one is made before it is known what the next one holds."""
        for group in self._planned_groups():
            if missing := self._gathered.missing(group):
                yield missing
        while self._experiment.until and (more := self._round()):
            self.tasks += more
            yield more

    def _planned_groups(self) -> Sequence[Sequence[Task]]:
        """All planned measurements or, if there is a time limit that a cell can exceed, one repetition each."""
        if self._experiment.max_seconds is None:
            return [self.tasks]
        repetitions: dict[int, list[Task]] = {}
        for task in self.tasks:
            repetitions.setdefault(task.cell.repetition, []).append(task)
        return [*repetitions.values()]

    def _round(self) -> list[Task]:
        """The next round; empty if all cells are narrow, or no measurement fits into what is left of the budget."""
        open_ = self._open()
        if not open_:
            return []
        repetition = max(int(row["repetition"]) for row in self._firsts())
        middle = statistics.median(cell.reach for cell in open_)
        chosen = self._affordable([cell for cell in open_ if cell.reach >= middle or cell.last < repetition])
        order = 1 + max(row["order"] for row in self._firsts())
        return again(self._experiment, [cell.task for cell in chosen], repetition + 1, order)

    def _open(self) -> list[_Measured]:
        """The cells that are not narrow yet, the widest first; those that exceeded the time limit are left alone."""
        self._take()
        goal = self._experiment.until or 0.0
        running = self._gathered.uncensored(cell.task for cell in self._cells.values())
        found = (self._cells[task.cell.key] for task in running)
        return sorted((cell for cell in found if cell.rows and cell.reach > goal), key=lambda cell: -cell.reach)

    def _take(self) -> None:
        """Take the rows that are new."""
        rows = self._gathered.rows
        if self._taken_out != self._gathered.taken_out:  # some of those that were taken may be gone
            self._seen, self._taken_out = 0, self._gathered.taken_out
            for cell in self._cells.values():
                cell.rows, cell.reach = [], float("inf")
        changed: dict[tuple[object, ...], _Measured] = {}
        for row in rows[self._seen :]:
            key = tuple(row[name] for name in self._experiment.grid)
            if row["execution"] == 1 and not row.get("censored") and key in self._cells:
                changed[key] = self._cells[key]
                changed[key].rows.append(row)
        self._seen = len(rows)
        for cell in changed.values():
            found = reach_of(cell.rows, self._experiment.value)
            cell.reach = float("inf") if found is None else found

    def _affordable(self, cells: Sequence[_Measured]) -> list[_Measured]:
        """Those of some cells, in their order, that can probably be measured once in what is left of the budget."""
        rows = [*self._firsts()]
        spent, timed = self._gathered.spent(), sum(row["seconds"] for row in rows)
        at_once = min(1.0, spent / timed)  # several hosts measure at the same time
        beside = max(0.0, spent - timed) / len(rows)  # of each measurement: everything around its clock
        left, chosen = self._experiment.until_seconds - spent, []
        for cell in cells:
            takes = at_once * cell.seconds + beside
            if takes <= left:
                chosen.append(cell)
                left -= takes
        return chosen

    @property
    def measurements(self) -> int:
        """How many measurements there are, by all attempts, with those of cells that were stopped."""
        planned_ones, rows = self._experiment.repetitions, self._gathered.rows
        in_rounds = len([row for row in rows if row["execution"] == 1 and row["repetition"] > planned_ones])
        return in_rounds + sum(task.cell.repetition <= planned_ones for task in self.tasks)

    def _firsts(self) -> Iterator[Row]:
        return (row for cell in self._cells.values() for row in cell.rows)

    def report(self) -> None:
        """Report why there are no more rounds, and which cells are still wide."""
        experiment, goal = self._experiment, self._experiment.until
        if not goal:
            return
        wide = self._open()
        last = max((int(row["repetition"]) for row in self._firsts()), default=0)
        report.fact("until_stopped", "the budget is spent" if wide else "no wide cell is left")
        report.fact("until_rounds", max(0, last - experiment.repetitions))
        report.fact("cells_wide", len(wide))
        if wide:
            cells = [Cell(cell.task.cell.parameters) for cell in wide]
            report.note(
                f"{len(wide)} of {len(self._cells)} cells are not known to {goal * 100:g} % after "
                f"measure.until_seconds ({experiment.until_seconds:g} s); the widest interval reaches "
                f"{wide[0].reach:.1%} to each side: {listed(cells)}"
            )
