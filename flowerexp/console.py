"""What a user sees while a job runs and when it has ended: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Protocol

from flowerexp.escape import printable

if TYPE_CHECKING:
    from flowerexp.analysis import Analysis
    from flowerexp.analysis.summary import Cell, Group
    from flowerexp.plan import PlannedRun

Listener = Callable[[dict[str, Any]], None]

_PHASES = {
    "": "starting Spark",
    "generate": "generating photographs",
    "list": "listing photographs",
    "check": "checking photographs",
    "prepare": "writing TFRecord files",
    "warm_up": "warming up",
    "measure": "measuring",
    "measure.rows": "measuring",
    "measure.by_batch_size": "averages per batch_size",
    "measure.by_batch_number": "averages per batch_number",
    "measure.by_repetition": "averages per repetition",
    "measure.by_product": "averages per product",
}


class Screen:
    """The user's screen; progress and messages go to standard error, results to standard output.

    Args:
        stream: where progress goes.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr

    def say(self, text: str) -> None:
        """Print a line of progress; a terminal that was closed does not end what is shown on it."""
        with suppress(OSError):
            print(printable(text), file=self._stream, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning, in one line."""
        self.say(f"flowerexp: {text}")

    @contextmanager
    def following(self, runs: int) -> Iterator[Listener]:
        """Show the progress of a job of so many runs; yields the listener for its messages."""
        if self._stream.isatty():
            with self._bar(runs) as listener:
                yield listener
        else:
            yield self._lines(runs)

    @contextmanager
    def _bar(self, runs: int) -> Iterator[Listener]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = Console(file=self._stream, highlight=False, soft_wrap=True)
        columns: tuple[ProgressColumn, ...] = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
        )
        with Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True
        ) as progress:
            all_runs = progress.add_task("runs", total=runs, visible=runs > 1)
            phase = progress.add_task(_PHASES[""], total=None)
            count = _Count(runs)

            def listen(message: dict[str, Any]) -> None:
                if "note" in message:
                    console.print(printable(message["note"]), markup=False)
                elif "result" in message:
                    if runs > 1:
                        console.print(printable(count.line(message["result"])), markup=False)
                    progress.update(all_runs, advance=1, description=count.description)
                elif "phase" in message:
                    name = _PHASES.get(message["phase"], message["phase"])
                    progress.update(phase, description=name, completed=message["done"])
                    # `update` takes no total for one that stays as it is
                    next(task for task in progress.tasks if task.id == phase).total = message["total"] or None

            yield listen

    def _lines(self, runs: int) -> Listener:
        shown: set[str] = set()
        count = _Count(runs)

        def listen(message: dict[str, Any]) -> None:
            if "note" in message:
                self.say(message["note"])
            elif "result" in message and runs > 1:
                self.say(count.line(message["result"]))
            elif message.get("phase") and runs == 1:
                phase = _PHASES.get(message["phase"], message["phase"])
                if phase not in shown:
                    shown.add(phase)
                    self.say(f"{phase} ...")

        return listen


class Ended(Protocol):
    """What the screen shows of a run that has come home."""

    @property
    def run(self) -> PlannedRun:
        """The run."""
        ...

    @property
    def analysis(self) -> Analysis | None:
        """What was measured, if anything was."""
        ...

    @property
    def error(self) -> Exception | None:
        """Why it failed."""
        ...


class _Count:
    """Counts the runs of a sweep as they come home, and describes each in a line."""

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.done = 0
        self.failed = 0

    @property
    def description(self) -> str:
        """For the bar of runs."""
        return f"runs ({self.failed} failed)" if self.failed else "runs"

    def line(self, result: Ended) -> str:
        """One run's line: its number, state, what distinguishes it, and its rates or its error."""
        self.done += 1
        self.failed += result.error is not None
        head = f"[{self.done}/{self.runs}] {'failed  ' if result.error else 'finished'}  {result.run.label}"
        if result.error:
            return f"{head}: {result.error}"
        groups = result.analysis.summary.groups if result.analysis else ()
        rates = [f"{group.name} {group.rate:,.0f}/s" for group in groups if group.rate]
        return f"{head}  {', '.join(rates)}"


def table(groups: Sequence[Group]) -> str:
    """The results of a run as one compact table: a line a cell and a total for each reader; rates in images/s."""
    cells = [cell for group in groups for cell in group.cells]
    names = [name.replace("_", " ") for name in cells[0].at] if cells else []
    head = ["", *names, "images/s", "min to max", "steady", "first batch"] if cells else []
    lines: list[list[str]] = [head] if cells else [["", "images", "seconds", "images/s"]]
    for group in groups:
        if cells:
            lines += [_cell_line(cell) for cell in group.cells] + [_total_line(group, len(names))]
        else:
            lines.append([group.name, f"{group.count:,}", _number(group.seconds or None, 2), _number(group.rate)])
            lines += [[name, "", "", f"{column.median:.6g}"] for name, column in group.columns.items()]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(widths[i]) if i == 0 else text.rjust(widths[i]) for i, text in enumerate(line)).rstrip()
        for line in lines
    )


def _cell_line(cell: Cell) -> list[str]:
    low_high = f"{_number(cell.min_rate)} to {_number(cell.max_rate)}"
    return [
        cell.group,
        *map(_number, cell.at.values()),
        _number(cell.rate),
        low_high,
        _number(cell.steady_rate),
        _milliseconds(cell.first_seconds),
    ]


def _total_line(group: Group, parameters: int) -> list[str]:
    return [
        f"{group.name}, all",
        *[""] * parameters,
        _number(group.rate),
        f"{group.measurements} measured",
        _number(group.steady_rate),
        _milliseconds(group.first_seconds),
    ]


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.1f} ms"
