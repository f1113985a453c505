"""The work of one worker, a task of a Spark stage in barrier mode: train, validate, and say how it goes."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flowerexp.workload.images.tensorflow import tensorflow
from flowerexp.workload.read_speed import unreadable
from flowerexp.workload.train import epoch, network, predictions, workers
from flowerexp.workload.train.batches import Shard, Shuffled, in_order
from flowerexp.workload.train.talk import Worker

_VALIDATED = 64  # images in a batch of validation


@dataclass(frozen=True)
class Work:
    """What all workers of a training are told.

    Attributes:
        training: the photographs to train on.
        validation: those to validate with.
        cell: the parameters.
        seed: of everything that is random.
        patience: for how many seconds the driver or the workers may be silent.
        driver: where the driver listens: host, port and token.
        cores: that a worker uses; None for all of its host.
    """

    training: Shard
    validation: Shard
    cell: Mapping[str, Any]
    seed: int
    patience: float
    driver: tuple[str, int, str] = ("", 0, "")
    cores: int | None = None

    def shards(self, number: int) -> tuple[Shard, Shard]:
        """A worker's parts of both."""
        of = self.cell["workers"]
        training, validation = (replace(side, number=number, of=of) for side in (self.training, self.validation))
        return training, validation

    @property
    def size(self) -> int:
        """How many images of a batch each worker gets."""
        return int(self.cell["batch_size"] // self.cell["workers"])

    @property
    def steps(self) -> int:
        """How many steps an epoch has: those of the worker with the most images."""
        of = self.cell["workers"]
        return max(-(-self.shards(number)[0].images // self.size) for number in range(of))


@dataclass(frozen=True)
class Done:
    """What a worker brings home: its predictions; of the first worker also the network, and an example of its input.

    Attributes:
        predictions: of its part of the validation.
        network: a `.keras` file; None of the other workers.
        example: an image as a `.npy` file, of shape (1, height, width, 3).
    """

    predictions: predictions.Predictions
    network: bytes | None = None
    example: bytes | None = None


def train(told: Work, context: Any) -> Done:
    """Do the work of one worker.

    Args:
        told: what to do.
        context: the BarrierTaskContext of its task.

    Raises:
        FlowerexpError: a file cannot be read, the loss is not a number, or another worker has left.
    """
    place = workers.meet(context)
    with closing(Worker(told.driver if place.is_chief else None, told.patience)) as driver:
        driver.beat()
        workers.set_up(told.cores)
        with _named(told, place.number):
            return _trained(told, place, context, driver)


@contextmanager
def _named(told: Work, number: int) -> Iterator[None]:
    """Name the file if reading fails inside; TensorFlow does not."""
    tf = tensorflow()

    try:
        yield
    except tf.errors.OpError:
        training, validation = told.shards(number)
        with unreadable.named(training.source, training.files), unreadable.named(validation.source, validation.files):
            raise


def _trained(told: Work, place: workers.Place, context: Any, driver: Worker) -> Done:
    training, validation = told.shards(place.number)
    cell, classes, of = told.cell, len(training.classes), len(place.addresses)
    exchange = workers.exchange_of(place)
    made = network.build(training.source.target_size, classes, told.seed, cell["augment"])
    trainer = network.Trainer(made, cell["learning_rate"], exchange)
    batches = Shuffled(training, told.size, cell["cache"], told.seed)
    kept = in_order(validation, _VALIDATED)
    context.barrier()  # nobody waits for the others in the first epoch
    driver.say("ready")
    for number in range(1, cell["epochs"] + 1):
        driver.wait()
        learned = epoch.train(trainer, batches, told.steps, number, driver.beat)
        driver.say("trained")
        validated = epoch.validate(trainer, kept, learned.times, of, driver.beat)
        driver.say(
            "epoch",
            row={
                "images": learned.images,
                "steps": learned.steps,
                "loss": learned.loss,
                "accuracy": learned.accuracy,
                "val_loss": validated.val_loss,
                "val_accuracy": validated.val_accuracy,
                "input_seconds": validated.times.input_seconds,
                "compute_seconds": validated.times.compute_seconds,
                "exchange_seconds": validated.times.exchange_seconds,
            },
        )
    found = predictions.predict(trainer, kept, classes, told.seed)
    return Done(found, _saved(made), _example(kept)) if place.is_chief else Done(found)


def _example(batches: Any) -> bytes:
    import numpy as np

    file = io.BytesIO()
    np.save(file, next(iter(batches))[0][:1].numpy(), allow_pickle=False)
    return file.getvalue()


def _saved(made: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        network.with_probabilities(made).save(path)
        return path.read_bytes()
