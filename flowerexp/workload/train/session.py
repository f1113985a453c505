"""A training as the driver sees it: a Spark job in barrier mode, in a thread, which says how it goes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pyspark import BarrierTaskContext, InheritableThread

from flowerexp.workload import executors, report
from flowerexp.workload.train.talk import Driver
from flowerexp.workload.train.worker import Done, Work, train

Row = dict[str, Any]

_PROCESS = "FLOWEREXP_TRAINING"
"""A variable of Python workers: Spark uses a worker again only for tasks with the same variables.

So a process that trains does nothing else, since it computes in the way that is always the same, which can be slower;
and each of several workers is a new process, since TensorFlow's collectives are set up once in a process.
"""


class Session:
    """A training of some workers: `start`, then `epoch` for each epoch, `result`, and always `close`.

    Args:
        context: the SparkContext.
        work: what the workers are told, without the driver's address and the number of cores.
    """

    def __init__(self, context: Any, work: Work) -> None:
        conf, self._context = context.getConf(), context
        self._group = f"flowerexp training {uuid.uuid4().hex}"
        self._done: Sequence[Done] | None = None
        self._failure: BaseException | None = None
        host = conf.get("spark.driver.host")
        self._driver = Driver(host, work.patience, self._check, conf.get("spark.driver.bindAddress"))
        self.work = replace(work, driver=self._driver.address, cores=cores_of(context, work.cell["workers"]))
        self._thread = InheritableThread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start the workers, and wait until all are ready to train."""
        self._thread.start()
        self._driver.wait("ready")

    def begin_epoch(self) -> None:
        """Let the next epoch begin, and wait until the last worker has trained; validation follows."""
        self._driver.say(**{"is": "go"})
        self._driver.wait("trained")

    def end_epoch(self) -> Row:
        """Wait until the network is validated; returns the columns of the epoch."""
        row: Row = self._driver.wait("epoch")["row"]
        return row

    def result(self) -> Sequence[Done]:
        """What the workers bring home; waits for the end."""
        self._thread.join()
        self._check()
        return self._done or ()

    def close(self) -> None:
        """End the training, also in the middle."""
        self._driver.close()
        if self._thread.is_alive():
            self._context.cancelJobGroup(self._group)
            self._thread.join()

    def _check(self) -> None:
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        told, count = self.work, self.work.cell["workers"]

        def task(_: Any) -> list[Done]:
            return [train(told, BarrierTaskContext.get())]

        try:
            with report.job_group(self._context, self._group), _process(self._context, count):
                tasks = self._context.parallelize(range(count), count)
                profile = executors.alone(self._context)
                if profile and count <= len(executors.cores(self._context)):
                    tasks = tasks.withResources(profile)
                self._done = tasks.barrier().mapPartitions(task).collect()
        except BaseException as error:  # of this thread, for the other one
            self._failure = error


def cores_of(context: Any, workers: int) -> int | None:
    """How many cores each of some workers uses; None for all of its host."""
    if executors.in_driver(context):
        return max(1, int(context.defaultParallelism) // workers)
    return min(executors.cores(context), default=None)


@contextmanager
def _process(context: Any, workers: int) -> Iterator[None]:
    """Let the tasks of the jobs inside run in processes of their own; see `_PROCESS`."""
    context.environment[_PROCESS] = "1" if workers == 1 else uuid.uuid4().hex
    try:
        yield
    finally:
        del context.environment[_PROCESS]
