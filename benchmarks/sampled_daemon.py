"""PySpark's daemon, whose workers say what their CPU time goes to: `spark.python.daemon.module=sampled_daemon`.

The kernel interrupts a worker after every few milliseconds of CPU time, of all its threads together (SIGPROF); the
handler looks at the main thread's stack and books the CPU time since the last interruption under the part of the work
that it finds there. What another thread does is so booked under what the main thread is waiting for.

Each worker appends to a file of its own in the folder `FLOWEREXP_SAMPLES`, a line a sample: CPU seconds and the part.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from types import FrameType

from pyspark import daemon

SECONDS = 0.002  # the kernel rounds it up to its clock's ticks, 1 to 10 ms
START, IMPORTS = "start of the worker", "imports"
DECODE, RESIZE, ENCODE = "decode", "resize", "encode"

# The innermost function of ours tells the part of the work: by file and function, else by file.
_PARTS = {
    "images/decoded.py": {
        "inspect": DECODE,
        "_decode_jpeg": DECODE,
        "_decode_with_pillow": DECODE,
        "": "geometry and checks",
    },
    "images/examine.py": {"": "geometry and checks"},
    "images/transform.py": {
        "resize_and_crop": RESIZE,
        "_bilinear": RESIZE,
        "_taps": RESIZE,
        "encode": ENCODE,
        "": "geometry and checks",
    },
    "images/examples.py": {"": "example and CRC"},
    "images/tfrecords.py": {"write_file": "write", "": "example and CRC"},
    "images/writer.py": {"": "the loop over photographs"},
    "images/photographs.py": {"": "the list of photographs"},
    "flowerexp/storage/__init__.py": {"": "open and read"},
}


def part(frame: FrameType | None) -> str:
    """The part of the work that a stack belongs to."""
    found = ""
    for file, name in _stack(frame):
        if file.startswith("<frozen importlib"):
            return IMPORTS
        if not found:
            for end, names in _PARTS.items():
                if file.endswith(end):
                    found = names.get(name, names[""])
    return found or "PySpark"


def _stack(frame: FrameType | None) -> Iterator[tuple[str, str]]:
    while frame:
        yield frame.f_code.co_filename, frame.f_code.co_name
        frame = frame.f_back


def sample() -> None:
    """Begin to sample this process, and what it has used so far."""
    file = os.open(f"{os.environ['FLOWEREXP_SAMPLES']}/{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    booked, started = 0.0, False

    def book(_: int, frame: FrameType | None) -> None:
        nonlocal booked, started
        now, found = time.process_time(), part(frame)
        started = started or found not in ("PySpark", IMPORTS)
        os.write(file, f"{now - booked:.6f} {found if started or found == IMPORTS else START}\n".encode())
        booked = now

    signal.signal(signal.SIGPROF, book)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS)


if __name__ == "__main__":
    os.register_at_fork(after_in_child=sample)
    daemon.manager()
