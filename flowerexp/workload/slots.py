"""Limit how many measurements run on a host at the same time, with slots that processes lock.

Measurements at the same time on one machine disturb each other. So each first takes one of the host's k slots: a lock
(`flock`) on a file, which the kernel releases when its holder dies. Waiting is not part of the measurement.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flowerexp.storage import private
from flowerexp.workload import report

Notify = Callable[[str], None]

_POLL_SECONDS = 0.005
_PATIENT_POLL_SECONDS = 0.02  # longer than it takes from one measurement to the next
_NOTIFY_SECONDS = 20.0  # most measurements take less


def folder() -> Path:
    """The folder of this user's slots on this host.

    Raises:
        MachineError: another user has created it, or can write to it.
    """
    return private.folder(Path(tempfile.gettempdir()).absolute() / f"flowerexp-slots-{os.getuid()}")


def _open(stack: ExitStack, concurrency: int, where: Path) -> list[int]:
    files = []
    for number in range(concurrency):
        files.append(private.lock_file(where / f"slot-{number}.lock"))
        stack.callback(os.close, files[-1])
    return files


@contextmanager
def slot(concurrency: int, where: Path | None = None, notify: Notify = report.remark) -> Iterator[float]:
    """Hold one of `concurrency` slots of this host.

    Args:
        concurrency: how many measurements may run on this host at the same time.
        where: the folder of the slots; by default this user's.
        notify: called with a line that names the holders, if this waits for a while.

    Yields:
        The seconds of waiting for the slot.
    """
    where = where or folder()
    start = time.perf_counter()
    with ExitStack() as stack:
        files = _open(stack, concurrency, where)
        if not any(map(_try, files)):
            with _notifying(files, notify):
                if concurrency == 1:
                    fcntl.flock(files[0], fcntl.LOCK_EX)
                else:
                    while not any(map(_try, files)):
                        time.sleep(_POLL_SECONDS)
        yield time.perf_counter() - start


def _try(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def all_slots(
    concurrency: int, where: Path | None = None, patience: float = 0.0, notify: Notify = report.remark
) -> Iterator[None]:
    """Hold all slots of this host, so that nothing is measured meanwhile.

    Args:
        concurrency: the number of slots.
        where: the folder of the slots; by default this user's.
        patience: for how many seconds to wait for a moment when nothing is measured, while measurements may go first;
            after that, this queues for the slots like a measurement.
        notify: called with a line that names the holders, if this waits for a while.
    """
    where = where or folder()
    with ExitStack() as stack:
        files = _open(stack, concurrency, where)
        end = time.monotonic() + patience
        while not (free := all(map(_try, files))) and time.monotonic() < end:
            for file in files:
                fcntl.flock(file, fcntl.LOCK_UN)
            time.sleep(_PATIENT_POLL_SECONDS)
        if not free:
            with _notifying(files, notify):
                for file in files:
                    fcntl.flock(file, fcntl.LOCK_EX)  # no effect on a slot that this holds already
        yield


@contextmanager
def _notifying(files: Sequence[int], notify: Notify) -> Iterator[None]:
    """Name the holders of the slots if the body waits for a while."""

    def name_holders() -> None:
        holders = _holders(files)
        who = f"process {', '.join(holders)}" if holders else "another process"
        notify(f"waiting for {who}, which measures on this machine or holds its measuring slot")

    timer = threading.Timer(_NOTIFY_SECONDS, name_holders)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _holders(files: Sequence[int]) -> list[str]:
    """The processes that hold locks on these files, each with its program's name, as far as the kernel says."""
    inodes = {str(os.fstat(file).st_ino) for file in files}
    holders = []
    try:
        lines = Path("/proc/locks").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:  # "1: FLOCK  ADVISORY  WRITE 4242 08:01:131 0 EOF"; one that waits has "->" after the number
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] in inodes and fields[4] != str(os.getpid()):
            holders.append(f"{fields[4]}{_program(fields[4])}")
    return holders


def _program(pid: str) -> str:
    try:
        return f" ({Path(f'/proc/{pid}/comm').read_text(encoding='utf-8', errors='replace').strip()})"
    except OSError:
        return ""
