"""Take snapshots of a host before and after a measurement, to see how busy it was, and how much by other processes.

Both snapshots of the kernel's counters are outside of what is timed, and take well under a millisecond. Without psutil
there are none, and rows lack these columns.
"""

from __future__ import annotations

import importlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

psutil: Any = None
with suppress(ImportError):  # an entrypoint's `requires` installs it; an existing cluster may lack it
    psutil = importlib.import_module("psutil")

# `user` includes guests, waiting for a disk is not work, and a core that the hypervisor has taken was not free.
_BUSY = ("user", "nice", "system", "irq", "softirq", "steal")


@dataclass(frozen=True)
class HostSnapshot:
    """The counters at one moment; None if the host does not have one.

    Attributes:
        at: `perf_counter`, in seconds.
        cores: the number of logical cores.
        busy: CPU seconds that were used on all cores since the host started.
        own: CPU seconds that this process, or its family, has used.
        network: bytes received and sent over all interfaces except loopback.
        disk: bytes read from and written to disks.
        load: the load average over the last minute.
        memory: bytes that are available without swapping.
    """

    at: float
    cores: int
    busy: float
    own: float
    network: int | None
    disk: int | None
    load: float
    memory: int


COLUMNS = (
    *("load_before", "host_cores", "memory_available_bytes", "cpu_percent", "others_cpu_percent"),
    *("net_bytes_s", "disk_bytes_s"),
)
"""The columns of a row that `between` fills."""


class Family:
    """The processes of a driver's Spark application on this host: Java, Python workers, executors.

    Spark's Java process is the driver's parent if spark-submit has started it, else its child. The executors of a
    standalone master are children of other processes, so they are found by the application's id on their command line.

    Args:
        context: the SparkContext.
    """

    def __init__(self, context: Any) -> None:
        self._roots: list[Any] = []
        if psutil is None:
            return
        driver = psutil.Process()
        parent = driver.parent()
        self._roots = [parent if parent and parent.name() == "java" else driver]
        if not context.master.startswith("local"):
            known = {process.pid for process in (driver, *self._roots[0].children(recursive=True))}
            for process in psutil.process_iter(["cmdline"]):
                if context.applicationId in (process.info["cmdline"] or ()) and process.pid not in known:
                    self._roots.append(process)

    def cpu_seconds(self) -> float:
        """The CPU seconds that they have used so far, including those of their children that have ended."""
        total = 0.0
        for root in self._roots:
            with suppress(psutil.NoSuchProcess):
                for process in (root, *root.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        # user and system time of the process, and of its children that have ended
                        total += sum(process.cpu_times()[:4])
        return total


def snapshot(family: Family | None = None) -> HostSnapshot | None:
    """Read the host's counters now; None without psutil.

    Args:
        family: the processes whose CPU time counts as `own`; None for this process only.
    """
    if psutil is None:
        return None
    times = psutil.cpu_times()
    interfaces = psutil.net_io_counters(pernic=True, nowrap=False)
    external = [counters for name, counters in interfaces.items() if name != "lo"]
    disks = psutil.disk_io_counters(nowrap=False)
    return HostSnapshot(
        at=time.perf_counter(),
        cores=psutil.cpu_count() or 1,
        busy=sum(getattr(times, name, 0.0) for name in _BUSY),
        own=family.cpu_seconds() if family else time.process_time(),
        network=sum(counters.bytes_sent + counters.bytes_recv for counters in external) if external else None,
        disk=disks.read_bytes + disks.write_bytes if disks else None,
        load=os.getloadavg()[0],
        memory=psutil.virtual_memory().available,
    )


def between(before: HostSnapshot | None, after: HostSnapshot | None) -> dict[str, float | int | None]:
    """The columns of a row that say what the host did between two snapshots.

    CPU counters advance in steps, of 10 ms on Linux: in a measurement as short as that, a share is rough, and that of
    other processes can even be below 0. Sums over many measurements are right, so nothing is cut off here.

    Returns:
        `load_before`, `host_cores`, `memory_available_bytes`, `cpu_percent` of the host (100 is all of its cores),
        `others_cpu_percent`, the part of it that is not `own`, and `net_bytes_s` and `disk_bytes_s`, which are None if
        the host does not count them. It is empty without two snapshots.
    """
    if before is None or after is None:
        return {}
    seconds = after.at - before.at
    capacity = seconds * before.cores
    busy, own = after.busy - before.busy, after.own - before.own
    return {
        "load_before": before.load,
        "host_cores": before.cores,
        "memory_available_bytes": before.memory,
        "cpu_percent": min(100.0, 100 * busy / capacity),
        "others_cpu_percent": 100 * (busy - own) / capacity,
        "net_bytes_s": _speed(before.network, after.network, seconds),
        "disk_bytes_s": _speed(before.disk, after.disk, seconds),
    }


def _speed(before: int | None, after: int | None, seconds: float) -> float | None:
    return None if before is None or after is None else max(0, after - before) / seconds
