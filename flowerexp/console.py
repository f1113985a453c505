"""What a user sees: progress while a job runs, as a bar on a terminal and as lines elsewhere, and its results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Protocol

from flowerexp.analysis import words
from flowerexp.escape import printable
from flowerexp.plan import duration
from flowerexp.text_table import text_table, width_of

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

    @property
    def is_terminal(self) -> bool:
        """Does somebody look at it who can type?"""
        return self._stream.isatty()

    @property
    def width(self) -> int:
        """How many columns it has; 0 for as many as it takes."""
        return width_of(self._stream)

    @contextmanager
    def following(
        self, runs: int, phases: Mapping[str, str] | None = None, seconds: float | None = None
    ) -> Iterator[Listener]:
        """Show the progress of some runs; yields the listener for its messages.

        Args:
            runs: how many there are.
            phases: the names of their experiments' own phases.
            seconds: how long all of them will take, by earlier runs; None where that is not known.
        """
        if runs > 1 and seconds is not None:
            self.say(f"time      about {duration(seconds)}, by earlier runs")
        if self.is_terminal:
            with self._bar(runs, phases or {}, seconds) as listener:
                yield listener
        else:
            yield self._lines(runs, phases or {})

    @contextmanager
    def _bar(self, runs: int, phases: Mapping[str, str], seconds: float | None) -> Iterator[Listener]:
        from rich.console import Console

        from flowerexp.progress import Bars  # with rich, which takes longer than many commands

        console = Console(file=self._stream, highlight=False, soft_wrap=True)
        with Bars(console, runs, seconds) as bars:
            bars.phase(_PHASES[""], 0, None)
            count = _Count(runs)

            def listen(message: dict[str, Any]) -> None:
                if "note" in message:
                    console.print(printable(message["note"]), markup=False)
                elif "result" in message:
                    if runs > 1:
                        console.print(printable(count.line(message["result"])), markup=False)
                    bars.ended(count.description)
                elif "phase" in message:
                    bars.phase(phase_name(message["phase"], phases), message["done"], message["total"] or None)

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

    @property
    def started(self) -> bool:
        """Did it begin?"""
        ...


class _Count:
    """Counts the runs of a sweep as they end, and describes each in a line."""

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.done = 0
        self.failed = 0
        self._unstarted: set[str] = set()  # why runs were not started; each reason is said once

    @property
    def description(self) -> str:
        """For the bar of runs."""
        return f"runs ({self.failed} failed)" if self.failed else "runs"

    def line(self, result: Ended) -> str:
        """One run's line: its number, state, what distinguishes it, and its values or its error."""
        self.done += 1
        self.failed += result.error is not None
        state = "not started" if not result.started else "failed  " if result.error else "finished"
        head = f"[{self.done}/{self.runs}] {state}  {result.run.label}"
        if result.error and not result.started:
            why = str(result.error)
            said, self._unstarted = why in self._unstarted, {*self._unstarted, why}
            return head if said else f"{head}: {why}"
        if result.error:
            return f"{head}: {result.error}"
        groups = result.analysis.summary.groups if result.analysis else ()
        unit = result.run.config.entrypoint.value_unit
        values = [f"{group.name} {figure(group.value)} {unit}" for group in groups if group.value is not None]
        return f"{head}  {', '.join(values)}"


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
    steady = [f"steady {experiment.rate_unit}"] if experiment.parts else []
    of_parts = [f"first {experiment.parts.name}"] if experiment.parts else []
    stopped = ["stopped"] if any(group.censored for group in groups) else []
    lines = [[words.head(experiment), *labels, *steady, experiment.rate_unit, "min to max", *of_parts, *stopped]]
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
    return [figure(part.steady_rate), *rates, _milliseconds(part.first_seconds)] if experiment.parts else rates


def _plain(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.1f} ms"
