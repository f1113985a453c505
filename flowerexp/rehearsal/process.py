"""Child processes that say on which ports they listen, and that end with the test that started them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]


def announce(**ports: int) -> None:
    """Tell the parent the ports, as one line of JSON."""
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()


def end_with_parent(at_end: Callable[[], None] = lambda: None) -> None:
    """End this process when its standard input ends, which it does when the parent closes it or is no more."""

    def wait() -> None:
        sys.stdin.buffer.read()
        at_end()
        os._exit(0)

    threading.Thread(target=wait, daemon=True, name="end with parent").start()


class Child:
    """A server in a process of its own.

    Args:
        module: what `python -m` runs.
        arguments: its arguments.
        environment: variables beside those of this process.
        log: where its standard error goes.
    """

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C in a terminal is for the test, not for Google
            )
        self._log = log
        self._ports: dict[str, int] | None = None

    @property
    def ports(self) -> dict[str, int]:
        """The ports it listens on, by name; waits until it does.

        Raises:
            RuntimeError: it ended before.
        """
        if self._ports is None:
            line = _pipe(self.process.stdout).readline()
            if not line:
                raise RuntimeError(f"the server did not start:\n{self._log.read_text(errors='replace')}")
            self._ports = json.loads(line)
        return self._ports

    def stop(self) -> None:
        """Let it end, with all that it started."""
        _pipe(self.process.stdin).close()
        self._reap()

    def kill(self) -> None:
        """End it by SIGKILL: it has no chance to tidy up."""
        self.process.kill()
        _pipe(self.process.stdin).close()
        self._reap()

    def _reap(self) -> None:
        self.process.wait()
        _pipe(self.process.stdout).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
