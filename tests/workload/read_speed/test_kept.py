"""Batches whose iterator stays until it is let go."""

import gc
import threading

from flowerexp.workload.read_speed.kept import Kept


class Slow:
    """An iterator over one batch, which is freed only when it is allowed to."""

    def __init__(self):
        self.allowed, self.freed, self.batches = threading.Event(), threading.Event(), ["a batch"]

    def __iter__(self):
        return Iterator(self)


class Iterator:
    def __init__(self, of):
        self.of, self.left = of, list(of.batches)

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        return self.left.pop()

    def __del__(self):
        assert self.of.allowed.wait(30)
        self.of.freed.set()


def test_reading_does_not_free_it_and_letting_go_does_not_wait_for_that():
    slow = Slow()
    kept = Kept(slow)
    assert list(kept) == ["a batch"]
    kept.let_go()
    assert not slow.freed.is_set()
    slow.allowed.set()
    assert slow.freed.wait(30)


def test_it_is_freed_with_the_batches():
    slow = Slow()
    slow.allowed.set()
    kept = Kept(slow)
    for _ in kept:
        pass
    assert not slow.freed.is_set()
    del kept
    gc.collect()
    assert slow.freed.is_set()


def test_nothing_is_opened_before_it_is_read():
    Kept([]).let_go()
