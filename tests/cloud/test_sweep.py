"""Whole sweeps over clusters in the cloud, and what the notebook met there."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from flowerexp.rehearsal.cloud import FREE_TIER, Cloud
from tests.cloud.marked import Marked, until
from tests.command import SMALL_GRID, Home

pytestmark = pytest.mark.spark

DATA = ("dataset.images=100", "preprocess.shards=2", *SMALL_GRID)
PACKAGES = ("cv2", "google.cloud", "gcsfs", "tensorflow")


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results" / "measurements.jsonl").read_text().splitlines()]


@pytest.fixture
def home(tmp_path: Path, cloud: Cloud) -> Home:
    environment = {**cloud.environment, "GOOGLE_CLOUD_PROJECT": cloud.project}
    return Home(tmp_path, environment)


def texts(folder: Path) -> str:
    """All that was written anywhere below a folder."""
    found = (path.read_bytes() for path in folder.rglob("*") if path.is_file() and "data" not in path.parts)
    return b"\n".join(found).decode(errors="replace")


@pytest.mark.long
def test_two_clusters_with_and_without_caching_and_no_secret_anywhere(home, cloud):
    secret, account = "ya29.A0PlantedToken", "planted@somebody.iam.gserviceaccount.com"
    home.environment |= {"GOOGLE_OAUTH_ACCESS_TOKEN": secret, "MLFLOW_TRACKING_PASSWORD": secret}
    answer = home(
        "-m", "cluster=single_node,four_nodes", "caching=true,false", "cluster.packages=image", *DATA,
        f"gcp.service_account={account}",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    runs = [run for run in home.logged() if run.data.tags.get("flowerexp.kind") != "sweep"]
    assert [run.info.status for run in runs] == ["FINISHED"] * 4
    assert (cloud.counts().created, cloud.counts().deleted, cloud.counts().leaked) == (2, 2, 0)
    (plan,) = home.path.glob("outputs/*/*/plan.json")
    with (plan.parent / "runs.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4

    assert home("caching=false", *DATA).code == 0  # the same here: one path, local and cloud
    here = rows(next(path for path in home.path.glob("outputs/*/*") if not (path / "plan.json").exists()))
    for number in range(4):
        there = rows(plan.parent / str(number))
        assert [set(row) for row in there] == [set(here[0])] * len(there)
        assert len(there) == (12 * 2 if number % 2 == 0 else len(here))
        assert {row["page_cache"] for row in there} == {"remote"}
    for run in runs:
        assert run.data.metrics["cost/usd"] > 0
        assert run.data.metrics["cost/start_usd"] >= 0
        assert run.data.metrics["limit/network_mb_s"] in (1250, 2000)
    paid = sum(run.data.metrics[f"cost/{part}"] for run in runs for part in ("usd", "start_usd", "idle_usd"))
    assert float(re.search(r"cost +\$([\d.]+)", answer.err)[1]) == pytest.approx(paid, abs=1e-4)  # type: ignore[index]

    created = cloud.requests("CreateCluster")
    assert created[0]["cluster"]["config"]["gce_cluster_config"]["service_account"] == account
    everything = texts(home.path) + answer.out + answer.err
    everything = everything.replace((plan).read_text(), "")  # not an artifact: what resume starts from
    assert secret not in everything
    assert account not in everything


@pytest.mark.long
@pytest.mark.parametrize("runtime", ["2.3", "3.0"])
def test_serverless(home, cloud, runtime):
    wanted = ("cluster=serverless", f"cluster.runtime_version='{runtime}'", "cluster.packages=image", "quota=none")
    assert home(*wanted, "grid.reader=image_files", *DATA).code == 0
    (run,) = home.logged()
    assert run.info.status == "FINISHED"
    assert cloud.counts().batches_active == 0
    used = json.loads((home.runs[0] / "job" / "usage.json").read_text())
    spent = sum(run.data.metrics[f"cost/{part}"] for part in ("usd", "start_usd", "idle_usd"))
    assert run.data.metrics["cost/usd"] > 0
    assert spent == pytest.approx(0.06 * used["milli_dcu_seconds"] / 1000 / 3600)
    assert run.data.tags["cost_from"] == "usage"
    # The driver's output, from the bucket, or from Cloud Logging where the runtime uses no staging bucket.
    assert bool(cloud.requests("ListLogEntries")) == (runtime == "3.0")
    assert '"state": "finished"' in (home.runs[0] / "job" / "driver.log").read_text()


class TestWhatTheNotebookMet:
    """Its transcript: a quota in the middle, a stale cluster in the way, and a package that was not there."""

    def test_too_few_addresses(self, home, cloud):
        cloud.set_quota(**FREE_TIER)
        wanted = ("cluster=eight_nodes", "cluster.internal_ip_only=false", "cluster.packages=image")
        answer = home(*wanted, "quota.vcpus=null")
        assert answer.code == 1
        assert re.search(r"8 .*addresses.* of 7.*internal_ip_only=true", answer.err)
        assert not cloud.requests("CreateCluster")
        assert not list(home.path.glob("outputs/*/*"))
        answer = home(*wanted, "quota=none")  # and where we were not to look before, Google says it
        assert answer.code == 1
        assert "IN_USE_ADDRESSES" in answer.err
        assert cloud.counts().leaked == 0

    @pytest.mark.long
    def test_a_cluster_of_that_name_is_there_already(self, marked: Marked, cloud):
        """One that an earlier attempt left in ERROR, as the notebook's did, is no cluster to run on."""
        with cloud.hold("create"):
            launcher = marked.launch()
            until(lambda: bool(cloud.clusters()))
            launcher.kill()
            launcher.wait()
            cloud.fail_operation("CREATE", "INTERNAL", "no reason")
        until(lambda: list(cloud.clusters().values()) == ["ERROR"])
        marked.hold(None)
        answer = marked.resume()
        assert answer.code == 0, answer.err
        assert (cloud.counts().created, cloud.counts().leaked) == (2, 0)

    @pytest.mark.long
    @pytest.mark.parametrize(
        ("lacking", "message"),
        [
            (PACKAGES, r"gcsfs.* lacks a module.*cluster\.packages=stage"),
            (("tensorflow",), r"tensorflow cannot be imported on .*tensorflow-cpu=="),
        ],
    )
    def test_a_package_is_missing(self, home, cloud, lacking, message):
        cloud.lacking(*lacking)
        answer = home("cluster=single_node", "cluster.packages=image", *DATA)
        assert answer.code == 1
        assert re.search(message, answer.err)
        timed = home.path.glob("outputs/*/*/results/measurements.jsonl")
        assert not any(path.stat().st_size for path in timed)
        assert cloud.counts().leaked == 0
