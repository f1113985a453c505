"""A search for a cluster on this machine, with real Spark: aborted, recommended, and known when it is asked again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import Answer, Home

pytestmark = [pytest.mark.spark, pytest.mark.long]

SCRIPT = '''
"""Marks its start; the second run never ends by itself."""
import time
from pathlib import Path
from flowerexp.workload.runner import main

def run(spark, config):
    """One row."""
    path = Path(config["entrypoint"]["settings"]["marks"])
    with path.open("a") as marks:
        marks.write(f"{config['cluster']['kind']}\\n")
    while len(path.read_text().split()) == 2:
        time.sleep(0.05)
    yield {"n": 1}

if __name__ == "__main__":
    main(run)
'''

SEARCH = ("hydra/sweeper=cluster_search", "hydra.sweeper.usd_per_vcpu_hour=0.05")


class Hanging(Home):
    """A home with the entrypoint."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        (path / "hanging.py").write_text(SCRIPT)
        (path / "mine" / "entrypoint").mkdir(parents=True)
        config = {"name": "hanging", "script": str(path / "hanging.py"), "settings": {"marks": str(path / "marks")}}
        (path / "mine" / "entrypoint" / "hanging.yaml").write_text(json.dumps(config))

    def search(self, *overrides: str) -> Answer:
        """A search among clusters."""
        return self("-m", "--config-dir", self.path / "mine", "entrypoint=hanging", *SEARCH, *overrides)

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """What the searches have found, the oldest first."""
        paths = sorted(self.path.glob("outputs/*/*/search.json"), key=lambda path: path.stat().st_mtime)
        return [json.loads(path.read_bytes()) for path in paths]


def test_local_clusters_are_searched_and_what_is_known_is_not_run_again(tmp_path):
    home = Hanging(tmp_path)
    exclude = "sweep.exclude=[{cluster:local_nodes,cluster.cores:2}]"
    answer = home.search("cluster=local,local_nodes", "cluster.cores=1,2", exclude)
    assert answer.code == 0, answer.err
    (account,) = home.accounts
    assert sorted((tmp_path / "marks").read_text().split()) == ["local", "local", "local_nodes"]
    tries = account["tries"]
    assert [one["status"] for one in tries[:2]] == ["finished", "aborted"]
    assert tries[0]["limit_seconds"] is None
    assert tries[1]["seconds"] > tries[1]["limit_seconds"]
    finished = {one["candidate"]: one["usd"] for one in tries if one["status"] == "finished"}
    best = account["recommendation"]["winner"]
    assert finished[best] == min(finished.values())
    assert account["why"] == "all_tried"
    for one in tries:
        assert f"{one['candidate']}: {one['explanation']}" in answer.err
    assert f"rent      {best}: $" in answer.err

    (summary,) = [run for run in home.logged() if run.data.tags.get("flowerexp.kind") == "sweep"]
    assert (summary.info.status, summary.data.tags["search.winner"]) == ("FINISHED", best)
    assert summary.data.metrics["search/value"] == pytest.approx(finished[best])
    artifacts = {item.path for item in home.mlflow().list_artifacts(summary.info.run_id)}
    assert {"search.json", "report.html"} <= artifacts
    (page,) = tmp_path.glob("outputs/*/*/report.html")
    assert f"Rent <code>{best}</code>" in page.read_text()
    assert "Which cluster to rent. Each cluster by its dollars a run" in page.read_text()

    chosen = [choice for choice in ("cluster.cores=1", "cluster.cores=2") if f"local {choice[8:]}" in finished]
    answer = home.search(*(chosen or ["cluster=local_nodes"]))
    assert answer.code == 0, answer.err
    assert len((tmp_path / "marks").read_text().split()) == 3, "it was known"
    assert [one["prior"] for one in home.accounts[1]["tries"]] == [True]
    assert home.accounts[1]["recommendation"]["spent_usd"] == 0
