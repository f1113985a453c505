"""Locked slots that keep measurements on one host apart from each other.

Two measurements at once on one machine disturb each other. So each takes one of k slots of its host first: a lock
(`flock`) on a file, which the kernel frees when its holder dies. Waiting is not part of the measurement.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.005
_PATIENT_POLL_SECONDS = 0.02  # longer than it takes from one measurement to the next


def folder() -> Path:
    """The folder of this host's slots; each user of the host has one."""
    path = Path(tempfile.gettempdir()) / f"flowerexp-slots-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _open(number: int, where: Path) -> IO[bytes]:
    return (where / f"slot-{number}.lock").open("wb")


@contextmanager
def slot(concurrency: int, where: Path | None = None) -> Iterator[float]:
    """Hold one of `concurrency` slots of this host.

    Args:
        concurrency: how many measurements may run on this host at once.
        where: the folder of the slots; by default this user's.

    Yields:
        The seconds that were waited for it.
    """
    where = where or folder()
    start = time.perf_counter()
    with ExitStack() as stack:
        files = [stack.enter_context(_open(number, where)) for number in range(concurrency)]
        if concurrency == 1:
            fcntl.flock(files[0], fcntl.LOCK_EX)
        else:
            while not any(_try(file) for file in files):
                time.sleep(_POLL_SECONDS)
        yield time.perf_counter() - start


def _try(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def all_slots(concurrency: int, where: Path | None = None, patience: float = 0.0) -> Iterator[None]:
    """Hold every slot of this host, so that nothing is measured meanwhile.

    Args:
        concurrency: how many there are.
        where: the folder of the slots; by default this user's.
        patience: for so many seconds wait for a moment when nothing is measured, and let every measurement that comes
            go first; then queue for the slots as measurements do.
    """
    where = where or folder()
    with ExitStack() as stack:
        files = [stack.enter_context(_open(number, where)) for number in range(concurrency)]
        end = time.monotonic() + patience
        while not all(map(_try, files)) and time.monotonic() < end:
            for file in files:
                fcntl.flock(file, fcntl.LOCK_UN)
            time.sleep(_PATIENT_POLL_SECONDS)
        for file in files:
            fcntl.flock(file, fcntl.LOCK_EX)  # nothing happens where it is held already
        yield
