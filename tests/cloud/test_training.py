"""A network is trained on a cluster in the cloud, by two workers, and MLflow then has it as a model."""

import json

import pytest

from tests.command import Home

pytestmark = [pytest.mark.spark, pytest.mark.long]

SMALL = ("dataset.images=60", "preprocess.shards=2", "preprocess.target_size=[32,32]", "measure.repetitions=1")


def test_two_workers_train_on_a_cluster(tmp_path, cloud):
    home = Home(tmp_path, {**cloud.environment, "GOOGLE_CLOUD_PROJECT": cloud.project})
    answer = home(
        "entrypoint=train", "cluster=single_node", "cluster.packages=image", "grid.workers=[1,2]", "grid.epochs=2",
        "grid.batch_size=16", *SMALL, timeout=900,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    rows = home.rows()
    assert sorted((row["workers"], row["epoch"]) for row in rows) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert len({row["images"] for row in rows}) == 1
    assert all((row["exchange_seconds"] > 0) == (row["workers"] == 2) for row in rows)
    attached = home.runs[-1] / "results" / "attached"
    assert sorted(path.name for path in attached.glob("*.keras")) == [
        "workers-1_network.keras",
        "workers-2_network.keras",
    ]
    assert json.loads((attached / "workers-2_predictions.json").read_bytes())["classes"][0] == "daisy"
    (run,) = home.logged()
    assert run.data.metrics["curves/workers 2 val_loss"] > 0
    assert (cloud.counts().created, cloud.counts().deleted, cloud.counts().leaked) == (1, 1, 0)
