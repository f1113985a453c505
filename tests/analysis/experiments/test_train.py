"""What the analysis says of trainings: shares with intervals, limits in a sentence, times to accuracy, and pictures."""

import base64
import json
import math

import pytest

from flowerexp import app
from flowerexp.analysis import analyse
from flowerexp.analysis.compared_run import ComparedRun
from flowerexp.analysis.experiments.train import cells, figures, limits
from flowerexp.analysis.report import make_report
from flowerexp.analysis.summary import summarise
from flowerexp.analysis.verdict import judge
from flowerexp.config import plain
from flowerexp.measurements import columns_of_value
from flowerexp.measurements.loading import from_rows
from flowerexp.measurements.parquet import read_parquet
from flowerexp.measurements.table import Measurements
from flowerexp.measurements.written import write
from flowerexp.tracking.steps import is_line, steps
from flowerexp.workload.images import synthetic
from tests.analysis.sweeps import write_sweep

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def experiment():
    return app.composed(["entrypoint=train"]).entrypoint


def epoch(number, seconds=2.0, waits=0.2, exchanges=0.0, accuracy=0.5, **of):
    """A row; all else of its seconds is computing."""
    grid = {"reader": "tfrecords", "augment": False, "cache": False}
    grid |= {"batch_size": 32, "learning_rate": 0.001, "epochs": 4, "workers": 1, "repetition": 1, "execution": 1}
    first = {"first_epoch_images": 100, "first_epoch_seconds": seconds} if number == 1 else {}
    times = {"input_seconds": waits, "compute_seconds": seconds - waits - exchanges, "exchange_seconds": exchanges}
    learned = {"loss": 2.0 / number, "accuracy": accuracy, "val_loss": 2.1 / number, "val_accuracy": accuracy}
    base = {"first_epoch_images": None, "first_epoch_seconds": None, "started_at": 1000.0 + 10 * number}
    return {**grid, **base, "epoch": number, "epochs_of_row": 1, "images": 100, "seconds": seconds, "order": 0,
            **first, **times, **learned, **of}  # fmt: skip


def training(experiment, count=4, **of):
    return from_rows([epoch(number, **of) for number in range(1, count + 1)], experiment)


def test_the_first_epoch_is_apart_from_the_steady_rate_and_the_verdict(experiment):
    rows = [epoch(1, seconds=50.0), *(epoch(number, seconds=2.0) for number in range(2, 7))]
    measured = from_rows(rows, experiment)
    (group,) = summarise(measured).groups
    assert group.steady_rate == pytest.approx(50.0)
    assert group.value == pytest.approx(50.0)
    assert group.rate == pytest.approx(600 / 60)
    assert group.first_seconds == 50.0
    assert judge(measured).state == "valid"


def test_the_steady_rate_follows_from_the_columns_that_are_read_for_it(experiment, tmp_path):
    whole = training(experiment)
    path = write(whole, tmp_path / "measurements.parquet")
    read = Measurements(read_parquet(path, columns_of_value(experiment)), experiment)
    assert read.total_value == whole.total_value == 50.0


def test_the_share_that_waits_is_a_sum_over_a_sum_with_an_interval_around_it(experiment):
    rows = [epoch(1, waits=2.0), epoch(2, 2.0, 0.2), epoch(3, 4.0, 0.8), epoch(4, 2.0, 0.2)]
    (cell,) = cells.cells_of(from_rows(rows, experiment))
    share = cell.share(cells.INPUT)
    assert share.value == pytest.approx(1.2 / 8)
    # Cochran: residuals 0.2 - 0.3, 0.8 - 0.6 and 0.2 - 0.3, by hand
    error = math.sqrt((0.01 + 0.04 + 0.01) / 2 / 3) / (8 / 3)
    assert share.high == pytest.approx(0.15 + 4.30265 * error, rel=1e-4)
    assert share.low == 0.0  # a share is not negative


def test_one_epoch_alone_has_a_share_without_an_interval(experiment):
    (cell,) = cells.cells_of(training(experiment, 1))
    assert cell.share(cells.INPUT).value == pytest.approx(0.1)
    assert cell.share(cells.INPUT).low is None


@pytest.mark.parametrize(
    ("waits", "exchanges", "page_cache", "remote", "says"),
    [
        (0.1, 0.0, "warm", False, "the network is the limit; an input that took no time would make it 1.05 times"),
        (0.1, 1.5, "warm", False, "the exchange of gradients is the limit"),
        (0.6, 0.0, "warm", False, "the network limits it more than decoding"),
        (1.6, 0.0, "warm", False, "decoding is the limit; an input that took no time would make it 5.00 times"),
        (1.6, 0.0, "cold", False, "storage or decoding (entrypoint.settings.page_cache=warm tells which) is the limit"),
        (1.6, 0.0, "warm", True, "the bucket, or decoding what comes from it, is the limit"),
    ],
)
def test_a_sentence_says_what_limits(experiment, waits, exchanges, page_cache, remote, says):
    (cell,) = cells.cells_of(training(experiment, waits=waits, exchanges=exchanges))
    assert says in limits.sentence(cell, page_cache, remote)


