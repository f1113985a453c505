"""Feed an accelerator: take a batch, wait as long as a step of training takes, and ask for the next one.

Meanwhile the reader works ahead in a thread, until a number of batches are ready. No accelerator is needed: as in
MLPerf Storage and DLIO, the step is a sleep. It uses no CPU, so that the reader has the CPU as it would in training.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AHEAD = 2
"""How many batches may be ready before they are asked for, unless the cell says so."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Timeline:
    """When an accelerator is busy and when it waits, in seconds of any clock.

    A step begins when its batch is ready and the step before has ended; that moment is planned. So a thread that wakes
    up late, as all do, neither lengthens a step nor counts as waiting.

    Attributes:
        first: when the first batch was ready; None before that.
        last: when the step of the newest batch begins.
        free: when that step ends.
        busy: the steps between `first` and `last`: those of all batches but the newest.
        waited: how long the accelerator waited between them.
    """

    first: float | None = None
    last: float = 0.0
    free: float = 0.0
    busy: float = 0.0
    waited: float = 0.0

    def take(self, ready: float, step: float) -> None:
        """A batch is taken as soon as it can be.

        Args:
            ready: when the reader had it.
            step: how long the accelerator will compute with it.
        """
        if self.first is None:
            self.first, self.last = ready, ready
        else:
            self.busy += self.free - self.last
            self.waited += max(0.0, ready - self.free)
            self.last = max(ready, self.free)
        self.free = self.last + step

    @property
    def window(self) -> float:
        """The time from the first batch to the newest one."""
        return 0.0 if self.first is None else self.last - self.first


@dataclass
class Fed:
    """What came of feeding: counts, and seconds.

    Attributes:
        images: how many were read.
        batches: in how many batches.
        first_batch_seconds: the time until the first batch was there, from the start.
        first_batch_images: its images.
        timeline: of the accelerator.
        cpu_seconds: of this process and the processes that it has started, after the first batch.
    """

    images: int = 0
    batches: int = 0
    first_batch_seconds: float = 0.0
    first_batch_images: int = 0
    timeline: Timeline = field(default_factory=Timeline)
    cpu_seconds: float = 0.0

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of a row. Without a second batch, nothing is known of the accelerator."""
        line = self.timeline
        known = line.window > 0
        return {
            "images": self.images,
            "batches": self.batches,
            "first_batch_seconds": self.first_batch_seconds,
            "first_batch_images": self.first_batch_images,
            "accelerator_utilisation": line.busy / line.window if known else None,
            "accelerator_busy_seconds": line.busy if known else None,
            "accelerator_window_seconds": line.window if known else None,
            "waiting_seconds_per_batch": line.waited / (self.batches - 1) if known else None,
            "cpu_seconds": self.cpu_seconds,
        }


def feed(batches: Iterable[Any], number: int, seconds_an_image: float, ahead: int = AHEAD) -> Fed:
    """Read batches as fast as an accelerator takes them. Nothing waits for the step of the last batch.

    Args:
        batches: pairs of (images, labels), which a thread reads ahead.
        number: how many there are.
        seconds_an_image: how long the accelerator computes for each image of a batch.
        ahead: how many batches may be ready before they are asked for.

    Raises:
        Exception: reading failed.
    """
    fed, line = Fed(), Timeline()
    cpu, started = 0.0, time.perf_counter()
    with _read_ahead(batches, ahead) as coming:
        for count, ready in coming:
            if not fed.batches:
                fed.first_batch_seconds, fed.first_batch_images, cpu = ready - started, count, _cpu_seconds()
            fed.images += count
            fed.batches += 1
            line.take(ready, count * seconds_an_image)
            rest = line.free - time.perf_counter()
            if rest > 0 and fed.batches < number:
                time.sleep(rest)
    fed.timeline, fed.cpu_seconds = line, _cpu_seconds() - cpu
    return fed


@contextmanager
def _read_ahead(batches: Iterable[Any], ahead: int) -> Iterator[Iterator[tuple[int, float]]]:
    """Read batches in a thread, which ends when this is left.

    Yields:
        Of each batch how many images it has, and when it was there; a batch is kept until the next one is asked for.
    """
    ready: queue.Queue[tuple[Any, float] | BaseException | None] = queue.Queue(ahead)
    left = threading.Event()

    def read() -> None:
        end: BaseException | None = None
        try:
            for images, _ in batches:
                ready.put((images, time.perf_counter()))
                if left.is_set():
                    return
        except BaseException as error:  # it is raised where the batch is asked for
            end = error
        ready.put(end)

    def coming() -> Iterator[tuple[int, float]]:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield int(item[0].shape[0]), item[1]

    thread = threading.Thread(target=read, daemon=True, name="read ahead")
    thread.start()
    try:
        yield coming()
    finally:
        left.set()
        while thread.is_alive():  # it may wait for a place in the queue
            with suppress(queue.Empty):
                ready.get_nowait()
            thread.join(0.01)


def _cpu_seconds() -> float:
    """The CPU seconds of this process and of its children so far, of those that have ended as well."""
    times = os.times()
    total = times.user + times.system + times.children_user + times.children_system
    for children in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread or a child has just ended
            for pid in children.read_text().split():
                stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
                total += sum(map(int, stat.rpartition(")")[2].split()[11:15])) / _TICKS
    return total
