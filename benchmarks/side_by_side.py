"""Whole commands side by side, alternating A B A B: wall time, and CPU and peak memory of all their processes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# Where this is set, each start compiles all of our modules again, and the one file of the other side: nobody who has
# installed us pays for that.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@dataclass(frozen=True)
class Cost:
    """What one command cost: seconds of wall time, CPU seconds of all its processes, their peak memory together in MB.

    Memory is the proportional set size (PSS), which counts what processes share once; sampled every 50 ms, CPU too.
    """

    wall: float
    cpu: float
    memory: float


class _Watch:
    """Samples a process and all its descendants from /proc, until it is stopped."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._stop = threading.Event()
        self._ticks: dict[int, int] = {}
        self.memory = 0.0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes that were seen, up to when each was last seen."""
        return sum(self._ticks.values()) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self.memory = max(self.memory, sum(map(_megabytes, self._look())))

    def _look(self) -> set[int]:
        parents, ticks = {}, {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                parents[int(entry.name)] = int(fields[1])
                ticks[int(entry.name)] = int(fields[11]) + int(fields[12])
        family, pending = set(), [self._root]
        while pending:
            pid = pending.pop()
            family.add(pid)
            pending += [child for child, parent in parents.items() if parent == pid]
        self._ticks.update({pid: ticks[pid] for pid in family if pid in ticks})
        return family


def _megabytes(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    except (OSError, StopIteration):
        return 0.0


def measure(command: Sequence[str], environment: dict[str, str] | None = None) -> Cost:
    """Run a command to its end and say what it cost."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **(environment or {})}
    )
    watch = _Watch(process.pid)
    _, errors = process.communicate()
    wall = time.perf_counter() - start
    watch.stop()
    if process.returncode:
        raise SystemExit(f"{command} failed:\n{errors.decode()[-2000:]}")
    return Cost(wall, watch.cpu, watch.memory)


def wall(command: Sequence[str]) -> float:
    """Run a command to its end; seconds of wall time, with nothing sampled beside it."""
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stderr.decode()[-2000:]}")
    return seconds


def compare(ours: Callable[[], Cost], theirs: Callable[[], Cost], pairs: int) -> dict[str, object]:
    """Measure both in turn, `pairs` times; the medians of each and of the ratios pair by pair."""
    costs = [(ours(), theirs()) for _ in range(pairs)]
    result: dict[str, object] = {"pairs": pairs}
    print(f"{'':>8} {'ours':>10} {'theirs':>10} {'ratio':>7}  (medians of {pairs} pairs)")
    for name in asdict(costs[0][0]):
        a = [getattr(one, name) for one, _ in costs]
        b = [getattr(other, name) for _, other in costs]
        ratio = statistics.median(x / y for x, y in zip(a, b, strict=True))
        result[name] = {"ours": statistics.median(a), "theirs": statistics.median(b), "ratio": ratio, "all": [a, b]}
        print(f"{name:>8} {statistics.median(a):>10.2f} {statistics.median(b):>10.2f} {ratio:>7.3f}")
    print(json.dumps(result))
    return result
