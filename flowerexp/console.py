"""What a user sees while a job runs and when it has ended: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowerexp.analysis.summary import Cell, Group

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
        """Print a line of progress."""
        print(text, file=self._stream, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning, in one line."""
        self.say(f"flowerexp: {text}")

    @contextmanager
    def following(self, runs: int) -> Iterator[Listener]:
        """Show the progress of a job of so many runs; yields the listener for its messages."""
        if self._stream.isatty():
            with self._bar() as listener:
                yield listener
        else:
            yield self._lines()

    @contextmanager
    def _bar(self) -> Iterator[Listener]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        console = Console(file=self._stream, highlight=False, soft_wrap=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
            bar = progress.add_task(_PHASES[""], total=None)

            def listen(message: dict[str, Any]) -> None:
                if "note" in message:
                    console.print(message["note"], markup=False)
                elif "phase" in message:
                    phase = _PHASES.get(message["phase"], message["phase"])
                    progress.update(bar, description=phase, completed=message["done"], total=message["total"] or None)

            yield listen

    def _lines(self) -> Listener:
        shown: set[str] = set()

        def listen(message: dict[str, Any]) -> None:
            if "note" in message:
                self.say(message["note"])
                return
            phase = _PHASES.get(message.get("phase", ""), message.get("phase", ""))
            if message.get("phase") and phase not in shown:
                shown.add(phase)
                self.say(f"{phase} ...")

        return listen


def table(groups: Sequence[Group]) -> str:
    """The results of a run as one compact table: a line a cell and a total for each reader; rates in images/s."""
    cells = any(group.cells for group in groups)
    head = ["", "batch size", "batches", "images/s", "min to max", "steady", "first batch"] if cells else []
    lines: list[list[str]] = [head] if cells else [["", "images", "seconds", "images/s"]]
    for group in groups:
        if cells:
            lines += [_cell_line(cell) for cell in group.cells] + [_total_line(group)]
        else:
            lines.append(
                [group.name, f"{group.images:,}", _number(group.seconds or None, 2), _number(group.images_per_second)]
            )
            lines += [[name, "", "", f"{column.median:.6g}"] for name, column in group.columns.items()]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(widths[i]) if i == 0 else text.rjust(widths[i]) for i, text in enumerate(line)).rstrip()
        for line in lines
    )


def _cell_line(cell: Cell) -> list[str]:
    low_high = f"{_number(cell.min_images_per_second)} to {_number(cell.max_images_per_second)}"
    return [
        cell.group,
        _number(cell.batch_size),
        _number(cell.batch_number),
        _number(cell.images_per_second),
        low_high,
        _number(cell.steady_images_per_second),
        _milliseconds(cell.first_batch_seconds),
    ]


def _total_line(group: Group) -> list[str]:
    return [
        f"{group.name}, all",
        "",
        "",
        _number(group.images_per_second),
        f"{group.measurements} measured",
        _number(group.steady_images_per_second),
        _milliseconds(group.first_batch_seconds),
    ]


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.1f} ms"
