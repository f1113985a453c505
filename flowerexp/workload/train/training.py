"""The functions of train that the engine calls: prepare two sides of photographs, and train on one of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from flowerexp.errors import DataError
from flowerexp.workload import report
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.read_speed import page_cache
from flowerexp.workload.read_speed.sources import Sources, mended, sources_from
from flowerexp.workload.train.batches import Shard
from flowerexp.workload.train.predictions import together
from flowerexp.workload.train.session import Row, Session
from flowerexp.workload.train.split import split
from flowerexp.workload.train.worker import Done, Work

NETWORK, EXAMPLE, PREDICTIONS = "network.keras", "network.npy", "predictions.json"
"""What a run attaches for each cell: the network, an example of its input, and what it says of photographs that it has
not seen."""


@dataclass
class Prepared:
    """What a run trains on.

    Attributes:
        context: the SparkContext.
        training: what each reader reads to train.
        validation: what each reader reads to validate.
        classes: the names of the classes.
        config: the run's.
    """

    context: Any
    training: Sources
    validation: Sources
    classes: tuple[str, ...]
    config: dict[str, Any]

    def name_of(self, cell: Mapping[str, Any]) -> str:
        """What the files of a cell's results begin with; nothing where the run trains one network only."""
        varied = [name for name, values in self.config["grid"].items() if len(values) > 1]
        return "".join(f"{name}-{cell[name]}_" for name in varied)

    def sides(self, cell: Mapping[str, Any]) -> tuple[Shard, Shard]:
        """All photographs of both sides, as a cell's reader reads them."""
        training, validation = (Shard(of.of[cell["reader"]], self.classes) for of in (self.training, self.validation))
        return training, validation


def prepare(spark: Any, config: dict[str, Any]) -> Prepared:
    """List the photographs, split them, and prepare each side for the readers that want it.

    Raises:
        DataError: there is nothing to learn from, or not enough for a batch; or a file is damaged.
    """
    if config["dataset"]["tfrecords"]:
        raise DataError(
            "training splits photographs by their names and looks, which existing TFRecord files do not have",
            where="dataset.tfrecords",
            hint="set it to null, and dataset.path to the folder of the photographs",
        )
    listing = list_photographs(spark, config)
    sides = split(spark, config, listing)
    validation, training = (sources_from(spark, config, side) for side in (sides.validation, sides.training))
    report.fact("data_fingerprint", listing.fingerprint)
    largest, images = max(config["grid"]["batch_size"]), len(sides.training.photographs)
    if largest > images:
        raise DataError(
            f"a batch of {largest} images is larger than the {images} photographs to train on",
            where="grid.batch_size",
            hint="use a smaller batch, or more photographs",
        )
    return Prepared(spark.sparkContext, training, validation, tuple(listing.classes), config)


def possible(prepared: Prepared, cell: Mapping[str, Any]) -> str | None:
    """Why a cell cannot be measured: more workers than tasks at once, than files, or than images of a batch."""
    workers, slots = cell["workers"], prepared.context.defaultParallelism
    if workers > slots:
        return f"the cluster runs {slots} tasks at once, and each worker is one"
    if cell["batch_size"] % workers:
        return "a batch cannot be divided evenly among the workers"
    fewest = min(len(side.source.files) for side in prepared.sides(cell))
    return f"there are {fewest} files, and each worker reads some of its own" if workers > fewest else None


@dataclass(frozen=True)
class Started:
    """A training whose workers are ready, and what the files of its results begin with."""

    session: Session
    name: str


def ready(prepared: Prepared, cell: Any) -> Started:
    """Bring the page cache into the wanted state, and start the workers: importing TensorFlow is not training."""
    training, validation = prepared.sides(cell)
    for side in (validation, training):
        page_cache.bring_to(prepared.training.page_cache, side.source.files)
    config = prepared.config
    seed = random.Random(f"{config['measure']['seed']} {cell.repetition}").getrandbits(31)
    patience = config["entrypoint"]["settings"]["patience"]
    session = Session(prepared.context, Work(training, validation, dict(cell), seed, patience))
    try:
        session.start()
    except BaseException:
        session.close()
        raise
    return Started(session, prepared.name_of(cell))


def measure(started: Started, cell: Any) -> Iterator[Row | None]:
    """Train, an epoch at a time; the clock stands still while the network is validated."""
    with closing(started.session) as session:
        for _ in range(cell["epochs"]):
            session.begin_epoch()
            yield None
            yield session.end_epoch()
        done = session.result()
        if cell.repetition == 1:
            _attach(started, done)


def _attach(started: Started, done: Sequence[Done]) -> None:
    """Attach the network of a cell, and its predictions."""
    work = started.session.work
    found = together([one.predictions for one in done]).plain(work.training.classes, work.seed)
    report.attach(f"{started.name}{PREDICTIONS}", json.dumps({"cell": dict(work.cell), **found}).encode())
    for one in done:
        if one.network and one.example:
            report.attach(f"{started.name}{NETWORK}", one.network)
            report.attach(f"{started.name}{EXAMPLE}", one.example)


def recover(spark: Any, config: dict[str, Any], prepared: Prepared, error: Exception) -> Prepared | None:
    """Write damaged files of prepared data again; None if no file is damaged."""
    training, validation = mended(prepared.training), mended(prepared.validation)
    if training is None and validation is None:
        return None
    return replace(prepared, training=training or prepared.training, validation=validation or prepared.validation)
