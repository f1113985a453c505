"""What an epoch waits for, with a reader that is slowed down by a known delay."""

import time

import pytest

from flowerexp.analysis.experiments.train.cells import INPUT, cells_of
from flowerexp.experiment import Experiment, Parameter, Parts, Value
from flowerexp.measurements.loading import from_rows
from flowerexp.workload.read_speed import pipeline
from flowerexp.workload.read_speed.readers import Source
from flowerexp.workload.train import epoch, network
from flowerexp.workload.train.batches import Shard, Shuffled

pytestmark = pytest.mark.long

DELAY, IMAGES, BATCH, EPOCHS = 0.05, 40, 4, 6
PARTS = {"planned": "epochs", "count": "epochs_of_row", "first_count": "first_images", "first_seconds": "first_seconds"}
EXPERIMENT = Experiment(
    name="train",
    question="?",
    script="",
    unit="images",
    value=Value(name="steady_rate"),
    parameters={"epochs": Parameter(type="int")},
    parts=Parts(name="epoch", column="epoch", **PARTS),
)


def epochs(shard: Shard, trainer: network.Trainer) -> list[dict[str, float]]:
    batches = Shuffled(shard, BATCH, keep=False, seed=1)
    rows = []
    for number in range(1, EPOCHS + 1):
        started = time.perf_counter()
        learned = epoch.train(trainer, batches, IMAGES // BATCH, number, lambda: None)
        seconds = time.perf_counter() - started
        first = {"first_images": learned.images, "first_seconds": seconds} if number == 1 else {}
        times = {name: getattr(learned.times, name) for name in ("input_seconds", "compute_seconds")}
        rows.append({"epochs": EPOCHS, "epoch": number, "images": learned.images, "seconds": seconds, **times, **first})
    return rows


@pytest.mark.slow
def test_the_share_that_waits_agrees_with_the_delay(photos, monkeypatch):
    import tensorflow as tf

    files = sorted(map(str, photos.glob("*/*.jpg")))
    shard = Shard(Source("image_files_native", files, [1] * IMAGES, (32, 32)), sorted({*map(class_of, files)}))
    trainer = network.Trainer(network.build((32, 32), 5, seed=1, augment=False), 0.001)
    fast = epochs(shard, trainer)[1:]
    pictures = next(iter(pipeline.dataset(shard.source, files).batch(IMAGES).take(1)))
    images, labels = (tf.constant(values) for values in pictures)

    def slowed(source, names):
        slow = tf.data.Dataset.range(IMAGES).map(lambda one: tf.numpy_function(waits, [one], tf.int64))
        return slow.map(lambda one: (images[one], labels[one]))

    slept = []  # a busy machine wakes a sleeper late

    def waits(one):
        started = time.perf_counter()
        time.sleep(DELAY)
        slept.append(time.perf_counter() - started)
        return one

    monkeypatch.setattr(pipeline, "dataset", slowed)
    rows = epochs(shard, trainer)
    (cell,) = cells_of(from_rows(rows, EXPERIMENT))
    share = cell.share(INPUT)
    # The first batch of an epoch is waited for alone; while the others are read, the step before them is computed.
    compute = sum(row["compute_seconds"] for row in rows[1:]) / len(rows[1:])
    step, delayed = compute * BATCH / IMAGES, sum(slept) / len(slept) * IMAGES
    expected = (delayed - compute + step) / (delayed + step)
    assert share.low is not None
    assert share.high is not None
    assert share.low - 0.05 <= expected <= share.high + 0.05
    assert share.value > sum(row["input_seconds"] for row in fast) / sum(row["seconds"] for row in fast)


def class_of(file: str) -> str:
    return file.split("/")[-2]
