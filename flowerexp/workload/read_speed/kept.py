"""Batches whose iterator stays after the last of them, so that freeing it is not a part of reading.

An iterator of tf.data has a thread that tunes it, which sleeps for 10 ms, then for 20, and so on. Freeing the iterator
waits for the end of that sleep: for up to as long as it was read (measured with TensorFlow 2.21; the first sleep is
`kOptimizationPeriodMinMs` of tensorflow/core/framework/model.h). A `for` loop frees its iterator as soon as the last
batch has come, and then all of that would count as reading.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any


class Kept:
    """Batches that are read once; their iterator is freed together with this object, or by `let_go`.

    Args:
        batches: what opens the iterator.
    """

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches
        self._iterators: list[Iterator[Any]] = []

    def __iter__(self) -> Iterator[Any]:
        self._iterators = [iter(self._batches)]
        return self._iterators[0]

    def let_go(self) -> None:
        """Free the iterator in a thread, without waiting for that."""
        threading.Thread(target=self._iterators.clear, daemon=True, name="free an iterator").start()
