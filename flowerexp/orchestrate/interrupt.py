"""Ctrl-C, noticed where it can be served.

Python raises KeyboardInterrupt wherever it happens to be; in a destructor or a weak reference's callback, of which
database libraries have many, it is swallowed. So the first signal is only remembered, and the loop asks for it.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """While it is entered, the first SIGINT, SIGTERM or SIGHUP is remembered; a second one acts as it always does.

    A terminal that is closed sends SIGHUP more than once, by its kernel and its shell: once it came, further ones are
    ignored to the end of the process, which has clusters to delete. One that is ignored from the start, as under nohup,
    stays so.
    """

    def __init__(self) -> None:
        self._came = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._remember) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def raise_if_came(self) -> None:
        """Raise what the signal stands for, here.

        Raises:
            KeyboardInterrupt: a signal came.
        """
        if self._came:
            raise KeyboardInterrupt

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._came = True
        if number == signal.SIGHUP:  # first, since the next one may be here already, and would end the process
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            self._before.pop(signal.SIGHUP)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
