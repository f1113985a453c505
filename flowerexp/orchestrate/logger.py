"""Log runs to MLflow in a thread of its own, so that a slow server does not hold up measuring."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from flowerexp.console import Screen
from flowerexp.errors import FlowerexpError, TrackingError
from flowerexp.orchestrate.collect import Result, log
from flowerexp.orchestrate.events import Event, Logged
from flowerexp.orchestrate.interrupt import Interrupt

MOST = 1000
"""Runs that may wait to be logged; beyond that, collecting results waits, too."""

_PATIENCE = 0.5  # seconds between two looks at what else happens, such as Ctrl-C
_DRAIN_SECONDS = 2.0  # before it is said that MLflow is waited for
_LAST_SECONDS = 1.0  # for the run that is being logged when all is stopped
_FIRST_SAID = 4  # runs that MLflow is behind when it is first said


class Logger(threading.Thread):
    """Logs runs whose results were collected, one after the other.

    Each ends in an event `Logged`; who handles that calls `note`.

    Args:
        events: where that is put.
        aside: given a result, what is held while it is logged: on a machine that measures, MLflow's database is work.
        screen: where it is said how far MLflow is behind.
        interrupt: ends every wait.
        most: see `MOST`.
    """

    def __init__(
        self,
        events: queue.Queue[Event],
        aside: Callable[[Result], AbstractContextManager[None]],
        screen: Screen,
        interrupt: Interrupt,
        most: int = MOST,
    ) -> None:
        super().__init__(daemon=True)  # Ctrl-C does not wait for a server that does not answer
        self._events = events
        self._aside = aside
        self._screen = screen
        self._interrupt = interrupt
        self._waiting: queue.Queue[Result] = queue.Queue(most)
        self._stopping = threading.Event()
        self._behind = 0
        self._said = _FIRST_SAID

    def add(self, result: Result) -> None:
        """Take a result; where MLflow is too far behind, wait until there is room.

        Raises:
            KeyboardInterrupt: Ctrl-C ended the wait.
        """
        self._behind += 1
        if not self.ident:
            self.start()
        while not self._stopping.is_set():
            try:
                self._waiting.put(result, timeout=_PATIENCE)
                break
            except queue.Full:
                self._interrupt.raise_if_came()
        if self._behind >= self._said:
            self._said = 2 * self._behind
            self._screen.say(f"MLflow is {self._behind} runs behind; measuring goes on meanwhile")

    def note(self) -> None:
        """An event `Logged` was handled."""
        self._behind -= 1

    def drain(self, handle: Callable[[Event], None]) -> None:
        """Wait until MLflow has every run whose results were collected.

        Args:
            handle: called with each event that comes meanwhile.

        Raises:
            KeyboardInterrupt: Ctrl-C ended the wait.
        """
        silent = 0.0
        while self._behind:
            self._interrupt.raise_if_came()
            try:
                handle(self._events.get(timeout=_PATIENCE))
            except queue.Empty:
                silent += _PATIENCE
                if silent == _DRAIN_SECONDS:
                    how = " (Ctrl-C ends the wait)" if self._screen.is_terminal else ""
                    runs = "1 run" if self._behind == 1 else f"{self._behind} runs"
                    self._screen.say(f"everything is measured; MLflow is {runs} behind{how}")

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def leave(self, handle: Callable[[Event], None], command: str) -> None:
        """Wait for a moment for the run that is being logged, and say how many are left to `command`."""
        self.stop()
        if self.is_alive():
            self.join(_LAST_SECONDS)
        while not self._events.empty():
            handle(self._events.get())
        if self._behind:
            self._screen.say(f"{self._behind} runs have results that MLflow does not have yet: {command}")

    def run(self) -> None:
        """Log what comes, until `stop` is called or the process ends."""
        while not self._stopping.is_set():
            try:
                result = self._waiting.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
            if not self._stopping.is_set():
                self._events.put(Logged(self._logged(result)))

    def _logged(self, result: Result) -> Result:
        try:
            with self._aside(result):
                return replace(result, run_id=log(result.run))
        except FlowerexpError as error:
            return replace(result, error=result.error or error, unlogged=error)
        except Exception as error:  # a bug must not end the thread unseen: its runs would be waited for
            problem = TrackingError(f"logging to MLflow failed: {type(error).__name__}: {error}")
            return replace(result, error=result.error or problem, unlogged=problem)
