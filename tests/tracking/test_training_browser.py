"""What people see of a training in MLflow, in a real browser: its curves, predictions and confusion matrix."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.command import Home
from tests.tracking import is_up, unused_port, wait_for
from tests.tracking.browser import MISSING, SIZE, browser
from tests.tracking.test_browser import LARGEST, ML, POINTS, QUIET, SERVE, Pages

pytest_plugins = ["tests.tracking"]
pytestmark = [pytest.mark.spark, pytest.mark.long, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

TRAINING = ("entrypoint=train", "dataset.images=60", "preprocess.target_size=[32,32]", "preprocess.shards=2")
WAYS = ("grid.epochs=3", "grid.batch_size=16", "measure.repetitions=1")
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    home = Home(tmp_path_factory.mktemp("training"))
    answer = home(*TRAINING, *WAYS, timeout=900)
    assert answer.code == 0, answer.err
    port = unused_port()
    command = [sys.executable, "-c", SERVE, f"sqlite:///{home.path}/mlruns/mlflow.db", str(port)]
    with (home.path / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        (run,) = home.logged()
        wait_for(lambda: is_up(port), lambda: server.poll() is not None)
        with browser() as made:
            yield Pages(
                made, f"http://127.0.0.1:{port}", {"training": run.info.run_id}, "", home.path / "mlruns" / "artifacts"
            )
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def test_the_curves_are_lines_with_a_point_for_each_epoch(pages, tmp_path):
    page = pages.open(f"/experiments/1/runs/{pages.runs['training']}/model-metrics?{ML}")
    page.shows("curves\n(4)", *CURVES, "Step")
    for name in CURVES:
        page.until(POINTS, f"curves/{name}", 3)
    page.run(QUIET)
    page.size(1500, 860)
    try:
        picture = Path(os.environ.get("FLOWEREXP_PICTURES", tmp_path)) / "mlflow-training.png"
        page.picture(picture)
        assert picture.stat().st_size > 20_000
    finally:
        page.size(*SIZE)


@pytest.mark.parametrize("name", ["curves", "predictions", "confusion"])
def test_the_pictures_are_rendered_among_the_artifacts(pages, name):
    run_id = pages.runs["training"]
    file = pages.artifacts / run_id / "artifacts" / "analysis" / f"{name}.png"
    (width,) = struct.unpack(">I", file.read_bytes()[16:20])  # PNG's header, which comes first
    pages.open(f"/experiments/1/runs/{run_id}/artifacts/analysis/{name}.png").shows(f"{name}.png")
    pages.browser.until(f"{LARGEST} == arguments[0]", width)


def test_the_network_is_a_model_with_a_signature(pages):
    run_id = pages.runs["training"]
    pages.open(f"/experiments/1/runs/{run_id}/artifacts/network/MLmodel?{ML}").shows("keras", "signature")
    model = yaml.safe_load((pages.artifacts / run_id / "artifacts" / "network" / "MLmodel").read_text())
    (images,) = json.loads(model["signature"]["inputs"])
    assert images["tensor-spec"]["shape"] == [-1, 32, 32, 3]