def test_decoded_images_that_are_kept_are_neither_storage_nor_decoding(experiment):
    (cell,) = cells.cells_of(training(experiment, waits=1.6, cache=True))
    assert "handing over images that were decoded before is the limit" in limits.sentence(cell, "warm", False)


def test_mlflow_gets_a_point_for_each_epoch_and_the_shares(experiment):
    rows = [epoch(number, accuracy=number / 10, workers=workers) for workers in (1, 2) for number in (1, 2, 3)]
    measured = from_rows(rows, experiment)
    lines = [step for step in steps(measured, 2000.0) if step[0].startswith("curves/")]
    assert {name for name, *_ in lines} == {
        f"curves/workers {workers} {name}"
        for workers in (1, 2)
        for name in ("loss", "accuracy", "val_loss", "val_accuracy")
    }
    accuracy = [(value, when, step) for name, value, when, step in lines if name == "curves/workers 1 val_accuracy"]
    assert accuracy == [(0.1, 1_012_000, 1), (0.2, 1_022_000, 2), (0.3, 1_032_000, 3)]
    assert all(is_line(name) for name, *_ in lines)
    found = figures.metrics(measured)
    assert found["tfrecords augment=false cache=false/input_bound"] == pytest.approx(0.1)
    assert found["tfrecords augment=false cache=false/best_val_accuracy"] == 0.3


def compared(experiment, name, seconds, accuracies):
    rows = [epoch(number, seconds, accuracy=value) for number, value in enumerate(accuracies, start=1)]
    return [ComparedRun(name, app.composed(["entrypoint=train"]), from_rows(rows, experiment))]


def test_the_time_to_the_accuracy_that_both_reached(experiment):
    sides = [
        compared(experiment, "slow", 3.0, [0.3, 0.5, 0.56, 0.6]),
        compared(experiment, "fast", 1.0, [0.2, 0.4, 0.58, 0.5]),
    ]
    head, line = figures.times_to_accuracy(sides)
    assert head == ["time to accuracy", "slow", "fast"]
    assert line == ["tfrecords augment=false cache=false to 55%", "9.0 s", "3.0 s"]
    assert figures.times_to_accuracy([compared(experiment, "never", 1.0, [0.01, 0.02]), sides[0]]) == []


def test_a_run_draws_its_curves_its_predictions_and_its_confusion_matrix(experiment, tmp_path):
    attached = tmp_path / "results" / "attached"
    attached.mkdir(parents=True)
    jpeg = base64.b64encode(synthetic.photograph(0, 0)[1]).decode()
    shown = [{"jpeg": jpeg, "class": 0, "taken_for": taken, "probability": 0.5} for taken in (0, 1)]
    found = {"cell": {}, "classes": ["a", "b"], "confusion": [[1, 1], [0, 0]], "shown": shown}
    (attached / "predictions.json").write_text(json.dumps(found))
    (attached / "damaged_predictions.json").write_text("{")
    made = analyse(training(experiment), tmp_path / "analysis", 0.05)
    names = {path.name for path in made.paths}
    assert {"curves.png", "predictions.png", "confusion.png"} < names
    assert not any(name.startswith("damaged") for name in names)


def test_wrong_predictions_are_red_and_say_so():
    from flowerexp.analysis.experiments.train.pictures import predictions

    jpeg = base64.b64encode(synthetic.photograph(0, 0)[1]).decode()
    shown = [{"jpeg": jpeg, "class": 0, "taken_for": taken, "probability": 0.5} for taken in (0, 1)]
    drawn = predictions({"classes": ["a", "b"], "confusion": [], "shown": shown})
    titles = [(panel.get_title(), panel.title.get_color()) for panel in drawn.axes[:2]]
    assert titles[0][0] == "right: a (50%)"
    assert titles[1] == ("wrong: b (50%)\nit is a", "#c92a2a")
    assert titles[0][1] != "#c92a2a"


def test_a_sweep_has_an_answer_without_the_first_epochs(experiment, tmp_path):
    """A report reads few columns, among them the one that tells epochs apart."""
    rows = [
        epoch(number, 50.0 if number == 1 else each + 0.01 * repetition * number, repetition=repetition, reader=reader)
        for reader, each in (("image_files", 4.0), ("tfrecords", 2.0))
        for repetition in (1, 2, 3)
        for number in (1, 2, 3)
    ]
    whole = plain(app.composed(["entrypoint=train", "grid.reader=[image_files,tfrecords]"]))
    folder = write_sweep(tmp_path, {"measure.seed": [1, 2]}, whole=whole, rows=rows)
    make_report(folder)
    answer = json.loads((folder / "conclusions.json").read_text())["answer"]
    assert "choose TFRecords: 1.98 × the steady images/s of image files (95 % interval 1.9" in answer
