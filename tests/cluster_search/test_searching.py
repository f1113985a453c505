"""Searches for a cluster on this machine, with real Spark: what is aborted, known, dropped, and recommended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowerexp.tracking import default_store, ensure
from tests.cloud.marked import until
from tests.command import Answer, Home

pytestmark = [pytest.mark.spark, pytest.mark.long]

SCRIPT = '''
"""Marks its start; the second run never ends by itself."""
import time
from pathlib import Path
from flowerexp.workload import main

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

SMOKED = '''
"""Marks its start; the first run waits until it is let go, and two cores are too many for it."""
import time
from pathlib import Path
from flowerexp.workload import main

def run(spark, config):
    """One row."""
    path = Path(config["entrypoint"]["settings"]["marks"])
    cores, fraction = config["cluster"]["cores"], config["sampling"]["fraction"]
    with path.open("a") as marks:
        marks.write(f"{cores} of {fraction}\\n")
    while len(path.read_text().splitlines()) == 1 and not path.with_name("release").exists():
        time.sleep(0.05)
    if cores == 2:
        raise ValueError("too many cores")
    yield {"n": 1}

if __name__ == "__main__":
    main(run)
'''

SEARCH = ("hydra/sweeper=cluster_search", "hydra.sweeper.usd_per_vcpu_hour=0.05")


class Hanging(Home):
    """A home with an entrypoint."""

    def __init__(self, path: Path, script: str = SCRIPT, *uses: str) -> None:
        super().__init__(path)
        (path / "hanging.py").write_text(script)
        (path / "mine" / "entrypoint").mkdir(parents=True)
        config: dict[str, Any] = {"name": "hanging", "question": "What hangs?", "unit": "marks", "uses": [*uses]}
        config |= {"settings": {"marks": str(path / "marks")}, "limits": {"marks": {"type": "text"}}}
        config["script"] = str(path / "hanging.py")
        (path / "mine" / "entrypoint" / "hanging.yaml").write_text(json.dumps(config))

    def search(self, *overrides: str) -> Answer:
        """A search among clusters."""
        return self(*self.arguments(*overrides))

    def arguments(self, *overrides: str) -> list[str]:
        """Its command line."""
        return ["-m", "--config-dir", str(self.path / "mine"), "entrypoint=hanging", *SEARCH, *overrides]

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """What the searches have found, the oldest first."""
        paths = sorted(self.path.glob("outputs/*/*/search.json"), key=lambda path: path.stat().st_mtime)
        return [json.loads(path.read_bytes()) for path in paths]


def test_local_clusters_are_searched_and_what_is_known_is_not_run_again(tmp_path):
    home = Hanging(tmp_path)
    exclude = "sweep.exclude=[{cluster:local_nodes,cluster.cores:2}]"
    # Whether a third run would pay depends on how long the first two took here, so all three are asked for.
    answer = home.search("cluster=local,local_nodes", "cluster.cores=1,2", exclude, "hydra.sweeper.min_runs=3")
    assert answer.code == 0, answer.err
    (account,) = home.accounts
    tries = account["tries"]
    assert sorted(one["candidate"].split()[0] for one in tries) == ["local", "local", "local_nodes"], answer.err
    started = (tmp_path / "marks").read_text()
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
    assert "Which cluster to rent" in page.read_text()
    assert "dollars a run" in page.read_text()

    chosen = [choice for choice in ("cluster.cores=1", "cluster.cores=2") if f"local {choice[8:]}" in finished]
    answer = home.search(*(chosen or ["cluster=local_nodes"]))
    assert answer.code == 0, answer.err
    assert (tmp_path / "marks").read_text() == started, "it was known"
    assert [one["prior"] for one in home.accounts[1]["tries"]] == [True]
    assert home.accounts[1]["recommendation"]["spent_usd"] == 0


def test_a_search_killed_in_a_smoke_run_follows_that_run_and_drops_what_fails(tmp_path):
    home, marks = Hanging(tmp_path, SMOKED, "sampling"), tmp_path / "marks"
    arguments = home.arguments("cluster.cores=1,2", "hydra.sweeper.smoke=true")
    launcher = subprocess.Popen(
        [sys.executable, "-m", "flowerexp", *arguments],
        cwd=tmp_path,
        env=home.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: (marks.exists() and marks.read_text() != "") or launcher.poll() is not None)
        ensure(
            default_store(tmp_path)
        )  # the launcher may be making MLflow's store: killed in that, it leaves half of it
    finally:
        launcher.kill()  # before its run can go on, and the launcher with it
        launcher.wait()
        (tmp_path / "release").touch()
    (plan,) = tmp_path.glob("outputs/*/*/plan.json")
    answer = home("resume", plan.parent)
    assert answer.code == 0, answer.err
    assert marks.read_text().splitlines() == ["1 of 0.02", "2 of 0.02", "1 of 1.0"]
    (account,) = home.accounts
    assert [(one["candidate"], one["status"]) for one in account["smoke"]] == [
        ("cores=1", "finished"),
        ("cores=2", "failed"),
    ]
    assert [(one["candidate"], one["status"]) for one in account["tries"]] == [
        ("cores=2", "dropped"),
        ("cores=1", "finished"),
    ]
    assert "dropped   cores=2: its smoke run failed: " in answer.err
    assert "too many cores" in account["smoke"][1]["dropped"]
    assert "on 2 smoke runs and 1 runs" in answer.err
    found = account["recommendation"]
    assert (found["winner"], found["runs"]) == ("cores=1", 1)
    assert found["spent_usd"] == pytest.approx(found["usd"] + sum(one["usd"] for one in account["smoke"]))

    logged = {(run.data.params.get("sampling.fraction"), run.info.status) for run in home.logged()}
    assert logged >= {("0.02", "FINISHED"), ("0.02", "FAILED"), ("1.0", "FINISHED")}
    (summary,) = [run for run in home.logged() if run.data.tags.get("flowerexp.kind") == "sweep"]
    assert (summary.data.metrics["search/smoke_runs"], summary.data.metrics["search/dropped"]) == (2, 1)
    assert "its smoke run failed" in (plan.parent / "report.html").read_text()
    with (plan.parent / "runs.csv").open() as table:
        assert len(table.readlines()) == 1 + 2, "smoke runs are none of the runs that are compared"
