"""Runs on clusters whose secondary workers come late, do not come, or are taken away while something is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowerexp.rehearsal.cloud import Cloud
from tests.command import SMALL_GRID, Home

pytestmark = [pytest.mark.spark, pytest.mark.long]

SPOT = ("cluster=four_nodes", "cluster.packages=image", "cluster.workers.count=2", "cluster.secondary.count=1")
DATA = ("dataset.images=100", "preprocess.shards=2", *SMALL_GRID, "grid.reader=image_files_native")

SCRIPT = '''
"""Counts numbers with Spark."""
from flowerexp.workload import main


def prepare(spark, config):
    return spark.sparkContext


def measure(context, cell):
    return context.parallelize(range(cell["numbers"]), 4).count()


if __name__ == "__main__":
    main(measure, prepare)
'''


@pytest.fixture
def home(tmp_path: Path, cloud: Cloud) -> Home:
    return Home(tmp_path, {**cloud.environment, "GOOGLE_CLOUD_PROJECT": cloud.project})


@pytest.fixture
def counting(tmp_path: Path) -> tuple[str, ...]:
    """The overrides of an experiment whose measurements are jobs of the driver."""
    (tmp_path / "counting.py").write_text(SCRIPT)
    (tmp_path / "mine" / "entrypoint").mkdir(parents=True)
    declared: dict[str, Any] = {"name": "counting", "question": "How fast?", "unit": "numbers", "where": "driver"}
    declared |= {"script": str(tmp_path / "counting.py"), "parameters": {"numbers": {"min": 1}}}
    (tmp_path / "mine" / "entrypoint" / "counting.yaml").write_text(json.dumps(declared))
    return ("--config-dir", str(tmp_path / "mine"), "entrypoint=counting", "+grid.numbers=[1000,2000]")


def recorded(home: Home) -> dict[str, Any]:
    """The record of the only run."""
    (folder,) = home.runs
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


def test_what_is_measured_while_a_spot_worker_is_taken_away_is_measured_again(home: Home, cloud: Cloud) -> None:
    cloud.set_quota(CPUS=6.0, PREEMPTIBLE_CPUS=2.0)
    cloud.preempt()
    answer = home(*SPOT, *DATA)
    assert answer.code == 0, answer.err
    record = recorded(home)
    assert record["facts"]["executors"] == record["facts"]["executors_asked"] == 3
    assert record["facts"]["measurements_discarded"] >= 1
    assert any("was lost" in note for note in record["notes"])
    lines = (home.runs[0] / "results" / "measurements.jsonl").read_text().splitlines()
    firsts = [row for row in map(json.loads, lines) if row["execution"] == 1]
    assert len(firsts) == record["facts"]["measurements"]
    assert sum(row.get("discarded", 0) for row in firsts) == record["facts"]["measurements_discarded"]
    (run,) = home.logged()
    assert 0 < run.data.metrics["cost/secondary_usd"] < run.data.metrics["cost/usd"] / 4
    (asked,) = cloud.requests("CreateCluster")
    assert asked["cluster"]["config"]["secondary_worker_config"]["preemptibility"] == "SPOT"
    assert (cloud.counts().created, cloud.counts().leaked, cloud.armed()) == (1, 0, 0)


def test_a_cluster_whose_spot_worker_does_not_come_is_suspect(
    home: Home, cloud: Cloud, counting: tuple[str, ...]
) -> None:
    cloud.secondary(most=0)
    answer = home(*counting, *SPOT, "cluster.secondary.wait_seconds=30")  # the other two are there by then
    assert answer.code == 0, answer.err
    record = recorded(home)
    assert (record["facts"]["executors"], record["facts"]["executors_asked"]) == (2, 3)
    assert "2 executors with 2 cores, not 3 cores, started within 30 s" in record["notes"]
    assert record["verdict"]["state"] == "suspect"
    assert any("1 executor fewer than the cluster should have" in reason for reason in record["verdict"]["reasons"])
    assert cloud.counts().leaked == 0


def test_a_job_waits_for_a_worker_that_comes_late(home: Home, cloud: Cloud, counting: tuple[str, ...]) -> None:
    cloud.secondary(after=25)  # Spark and its other executors are there before
    answer = home(*counting, *SPOT)
    assert answer.code == 0, answer.err
    record = recorded(home)
    assert record["facts"]["executors"] == 3
    assert not [reason for reason in record["verdict"]["reasons"] if "executor" in reason]
