"""Probe how fast a host is now, with a few milliseconds of fixed work beside each measurement.

So a change of the machine can be told from a change of what is measured. The work has one thread and is the same in
every experiment and on every host, which needs Python's standard library only: a JPEG decoder would be nearer to
reading images, but not every cluster has one, and a probe that differs between hosts compares nothing. It is a mix of
what loading data does: inflating (like decoding: tables, branches and small copies), copying memory that no core's own
cache holds, and hashing (arithmetic in registers). None of it runs in Python's bytecode, whose speed differs between
versions of Python; that of zlib and of BLAKE2 may differ a little, so probes of different installations of Python are
not compared.
"""

from __future__ import annotations

import functools
import hashlib
import random
import time
import zlib

_INFLATED_BYTES = 128 * 1024
_COPIED_BYTES = 8 * 1024 * 1024
_HASHED_BYTES = 256 * 1024

COLUMNS = ("probe_seconds",)
"""The columns of a row that the probe fills."""


class _Work:
    """The work, with what it reads and writes in memory; doing it the first time takes longer."""

    def __init__(self) -> None:
        noise = random.Random(0).getrandbits(8 * _INFLATED_BYTES).to_bytes(_INFLATED_BYTES, "little")
        self._packed = zlib.compress(bytes(byte % 61 & byte >> 2 for byte in noise), 6)  # to 63 %: some values are rare
        self._source = noise * (_COPIED_BYTES // _INFLATED_BYTES)
        self._target = memoryview(bytearray(_COPIED_BYTES))
        self._hashed = self._source[:_HASHED_BYTES]
        self.do()

    def do(self) -> None:
        zlib.decompress(self._packed)
        self._target[:] = self._source
        hashlib.blake2b(self._hashed).digest()


_work = functools.cache(_Work)


def probe() -> float:
    """Do the work once.

    Returns:
        The seconds that it took.
    """
    work = _work()
    started_ns = time.perf_counter_ns()
    work.do()
    return (time.perf_counter_ns() - started_ns) / 1e9
