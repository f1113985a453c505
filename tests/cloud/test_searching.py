"""A search among clusters in the cloud: killed, out of budget, refused a cluster, and still at its end."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from flowerexp.rehearsal.cloud import Cloud
from tests.cloud.marked import Marked

pytestmark = pytest.mark.spark

SCRIPT = '''
"""Marks its start; the second to start waits until it is let go."""
import time
from pathlib import Path
from flowerexp.workload import main

def run(spark, config):
    """One row."""
    settings = config["entrypoint"]["settings"]
    path = Path(settings["marks"])
    with path.open("a") as marks:
        marks.write(f"{config['cluster']['name']}\\n")
    while len(path.read_text().split()) == 2 and not Path(settings["release"]).exists():
        time.sleep(0.05)
    yield {"n": 1}

if __name__ == "__main__":
    main(run)
'''

THREE_NODES = """
defaults: [base/dataproc@_here_]
name: three_nodes
master: {machine_type: n1-standard-2, disk_type: pd-ssd, disk_gb: 100}
workers: {count: 2, machine_type: n1-standard-2, disk_type: pd-standard, disk_gb: 100}
"""


class Searched(Marked):
    """A home with a search among four clusters; of all of them, which aborts no run, so that one can wait."""

    def __init__(self, path: Path, cloud: Cloud) -> None:
        super().__init__(path, cloud)
        (path / "marking.py").write_text(SCRIPT)
        (path / "mine" / "cluster").mkdir()
        (path / "mine" / "cluster" / "three_nodes.yaml").write_text(THREE_NODES)

    def arguments(self, *overrides: str) -> list[str]:
        """The command line of the search."""
        clusters = "cluster=single_node,four_nodes,three_nodes,eight_nodes"
        search = ["hydra/sweeper=cluster_search", "hydra.sweeper.rule=exhaustive", "cluster.packages=image"]
        return ["-m", "--config-dir", str(self.path / "mine"), "entrypoint=marking", clusters, *search, *overrides]

    @property
    def account(self) -> dict[str, Any]:
        """What the search has found."""
        account: dict[str, Any] = json.loads((self.sweep / "search.json").read_bytes())
        return account


@pytest.mark.long
def test_killed_out_of_budget_and_refused_a_cluster(tmp_path: Path, cloud: Cloud) -> None:
    home = Searched(tmp_path, cloud)
    try:
        launcher = home.start()
        launcher.send_signal(signal.SIGKILL)
        launcher.wait()
        assert cloud.counts().leaked == 1

        answer = home("resume", home.sweep, "--budget", "1e-6")
        assert answer.code == 1
        assert "the budget is used up" in str(home.events("lost")[-1]["error"])
        assert cloud.counts().leaked == 0
        assert (home.account["finished"], home.account["recommendation"]["winner"]) == (False, "three_nodes")
        assert "rent      three_nodes: $" in answer.err

        cloud.fail_operation("CREATE", "INTERNAL", "Failed to initialize node")
        answer = home.resume()
        assert answer.code == 0, answer.err
        assert home.marks == ["three_nodes", "four_nodes", "single_node"], "what had finished is not run again"
        tries = {one["candidate"]: one for one in home.account["tries"]}
        assert {name: one["status"] for name, one in tries.items()} == {
            "eight_nodes": "refused",  # by the quota, before anything began
            "single_node": "finished",
            "four_nodes": "refused",  # Google could not make it
            "three_nodes": "finished",
        }
        assert "Failed to initialize node" in answer.err
        counts = cloud.counts()
        assert (counts.leaked, counts.created) == (0, counts.deleted)
        found = home.account["recommendation"]
        costs = {name: one["usd"] for name, one in tries.items() if one["usd"]}
        assert found["winner"] == min(costs, key=costs.__getitem__)
        assert found["spent_usd"] > sum(costs.values()), "the starts of clusters are paid for, too"
        assert found["value"] == pytest.approx(min(costs.values()))
    finally:
        home.close()
