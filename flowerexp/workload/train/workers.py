"""The process of one worker: its place among the others, its threads, and how workers add numbers up."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from flowerexp.errors import JobError
from flowerexp.workload.images.tensorflow import tensorflow
from flowerexp.workload.train.network import Exchange

_PATIENCE_SECONDS = 20.0  # Spark ends the other tasks of a stage sooner


@dataclass(frozen=True)
class Place:
    """A worker's place: its number from 0, and the host and port of each worker."""

    number: int
    addresses: Sequence[str]

    @property
    def is_chief(self) -> bool:
        """Does it talk to the driver?"""
        return self.number == 0


def meet(context: Any) -> Place:
    """Find the other workers, by the addresses that Spark's barrier knows.

    Args:
        context: the BarrierTaskContext of the task.
    """
    host = context.getTaskInfos()[context.partitionId()].address.rpartition(":")[0]
    with closing(socket.socket()) as free:
        free.bind(("", 0))
        address = f"{host}:{free.getsockname()[1]}"
    return Place(context.partitionId(), context.allGather(address))


def set_up(cores: int | None) -> None:
    """Let TensorFlow use some cores, and compute the same in each run; before anything else is done with it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    tf = tensorflow()

    if cores:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(cores)
            tf.config.threading.set_inter_op_parallelism_threads(max(2, cores))
        except RuntimeError:  # this process has trained before, with the same number
            pass
    tf.config.experimental.enable_op_determinism()


def exchange_of(place: Place) -> Exchange | None:
    """What adds vectors up over all workers; None for one worker.

    TensorFlow's MultiWorkerMirroredStrategy does it, with its ring of gRPC connections. Keras 3 does not train with
    that strategy (its `fit` knows MirroredStrategy alone): so a step here computes gradients with an ordinary model,
    and only their exchange runs within the strategy. That way it can be timed apart, too.
    """
    if len(place.addresses) == 1:
        return None
    task = {"type": "worker", "index": place.number}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": [*place.addresses]}, "task": task})
    tf = tensorflow()

    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    def add(vector: Any) -> Any:
        replica = tf.distribute.get_replica_context()
        # A vector from outside has no device, and the strategy wants one.
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(vector))

    added = tf.function(lambda vector: strategy.run(add, args=(vector,)), autograph=False)

    def exchange(vector: Any) -> Any:
        try:
            return added(vector)
        except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
            time.sleep(_PATIENCE_SECONDS)  # whose task has failed itself is to say why
            raise JobError("a worker has left the training: it was killed, or its host is gone") from error

    return exchange
