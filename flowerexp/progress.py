"""Progress bars on a terminal: one for the runs of a sweep, and one for what the run at hand does."""

from __future__ import annotations

import datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text


class Clock(ProgressColumn):
    """How long something has taken so far; unlike rich's own, it goes on when all steps that are known are done."""

    def render(self, task: Task) -> Text:
        """See `ProgressColumn.render`."""
        return Text(_clock(task.elapsed), style="progress.elapsed")


class Remaining(ProgressColumn):
    """How long it will take: by what was done so far, and before that by what was known at the start."""

    max_refresh = 0.5  # like rich's own: it is easier to read

    def render(self, task: Task) -> Text:
        """See `ProgressColumn.render`."""
        left, elapsed = task.time_remaining, task.elapsed
        expected: float | None = task.fields.get("seconds")
        if left is None and expected is not None and elapsed is not None:
            left = max(0.0, expected - elapsed)
        return Text(_clock(left), style="progress.remaining")


def _clock(seconds: float | None) -> str:
    return "-:--:--" if seconds is None else str(datetime.timedelta(seconds=int(seconds)))


class Bars:
    """The bars of some runs.

    Args:
        console: where they are shown.
        runs: how many runs there are; a single one has no bar for all of them.
        seconds: how long all of them will take; None where that is not known.
    """

    def __init__(self, console: Console, runs: int, seconds: float | None = None) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self.progress = Progress(*columns, Clock(), Remaining(), console=console, transient=True)
        self._runs = self.progress.add_task("runs", total=runs, visible=runs > 1, seconds=seconds)
        self._phase = self.progress.add_task("", total=None)
        self._single = runs == 1

    def __enter__(self) -> Bars:
        self.progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.progress.stop()

    def ended(self, description: str) -> None:
        """A run has ended."""
        self.progress.update(self._runs, advance=1, description=description)

    def phase(self, name: str, done: int, total: int | None) -> None:
        """Show how far a phase is; a new one starts its own clock, but in a single run, whose clock is that of all."""
        task = next(task for task in self.progress.tasks if task.id == self._phase)
        if name != task.description:
            began = task.start_time
            self.progress.reset(self._phase, description=name)
            task.start_time = began if self._single else task.start_time
        task.total = total  # `update` takes no total for one that stays as it is
        self.progress.update(self._phase, completed=done)
