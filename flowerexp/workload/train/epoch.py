"""One epoch of a worker: its steps, with the time that each waits for data, computes, and exchanges gradients."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from typing import Any

from flowerexp.errors import JobError
from flowerexp.workload.images.tensorflow import tensorflow
from flowerexp.workload.read_speed.kept import Kept
from flowerexp.workload.train.batches import Shuffled
from flowerexp.workload.train.network import Trainer

Beat = Callable[[], object]

_NUMBERS = ("input_seconds", "compute_seconds", "exchange_seconds")


@dataclass
class Times:
    """Where the seconds of a worker's epoch went.

    Attributes:
        input_seconds: waiting for the next batch.
        compute_seconds: computing gradients and changing the weights.
        exchange_seconds: adding up gradients over all workers, and waiting for the slowest of them.
    """

    input_seconds: float = 0.0
    compute_seconds: float = 0.0
    exchange_seconds: float = 0.0
    _last: float = field(default=0.0, repr=False)

    def start(self) -> None:
        """Begin; each of the other methods takes the time since the last call."""
        self._last = time.perf_counter()

    def add(self, name: str) -> None:
        """Add the time since the last call to one of the numbers."""
        now = time.perf_counter()
        setattr(self, name, getattr(self, name) + now - self._last)
        self._last = now


@dataclass(frozen=True)
class Learned:
    """What an epoch of all workers together came to; `times` are this worker's."""

    images: int
    steps: int
    loss: float
    accuracy: float
    times: Times


def train(trainer: Trainer, batches: Shuffled, steps: int, epoch: int, beat: Beat) -> Learned:
    """Train an epoch.

    Args:
        trainer: the network.
        batches: this worker's; opening them counts as waiting for them.
        steps: how many steps all workers make, also those that have fewer batches.
        epoch: its number from 1.
        beat: called after each step.

    Raises:
        JobError: the loss is not a number any more.
    """
    tf = tensorflow()

    times, exchange, sums = Times(), trainer.exchange, [0.0, 0.0, 0.0]
    times.start()
    reading = Kept(batches.epoch(epoch))
    for step, batch in enumerate(islice(chain(reading, repeat(None)), steps), 1):
        times.add("input_seconds")
        vector = trainer.nothing if batch is None else trainer.gradients(*batch)
        if exchange:
            vector.numpy()  # waits until it is computed
            times.add("compute_seconds")
            vector = tf.identity(exchange(vector))
            vector.numpy()
            times.add("exchange_seconds")
        counted = [float(number) for number in trainer.apply(vector).numpy()]
        times.add("compute_seconds")
        if not math.isfinite(counted[0]):
            raise JobError(
                f"the loss is not a number in step {step} of epoch {epoch}: the training has failed",
                where="grid.learning_rate",
                hint="choose a smaller one; the epochs before this one are kept",
            )
        sums = [total + number for total, number in zip(sums, counted, strict=True)]
        beat()
    reading.let_go()
    return Learned(round(sums[2]), steps, sums[0] / sums[2], sums[1] / sums[2], times)


@dataclass(frozen=True)
class Validated:
    """How the network does on photographs that it has not seen, on all workers together; and their mean times."""

    val_loss: float
    val_accuracy: float
    times: Times


def validate(trainer: Trainer, batches: Any, times: Times, workers: int, beat: Beat) -> Validated:
    """Validate the network, each worker with its part of the photographs.

    Args:
        trainer: the network.
        batches: this worker's batches.
        times: this worker's, in the epoch before.
        workers: how many there are.
        beat: called after each batch.
    """
    tf = tensorflow()

    sums, reading = tf.zeros([3]), Kept(batches)
    for batch in reading:
        counted, _ = trainer.evaluated(*batch)
        sums += counted
        beat()
    reading.let_go()
    own = tf.constant([getattr(times, name) for name in _NUMBERS], tf.float32)
    vector = tf.concat([sums, own], 0)
    loss, right, count, *seconds = (float(one) for one in (trainer.exchange or tf.identity)(vector).numpy())
    mean = Times(**{name: total / workers for name, total in zip(_NUMBERS, seconds, strict=True)})
    return Validated(loss / count, right / count, mean)
