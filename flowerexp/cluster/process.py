"""Follow and stop a job's process on this machine, with all that it has started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from flowerexp.cluster import submitted

_STOP_SECONDS = 5.0


def _stat(pid: int | str) -> list[str]:
    """The fields of a process in proc(5) from field 3, its state, on; nothing if there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[0] in "ZX" else fields


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), field 22); None if there is none, or a zombie."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def session(leader: int) -> list[int]:
    """The processes of a session (proc(5), field 6): Python workers leave their parent's group, but not this."""
    pids = [path.name for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [int(pid) for pid in pids if _stat(pid)[3:4] == [str(leader)]]


def leader_with(variable: str, value: str) -> int | None:
    """The process that leads a session and has a variable of this value in its environment; None if there is none."""
    wanted = f"{variable}={value}".encode()
    for path in Path("/proc").iterdir():
        if path.name.isdecimal() and _stat(path.name)[3:4] == [path.name]:
            with contextlib.suppress(OSError):  # it is another user's, or has just ended
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    return int(path.name)
    return None


class LocalSubmission:
    """A running `spark-submit`; what its driver prints is followed in its log, as on a cluster.

    Args:
        pid: the process, which leads a process group of its own.
        log: the driver's log.
        process: the process, if it is a child of this one; None if a launcher that has ended started it.
    """

    def __init__(self, pid: int, log: Path, process: subprocess.Popen[bytes] | None = None) -> None:
        self._pid = pid
        self._process = process
        self._start_time = start_time(pid)
        self._folder = log.parent
        self._log: IO[bytes] = log.open("rb")
        self._rest = b""

    @property
    def handle(self) -> dict[str, Any]:
        """See `Submission.handle`."""
        return {"pid": self._pid, "start_time": self._start_time}

    def _code(self) -> int | None:
        if self._process is not None:
            return self._process.poll()
        # The exit code of another process's child is not known; its results' files say whether they are whole.
        return None if start_time(self._pid) == self._start_time is not None else 0

    def poll(self) -> tuple[Sequence[str], int | None]:
        """See `Submission.poll`."""
        code = self._code()  # before reading, so that the last lines are read after the end
        text = self._rest + self._log.read()
        whole, newline, self._rest = text.rpartition(b"\n")
        if code is not None and self._rest:
            whole, newline, self._rest = whole + newline + self._rest, b"", b""
        return whole.decode(errors="replace").splitlines() if whole else [], code

    def stop(self) -> None:
        """See `Submission.stop`: first politely, then by force, every process of its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGTERM)
        # Executors are in the group, as children of the driver. Python workers are not, and end when their JVM does.
        if not self._gone():
            self._gone(by_force=True)

    def collect(self) -> None:
        """See `Submission.collect`: usually they are there already."""
        submitted.collect(self._folder)

    def _gone(self, by_force: bool = False) -> bool:
        deadline = time.monotonic() + _STOP_SECONDS
        while processes := session(self._pid):
            for pid in processes if by_force else []:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
            self._code()  # reaps a child, which would stay as a zombie
        return True
