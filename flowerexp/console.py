"""What a user sees: progress while a job runs, as a bar on a terminal and as lines elsewhere, and its results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Protocol

from flowerexp.analysis import words
from flowerexp.escape import printable
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from flowerexp.analysis import Analysis
    from flowerexp.analysis.summary import Cell, Group
    from flowerexp.experiment import Experiment
    from flowerexp.plan import PlannedRun

Listener = Callable[[dict[str, Any]], None]

_PHASES = {
    "": "starting Spark",
    "prepare": "preparing",
    "cache": "caching",
    "warm_up": "warming up",
    "measure": "measuring",
    "measure.rows": "measuring",
    "analyse": "analysing",
}
"""The names on screen of phases that any experiment may have; an experiment names its own."""


def phase_name(phase: str, phases: Mapping[str, str]) -> str:
    """The name of a phase on screen.

    Args:
        phase: its name, such as `measure`, or `measure.by_rows` for averages that an action computes.
        phases: the names of the experiment's own phases.
    """
    average = phase.partition(".by_")[2].replace("_x_", " x ")
    return phases.get(phase) or _PHASES.get(phase) or (f"averages per {average}" if average else phase)


class Screen:
    """The user's screen; progress and messages go to standard error, results to standard output.

    Args:
        stream: where progress goes.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr

    def say(self, text: str) -> None:
        """Print a line of progress; a closed terminal is not an error."""
        with suppress(OSError):
            print(printable(text), file=self._stream, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning, in one line."""
        self.say(f"flowerexp: {text}")

    @contextmanager
    def following(self, runs: int, phases: Mapping[str, str] | None = None) -> Iterator[Listener]:
        """Show the progress of some runs; yields the listener for its messages.

        Args:
            runs: how many there are.
            phases: the names of their experiments' own phases.
        """
        if self._stream.isatty():
            with self._bar(runs, phases or {}) as listener:
                yield listener
        else:
            yield self._lines(runs, phases or {})

    @contextmanager
    def _bar(self, runs: int, phases: Mapping[str, str]) -> Iterator[Listener]:
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
                    name = phase_name(message["phase"], phases)
                    progress.update(phase, description=name, completed=message["done"])
                    # `update` takes no total for one that stays as it is
                    next(task for task in progress.tasks if task.id == phase).total = message["total"] or None

            yield listen

    def _lines(self, runs: int, phases: Mapping[str, str]) -> Listener:
        shown: set[str] = set()
        count = _Count(runs)

        def listen(message: dict[str, Any]) -> None:
            if "note" in message:
                self.say(message["note"])
            elif "result" in message and runs > 1:
                self.say(count.line(message["result"]))
            elif message.get("phase") and runs == 1:
                phase = phase_name(message["phase"], phases)
                if phase not in shown:
                    shown.add(phase)
                    self.say(f"{phase} ...")

        return listen


class Ended(Protocol):
    """What the screen shows of a run that has ended."""

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
    """Counts the runs of a sweep as they end, and describes each in a line."""

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
        unit = result.run.config.entrypoint.rate_unit
        rates = [f"{group.name} {figure(group.rate)} {unit}" for group in groups if group.rate]
        return f"{head}  {', '.join(rates)}"


def figure(value: float | None) -> str:
    """A number with three digits, or all digits before the point; `-` for None."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(groups: Sequence[Group], experiment: Experiment) -> str:
    """The results of a run as a compact table, in the experiment's words: a line for each cell and each series."""
    has_cells = any(group.cells for group in groups)
    lines = _cell_lines(groups, experiment) if has_cells else _group_lines(groups, experiment)
    return text_table(lines, right=range(1, len(lines[0])))


def _group_lines(groups: Sequence[Group], experiment: Experiment) -> list[list[str]]:
    """A line for each series, and one for each column that was measured."""
    lines = [[words.head(experiment), experiment.unit, "seconds", experiment.rate_unit]]
    for group in groups:
        seconds = f"{group.seconds:,.2f}" if group.seconds else "-"
        lines.append([group.name, f"{group.count:,}", seconds, figure(group.rate)])
        lines += [[name, "", "", f"{column.median:.6g}"] for name, column in group.columns.items()]
    return lines


def _cell_lines(groups: Sequence[Group], experiment: Experiment) -> list[list[str]]:
    """A line for each cell, and one for each series."""
    labels = [words.parameter(experiment, name) for name in experiment.numeric]
    of_parts = ["steady", f"first {experiment.parts.name}"] if experiment.parts else []
    stopped = ["stopped"] if any(group.censored for group in groups) else []
    lines = [[words.head(experiment), *labels, experiment.rate_unit, "min to max", *of_parts, *stopped]]
    for group in groups:
        for cell in group.cells:
            at = [_plain(cell.at.get(name)) for name in experiment.numeric]
            between = "-" if cell.rate is None else f"{figure(cell.min_rate)} to {figure(cell.max_rate)}"
            censored = [f"{cell.censored} of {cell.repetitions}" for _ in stopped]
            lines.append([cell.group, *at, *_numbers(cell, between, experiment), *censored])
        total = _numbers(group, f"{group.measurements} measured", experiment)
        censored = [f"{group.censored} of {group.measurements}" for _ in stopped]
        lines.append([f"{group.name}, all", *[""] * len(labels), *total, *censored])
    return lines


def _numbers(part: Cell | Group, between: str, experiment: Experiment) -> list[str]:
    rates = [figure(part.rate), between]
    return [*rates, figure(part.steady_rate), _milliseconds(part.first_seconds)] if experiment.parts else rates


def _plain(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.1f} ms"
