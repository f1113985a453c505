"""A batch and its clusters: opened once, always closed, queued by quota, shared with jobs that were found."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from flowerexp.console import Screen
from flowerexp.errors import ClusterError, QuotaError
from flowerexp.journal.journal import Journal
from flowerexp.orchestrate import Batch, Ledger, batch, collect
from flowerexp.orchestrate.collect import Result
from flowerexp.orchestrate.events import RunningJob
from flowerexp.plan import plan
from tests.orchestrate.pretended import PLACE, Cluster, Dying, Job, Notes


def test_a_cluster_is_opened_once_for_all_its_runs_and_closed_after_them(sweep, world, tmp_path):
    notes = sweep(["cluster=single_node", "caching=true"], ["cluster=single_node", "caching=false"])
    assert world.events == ["open single_node", "submit single_node", "collect", "close single_node"]
    assert [state for name, state in notes.states if name == "single_node"] == ["creating", "running", "deleted"]
    assert {made.name for made in notes.clusters} == {"single_node"}
    assert ("job", "submitted") in notes.states
    folder = notes.intended["folder"]
    assert notes.intended["runs"] == ["0", "1"]
    assert notes.job == {"runs": ["0", "1"], "folder": folder, "handle": {"job": Path(folder).name}}
    assert notes.begun == notes.done == ["0", "1"]
    assert world.scopes == {Journal(tmp_path).scope()}
    assert "cluster single_node running: in another zone\n" in notes.printed
    assert "[2/2] finished" in notes.printed


def test_a_cluster_that_cannot_be_had_loses_its_runs_with_its_reason_and_not_those_of_others(sweep, world):
    world.refusal = QuotaError("16 vCPUs wanted, 8 available")
    notes = sweep(["cluster=single_node"], ["cluster=four_nodes"])
    assert set(notes.lost_runs) == {"0", "1"}
    assert all("16 vCPUs" in reason for reason in notes.lost_runs.values())
    assert world.events == ["open single_node", "close single_node", "open four_nodes", "close four_nodes"]


def test_a_job_is_written_down_before_it_is_submitted(sweep, world, tmp_path):
    world.bug = ClusterError("the answer was lost")
    notes = sweep(["cluster=single_node"])
    assert [state for state in notes.states if state[0] == "job"] == [("job", "submitting")]
    assert notes.lost_runs == {"0": "the answer was lost"}
    folder = notes.intended["folder"]
    assert folder.startswith("jobs/"), "below the sweep's folder, wherever that lies"
    assert notes.intended["handle"] == {"token": f"{Journal(tmp_path).scope()}/{Path(folder).name}"}


def test_a_job_that_may_have_been_submitted_is_submitted_again_as_the_same(sweep, world, config, tmp_path):
    made = config(*PLACE, "cluster=single_node", "grid=notebook")
    planned = plan([made], [tmp_path / "old"], "code")
    notes = sweep(["cluster=four_nodes"], jobs=[RunningJob(None, planned.runs, "jobs/1-0")])
    assert sorted(notes.done) == ["0", "old"]
    assert (tmp_path / "jobs" / "1-0" / "job.json").exists()


@pytest.mark.parametrize("recorded", [True, False])
def test_a_refusal_becomes_the_result_as_it_is(sweep, world, config, tmp_path, monkeypatch, recorded):
    monkeypatch.setattr(batch, "collect_run", collect.collect_run)
    monkeypatch.setattr("flowerexp.tracking.log_run", lambda *_: "id")
    world.refusal = QuotaError("no addresses left", where="quota", hint="take fewer workers")
    made = config(*PLACE, "cluster=single_node")
    planned = plan([made], [tmp_path / "0"], "code")
    results: list[Result] = []
    recorder: Any = Notes() if recorded else None
    Batch(planned, tmp_path, Screen(), Ledger(made), recorder).run(results.append)
    assert results[0].error is world.refusal
    record = json.loads((tmp_path / "0" / "run.json").read_bytes())
    assert record["error"] == str(world.refusal)
    assert record["started_at"] > 0, "it has no start of its own"


def test_a_cluster_that_could_not_be_deleted_is_said(sweep, world):
    world.stuck = True
    notes = sweep(["cluster=single_node"])
    assert "it may still be there" in notes.printed
    assert "its log is gone" in notes.printed
    assert notes.done == ["0"]


def test_a_cluster_is_asked_for_what_all_its_jobs_import(sweep, world, config):
    names = [["cluster=single_node"], ["cluster=single_node", "entrypoint=write_shards"]]
    sweep(*names)
    runs = plan([config(*PLACE, *own) for own in names], [Path("0"), Path("1")], "code").runs
    assert world.requires == {**runs[0].requires, **runs[1].requires} != {}


def test_clusters_work_side_by_side_only_as_far_as_the_quota_allows(sweep, world, config):
    there = ["cluster=four_nodes", "cluster.name=elsewhere", "cluster.region=europe-west1"]
    world.waits["elsewhere"] = threading.Event()  # the others stay open until this one is
    sweep(
        ["cluster=single_node"], ["cluster=four_nodes"], there,
        max_clusters=3, ledger=Ledger(config(*PLACE, "quota=free_tier")),
    )  # fmt: skip
    assert len(world.notes.done) == 3
    assert {"single_node", "elsewhere"} in world.together
    assert not any({"single_node", "four_nodes"} <= open_at_once for open_at_once in world.together)


@pytest.mark.timeout(120)
def test_the_quota_of_a_cluster_that_is_gone_is_free_for_the_next(sweep, world, config, monkeypatch):
    submit = Cluster.submit

    def submitting(self, files):
        if self.name == "four_nodes":
            world.gone.set()
        return submit(self, files)

    monkeypatch.setattr(Cluster, "submit", submitting)
    world.hung.add("2")  # in another region, until the one that waits for its quota is there
    there = ["cluster=four_nodes", "cluster.name=elsewhere", "cluster.region=europe-west1"]
    ledger = Ledger(config(*PLACE, "quota=free_tier"))
    notes = sweep(["cluster=single_node"], ["cluster=four_nodes"], there, max_clusters=3, ledger=ledger)
    assert sorted(notes.done) == ["0", "1"]


@pytest.mark.timeout(120)
def test_a_cluster_that_is_larger_than_the_quota_is_tried_while_no_other_is_there(sweep, world, config):
    ledger = Ledger(config(*PLACE, "quota=free_tier"))
    too_large = ["cluster=four_nodes", "cluster.workers.count=40"]
    notes = sweep(["cluster=single_node"], too_large, max_clusters=2, ledger=ledger)
    assert sorted(notes.done) == ["0", "1"], "the cloud says what is wrong with it, in better words than ours"
    assert not any({"single_node", "four_nodes"} <= open_at_once for open_at_once in world.together)


def test_a_cluster_that_nobody_needs_any_more_is_only_closed(sweep, world, config):
    left = config(*PLACE, "cluster=single_node").cluster
    sweep(["cluster=four_nodes"], clusters=[left])
    assert "close single_node" in world.events
    assert "open single_node" not in world.events


def test_a_job_that_was_found_shares_its_cluster_with_what_is_missing(sweep, world, config, tmp_path):
    made = config(*PLACE, "cluster=single_node", "grid=notebook")
    planned = plan([made], [tmp_path / "old"], "code")
    results = tmp_path / "old" / "results"
    results.mkdir(parents=True)
    folder = tmp_path / "jobs" / "1-0"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"runs": [{"output": str(results), "token": "t"}]}))
    files = type("Files", (), {"job": folder / "job.json", "folder": folder})()
    found = [RunningJob(Job(world, files), planned.runs, "jobs/1-0")]
    notes = sweep(["cluster=single_node"], jobs=found)
    assert sorted(notes.done) == ["0", "old"]
    assert [event for event in world.events if event.startswith("open")] == ["open single_node"]


def test_what_a_job_that_was_found_did_not_begin_goes_on_in_another(sweep, world, config, tmp_path):
    configs = [config(*PLACE, "cluster=single_node", "grid=notebook", f"measure.seed={seed}") for seed in range(3)]
    planned = plan(configs, [tmp_path / f"old{seed}" for seed in range(3)], "code")
    folder = tmp_path / "jobs" / "1-0"
    folder.mkdir(parents=True)
    listed = [{"output": str(run.folder / "results"), "token": "t"} for run in planned.runs]
    (folder / "job.json").write_text(json.dumps({"runs": listed}))
    files = type("Files", (), {"job": folder / "job.json", "folder": folder})()
    found = [RunningJob(Dying(world, files), planned.runs, "jobs/1-0")]
    notes = sweep(["cluster=four_nodes"], jobs=found)
    assert sorted(notes.done) == ["0", "old0", "old2"]
    assert set(notes.lost_runs) == {"old1"}
    assert [path.parent.name.partition("-")[2] for path in sorted((tmp_path / "jobs").glob("*-rest*/job.json"))] == [
        "rest0"
    ]


def test_a_job_s_folder_is_new_wherever_the_clock_stands(sweep, world, tmp_path, monkeypatch):
    monkeypatch.setattr("flowerexp.orchestrate.drive.time.time", lambda: 1000.0)
    for taken in ("1000-0", "1001-0"):
        (tmp_path / "jobs" / taken).mkdir(parents=True)
    assert sweep(["cluster=single_node"]).intended["folder"] == "jobs/1002-0"
