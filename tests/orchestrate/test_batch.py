"""A batch on clusters that have a life: opened once, always closed, queued by quota, stopped by the budget."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from flowerexp.cluster import ExistingCluster
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.dataproc.kind import DataprocKind
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.local.kind import LocalKind
from flowerexp.console import Screen
from flowerexp.errors import BudgetError, ClusterError, JobError, QuotaError, StoppedError
from flowerexp.job.results import read_outcome
from flowerexp.journal.journal import Journal
from flowerexp.orchestrate import Batch, BatchLimits, ClusterLifetime, Ledger, TimeLimit, batch, collect, logger
from flowerexp.orchestrate.collect import Result
from flowerexp.orchestrate.events import Inherited, RunningJob
from flowerexp.plan import plan

PLACE = ("gcp.project=mine", "quota=none")


class Job:
    """A job that has run: each of its runs has results, but those that the world says are lost."""

    def __init__(self, world, files):
        self.world, self.ended = world, not world.hanging
        runs = json.loads(files.job.read_bytes())["runs"]
        self.lines = []
        for one in runs:
            self.lines.append(json.dumps({"flowerexp": {"output": one["output"], "state": "started"}}))
            folder = Path(one["output"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "phases.json").write_text("{}")
            status = {"state": "finished", "facts": {}, "notes": [], "started_at": 1, "ended_at": 2}
            status["token"] = one["token"]
            (folder / "measurements.jsonl").write_text("{}\n")
            if not world.hanging:
                (folder / "status.json").write_text(json.dumps({**status, "error": None, "where": None, "hint": None}))
                self.lines.append(json.dumps({"flowerexp": {"output": one["output"], "state": "finished"}}))
        self.handle = {"job": files.folder.name}

    def poll(self):
        lines, self.lines = self.lines, []
        if self.world.hanging:
            self.world.working.set()
        return lines, 0 if self.ended else None

    def stop(self):
        self.ended = True

    def collect(self):
        self.world.events.append("collect")


class Dead:
    """A job that ends before it has done anything."""

    def __init__(self):
        self.handle: dict[str, Any] = {}

    def poll(self):
        return ["Error: no Java"], 1

    def stop(self):
        pass

    def collect(self):
        pass


class Cluster(ExistingCluster):
    on_this_host = False

    def __init__(self, world, config):
        self.world, self.name = world, config.name

    def open(self, scope, requires, observer):
        observer.notify("creating", {"name": self.name})
        self.world.open.add(self.name)
        self.world.together.add(frozenset(self.world.open))
        self.world.events.append(f"open {self.name}")
        for name, event in self.world.waits.items():
            event.set() if name == self.name else event.wait(20)
        if self.world.refusal:
            raise self.world.refusal
        while self.world.slow and not observer.stopping:
            self.world.working.set()
        if self.world.slow:
            raise StoppedError("stopped")
        observer.notify("running", {"name": self.name})

    def submit(self, files):
        self.world.events.append(f"submit {self.name}")
        if self.world.bug:
            raise self.world.bug
        if self.world.dead:
            return Dead()
        return Job(self.world, files)

    def close(self, scope, observer):
        self.world.events.append(f"close {self.name}")
        self.world.open.discard(self.name)
        if self.world.stuck:
            raise ClusterError("it may still be there")
        observer.notify("deleted", {"name": self.name})


class World:
    def __init__(self):
        self.events, self.open, self.together = [], set(), set()
        self.waits: dict[str, threading.Event] = {}
        self.refusal = self.bug = None
        self.slow = self.stuck = self.hanging = self.dead = False
        self.working = threading.Event()


class Notes:
    """A recorder that keeps what it is told."""

    def __init__(self):
        self.states, self.lost_runs, self.done, self.in_mlflow = [], {}, [], []

    def cluster(self, state, config, handle):
        self.states.append((handle["name"], state))

    def submitted(self, runs, folder, handle):
        self.states.append(("job", "submitted"))

    def submitting(self, runs, folder, handle):
        self.states.append(("job", "submitting"))
        self.intended = {"folder": folder, "handle": handle}

    def started(self, run):
        pass

    def ended(self, result):
        self.done.append(result.run.folder.name)

    def logged(self, result):
        self.in_mlflow.append(result.run.folder.name)

    def lost(self, run, reason):
        self.lost_runs[run.folder.name] = reason


@pytest.fixture
def world(monkeypatch):
    made = World()
    for kind in (LocalKind, DataprocKind):
        monkeypatch.setattr(kind, "backend", lambda self: Cluster(made, self.cluster))
    monkeypatch.setattr(batch, "Preparation", lambda *_: type("Nothing", (), {"finish": lambda self: None})())

    def read_only(run, submitted_at, end, refusal=None):
        outcome = read_outcome(run.folder / "results", end)
        error = refusal or (JobError(outcome.error) if outcome.error else None)
        return Result(run, outcome, None, None, error)

    monkeypatch.setattr(batch, "collect_run", read_only)
    monkeypatch.setattr(logger, "log", lambda run: f"id of {run.folder.name}")
    return made


@pytest.fixture
def sweep(config, tmp_path, world, capsys):
    """`sweep([overrides], ...)`: run a batch of one run for each list of overrides."""

    def run(*runs, ledger=None, jobs=(), clusters=(), **limits):
        configs = [config(*PLACE, *overrides) for overrides in runs]
        planned = plan(configs, [tmp_path / str(n) for n in range(len(configs))], "code")
        notes: Any = Notes()
        results: list[Result] = []
        ledger = ledger or Ledger(configs[0])
        made = Batch(planned, tmp_path, Screen(), ledger, notes, BatchLimits(**limits))
        try:
            made.run(results.append, Inherited(jobs, clusters))
        finally:
            notes.results, notes.printed = results, capsys.readouterr().err
            world.notes = notes
        return notes

    return run


def test_a_cluster_is_opened_once_for_all_its_runs_and_closed_after_them(sweep, world):
    notes = sweep(["cluster=single_node", "caching=true"], ["cluster=single_node", "caching=false"])
    assert world.events == ["open single_node", "submit single_node", "collect", "close single_node"]
    assert [state for name, state in notes.states if name == "single_node"] == ["creating", "running", "deleted"]
    assert ("job", "submitted") in notes.states
    assert sorted(notes.done) == ["0", "1"]
    assert "cluster single_node running" in notes.printed


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
def test_a_refusal_comes_home_as_it_is(sweep, world, config, tmp_path, monkeypatch, recorded):
    monkeypatch.setattr(batch, "collect_run", collect.collect_run)
    monkeypatch.setattr("flowerexp.tracking.log_run", lambda *_: "id")
    world.refusal = QuotaError("no addresses left", where="quota", hint="take fewer workers")
    made = config(*PLACE, "cluster=single_node")
    planned = plan([made], [tmp_path / "0"], "code")
    results: list[Result] = []
    recorder: Any = Notes() if recorded else None
    Batch(planned, tmp_path, Screen(), Ledger(made), recorder).run(results.append)
    assert results[0].error is world.refusal
    assert json.loads((tmp_path / "0" / "run.json").read_bytes())["error"] == str(world.refusal)


def test_a_mistake_of_ours_closes_the_cluster_and_ends_the_wait(sweep, world):
    world.bug = KeyError("what")
    notes = sweep(["cluster=single_node"])
    assert world.events[-1] == "close single_node"
    assert "KeyError" in notes.lost_runs["0"]


def test_a_cluster_that_could_not_be_deleted_is_said(sweep, world):
    world.stuck = True
    assert "it may still be there" in sweep(["cluster=single_node"]).printed


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
def test_a_cluster_that_is_larger_than_the_quota_is_tried_while_no_other_is_there(sweep, world, config):
    ledger = Ledger(config(*PLACE, "quota=free_tier"))
    too_large = ["cluster=four_nodes", "cluster.workers.count=40"]
    notes = sweep(["cluster=single_node"], too_large, max_clusters=2, ledger=ledger)
    assert sorted(notes.done) == ["0", "1"], "the cloud says what is wrong with it, in better words than ours"
    assert not any({"single_node", "four_nodes"} <= open_at_once for open_at_once in world.together)


def test_what_stops_a_sweep_ends_the_wait_for_a_cluster_too_and_deletes_it(sweep, world, config):
    world.slow = True
    ledger = Ledger(config(*PLACE, "budget.usd=1e-9"))
    with pytest.raises(BudgetError, match="the budget is used up"):
        sweep(["cluster=single_node"], ["cluster=four_nodes"], ledger=ledger)
    assert world.events == ["open single_node", "close single_node"]
    assert "the budget is used up" in world.notes.lost_runs["0"]
    assert "1" not in world.notes.lost_runs  # it never began: resume will start it


def test_the_budget_stops_a_running_job_and_what_was_spent_before_counts(sweep, world, config):
    world.hanging = True
    made = config(*PLACE, "cluster=single_node", "budget.usd=10")
    rate = kind_of(made.cluster).rate(Prices.load(None))
    assert rate is not None
    assert 0.1 < rate.total < 10
    before = ClusterLifetime(made.cluster, 0.0, 0.0, 3600 * 9.999999 / rate.total)
    assert Ledger(made, [before]).over_budget(0) is None
    with pytest.raises(BudgetError):
        sweep(["cluster=single_node"], ledger=Ledger(made, [before]))
    assert world.events[-2:] == ["collect", "close single_node"]
    assert "the budget" in world.notes.lost_runs["0"]


def test_a_run_that_takes_longer_than_its_limit_is_stopped_and_comes_home_as_aborted(sweep, world):
    world.hanging = True
    limit = TimeLimit(1e-3)
    notes = sweep(["cluster=single_node"], run_time=limit)
    assert limit.passed
    assert limit.taken > 1e-3
    assert "it can no longer win" in notes.lost_runs["0"]
    assert len(notes.results) == 1, "so that MLflow has it"
    assert world.events[-1] == "close single_node"


def test_a_run_that_is_stopped_keeps_its_rows_and_mlflow_waits_for_the_resume(
    sweep, world, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(batch, "collect_run", collect.collect_run)
    made = Job.__init__

    def measuring(self, world, files):
        made(self, world, files)
        (one,) = json.loads(files.job.read_bytes())["runs"]
        results = Path(one["output"])
        (results / "measurements.jsonl").unlink()
        told = {"token": one["token"], "started_at": 1.0, "facts": {"cores": 2}, "phases": {}, "notes": []}
        (results / "attempt.json").write_text(json.dumps(told))
        (results / "rows").mkdir()
        (results / "rows" / "00001.jsonl").write_text('{"images": 4, "seconds": 0.5, "attempt": 1}\n')

    monkeypatch.setattr(Job, "__init__", measuring)
    world.hanging = True
    made_config = config(*PLACE, "cluster=single_node", "budget.usd=10")
    before = ClusterLifetime(made_config.cluster, 0.0, 0.0, 3600 * 1000.0)
    with pytest.raises(BudgetError):
        sweep(["cluster=single_node"], ledger=Ledger(made_config, [before]))
    assert "the budget" in world.notes.lost_runs["0"]
    assert world.notes.results == []
    record = json.loads((tmp_path / "0" / "run.json").read_bytes())
    assert (record["state"], record["facts"]["cores"]) == ("failed", 2)
    assert "unfinished: 1 of " in record["notes"][0]
    assert (tmp_path / "0" / "analysis" / "measurements.parquet").exists()


def test_a_run_that_is_followed_anew_has_the_limit_from_its_first_start(sweep, world):
    world.hanging = True
    limit = TimeLimit(3600, started_at=1.0)
    sweep(["cluster=single_node"], run_time=limit)
    assert limit.taken > 3600


def test_a_limit_begins_after_what_later_runs_share():
    limit = TimeLimit(10, ("generate", "prepare"))
    limit.start(100.0)
    limit.hear({"phase": "prepare", "done": 1, "total": 2}, 150.0)
    assert not limit.passes(1000.0)
    limit.hear({"phase": "measure", "done": 0, "total": 0}, 1005.0)
    limit.hear({"phase": "measure", "done": 1, "total": 2}, 1010.0)
    assert not limit.passes(1014.0)
    assert limit.passes(1016.0)
    assert not limit.passes(1017.0), "once is enough"
    assert limit.taken == 11.0


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


def test_results_that_lie_there_already_are_not_taken_for_those_of_this_run(sweep, world, tmp_path):
    assert sweep(["cluster=single_node"]).done == ["0"]
    assert (tmp_path / "0" / "results" / "status.json").exists()
    world.dead = True
    notes = sweep(["cluster=single_node"])
    assert notes.done == []
    assert "ended without results (exit code 1): Error: no Java" in notes.lost_runs["0"]


def test_a_status_that_is_damaged_costs_its_own_run_only(sweep, world, tmp_path, monkeypatch):
    made = Job.__init__

    def damaging(self, world, files):
        made(self, world, files)
        (tmp_path / "0" / "results" / "status.json").write_text('{"state": "fini')

    monkeypatch.setattr(Job, "__init__", damaging)
    notes = sweep(["cluster=single_node", "caching=true"], ["cluster=single_node", "caching=false"])
    assert notes.done == ["1"]
    assert f"{tmp_path}/0/results/status.json is damaged" in notes.lost_runs["0"]
