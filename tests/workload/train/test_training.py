"""Whole trainings on Spark, of small networks on generated photographs."""

import itertools
import json
import threading
from contextlib import suppress

import psutil
import pytest

from flowerexp.errors import DataError, JobError
from flowerexp.workload import failures
from flowerexp.workload.engine import run
from flowerexp.workload.engine.declared import Workload
from flowerexp.workload.engine.stream import Stream
from flowerexp.workload.train import training

pytestmark = pytest.mark.spark

SMALL = ("preprocess.target_size=[32,32]", "preprocess.shards=4", "measure.repetitions=1")
WORKLOAD = Workload(
    measure=training.measure,
    prepare=training.prepare,
    ready=training.ready,
    possible=training.possible,
    recover=training.recover,
)


@pytest.fixture
def trained(spark, config, tmp_path, photos, told):
    """`trained(...)` makes a run and returns its rows, which are also in `rows` if it fails."""
    numbers = itertools.count()

    def trained(*overrides, rows=None):
        plain = config("entrypoint=train", "dataset=folder", f"dataset.path={photos}", *SMALL, *overrides)
        rows, output = [] if rows is None else rows, str(tmp_path / f"output-{next(numbers)}")
        with Stream(output, keep=False) as stream:
            entry = {"config": plain, "run_key": "key", "output": output}
            for line in run.of_workload(WORKLOAD)(spark, entry, stream):
                rows.append(json.loads(line))
        return rows

    return trained


def curve(rows):
    return [[row[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")] for row in rows]


def test_an_epoch_is_a_row_and_what_it_waits_for_is_known(trained, told):
    rows = trained("grid.epochs=3", "grid.batch_size=16", "grid.reader=tfrecords_native")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    images = told.facts["training_images"]
    assert images + told.facts["validation_images"] == 40
    for row in rows:
        assert (row["images"], row["steps"]) == (images, -(-images // 16))
        parts = [row[name] for name in ("input_seconds", "compute_seconds", "exchange_seconds")]
        assert parts[2] == 0
        assert 0 < sum(parts) <= row["seconds"]
    found = json.loads(told.attached["predictions.json"])
    assert sum(map(sum, found["confusion"])) == told.facts["validation_images"]
    assert len(found["shown"]) == min(9, told.facts["validation_images"])
    assert {*told.attached} == {"predictions.json", "network.keras", "network.npy"}


def test_a_batch_that_is_larger_than_the_data_is_refused(trained):
    with pytest.raises(DataError, match=r"a batch of 64 images is larger than the \d+ photographs to train on"):
        trained("grid.batch_size=64")


def test_workers_that_cannot_be_placed_are_left_out(trained, told, monkeypatch):
    with pytest.raises(Exception, match="the cluster runs 2 tasks at once, and each worker is one"):
        trained("grid.workers=4", "grid.batch_size=16")


@pytest.mark.long
def test_the_same_seed_gives_the_same_curve_and_another_seed_another_one(trained):
    ways = ("grid.epochs=3", "grid.batch_size=16", "grid.augment=true")
    first = trained(*ways)
    assert curve(trained(*ways)) == curve(first)
    assert curve(trained(*ways, "measure.seed=5")) != curve(first)


@pytest.mark.long
@pytest.mark.parametrize("keep", [True, False])
def test_each_reader_trains_on_the_same_photographs(trained, told, keep):
    readers = "image_files,tfrecords,image_files_native,tfrecords_native,webdataset,array_record,parquet,lance,lmdb"
    rows = trained(f"grid.reader=[{readers}]", "grid.epochs=2", "grid.batch_size=8", f"grid.cache={keep}")
    assert len(rows) == 2 * 9
    assert {row["images"] for row in rows} == {told.facts["training_images"]}


@pytest.mark.long
def test_a_loss_that_is_not_a_number_ends_the_run_and_the_epochs_before_it_are_kept(trained):
    rows: list[dict[str, float]] = []
    with pytest.raises(Exception, match="not a number") as caught:
        trained("grid.epochs=2", "grid.batch_size=16", "grid.learning_rate=[1e-6,1e30]", "measure.seed=1", rows=rows)
    error = failures.explained(caught.value)
    assert type(error) is JobError
    assert error.problem.startswith("the loss is not a number in step ")
    assert error.where == "grid.learning_rate"
    assert all(row["loss"] < 100 for row in rows)


def busy_workers():
    """The processes that train together with others, and have begun to: importing TensorFlow takes less than 8 s."""
    found = []
    for pid in psutil.pids():  # the children of a process are more than psutil can list while some of them end
        with suppress(psutil.Error, OSError):
            one = psutil.Process(pid)
            if one.environ().get("FLOWEREXP_TRAINING", "1") != "1" and one.cpu_times().user > 8:
                found += [one] if psutil.Process() in one.parents() else []
    return found


@pytest.mark.long
def test_two_workers_learn_what_one_does_with_the_same_batch(trained):
    ways = ("grid.epochs=4", "grid.batch_size=16", "grid.learning_rate=0.0005", "preprocess.shards=2")
    rows = trained(*ways, "grid.workers=[1,2]")
    one, two = ([row for row in rows if row["workers"] == count] for count in (1, 2))
    assert len(one) == len(two) == 4
    assert {row["images"] for row in rows} == {one[0]["images"]}
    assert all(row["exchange_seconds"] > 0 for row in two)
    # The same images in other batches: the losses differ as those of two shuffles do.
    assert two[-1]["loss"] == pytest.approx(one[-1]["loss"], rel=0.15)
    assert two[-1]["val_loss"] == pytest.approx(one[-1]["val_loss"], rel=0.3)  # of 7 photographs


@pytest.mark.long
def test_a_worker_that_dies_ends_the_run_with_a_clear_line(trained):
    ended = threading.Event()

    def kill():
        while not ended.wait(0.2):
            if len(found := busy_workers()) == 2:
                found[1].kill()
                return

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        with pytest.raises(Exception, match="worker") as caught:
            trained("grid.epochs=10000", "grid.batch_size=16", "grid.workers=2")
    finally:
        ended.set()
        thread.join()
    problem = failures.explained(caught.value, "measure").problem
    assert "Python worker was killed" in problem or "has left the training" in problem
