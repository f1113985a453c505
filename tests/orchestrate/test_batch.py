"""A batch on clusters that have a life: opened once, always closed, queued by quota, stopped by the budget."""

import json
import threading
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from flowerexp import orchestrate
from flowerexp.cluster import ExistingCluster
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.dataproc.kind import DataprocKind
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.local.kind import LocalKind
from flowerexp.console import Screen
from flowerexp.errors import BudgetError, ClusterError, DataError, JobError, MachineError, QuotaError, StoppedError
from flowerexp.job.bundle import Bundle, find_script
from flowerexp.job.results import read_outcome
from flowerexp.journal.journal import Journal
from flowerexp.orchestrate import Batch, BatchLimits, ClusterLifetime, Ledger, TimeLimit, batch, collect, logger
from flowerexp.orchestrate.collect import Result
from flowerexp.orchestrate.events import Inherited, RunningJob
from flowerexp.orchestrate.interrupt import Interrupt
from flowerexp.plan import plan
from flowerexp.workload import slots

PLACE = ("gcp.project=mine", "quota=none")


class Job:
    """A job that has run: each of its runs has results, but those that the world says are lost."""

    def __init__(self, world, files):
        runs = json.loads(files.job.read_bytes())["runs"]
        hanging = [one for one in runs if world.hanging or Path(one["output"]).parent.name in world.hung]
        self.world, self.ended, self.lines = world, not hanging, []
        for one in runs:
            self.lines.append(json.dumps({"flowerexp": {"output": one["output"], "state": "started"}}))
            folder = Path(one["output"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "phases.json").write_text("{}")
            status = {"state": "finished", "facts": {}, "notes": [], "started_at": 1, "ended_at": 2}
            status["token"] = one["token"]
            (folder / "measurements.jsonl").write_text("{}\n")
            if one not in hanging:
                (folder / "status.json").write_text(json.dumps({**status, "error": None, "where": None, "hint": None}))
                self.lines.append(json.dumps({"flowerexp": {"output": one["output"], "state": "finished"}}))
        self.handle = {"job": files.folder.name}

    def poll(self):
        lines, self.lines = self.lines, []
        if not self.ended:
            self.world.working.set()
            self.ended = self.world.gone.is_set()
        return lines, 0 if self.ended else None

    def stop(self):
        self.ended = True

    def collect(self):
        self.world.events.append("collect")
        if self.world.stuck:
            raise ClusterError("its log is gone")


class Dying(Job):
    """A job that dies in the second of its runs, or before that."""

    def __init__(self, world, files, before=False):
        super().__init__(world, files)
        for one in json.loads(files.job.read_bytes())["runs"][1:]:
            (Path(one["output"]) / "status.json").unlink()
        self.lines = [*self.lines[: 2 if before else 3], "Killed"]


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

    def output(self, folder, scope):
        self.world.scopes.add(scope)
        return super().output(folder, scope)

    def open(self, scope, requires, observer):
        self.world.scopes.add(scope)
        observer.notify("creating", {"name": self.name})
        self.world.open.add(self.name)
        self.world.together.add(frozenset(self.world.open))
        self.world.requires = requires
        self.world.events.append(f"open {self.name}")
        for name, event in self.world.waits.items():
            event.set() if name == self.name else event.wait(20)
        if self.world.refusal:
            raise self.world.refusal
        while self.world.slow and not observer.stopping:
            self.world.working.set()
        if self.world.slow:
            raise StoppedError("stopped")
        observer.notify("running", {"name": self.name}, "in another zone")

    def submit(self, files):
        self.world.events.append(f"submit {self.name}")
        if self.world.bug:
            raise self.world.bug
        if self.world.dead:
            return Dead()
        return Job(self.world, files)

    def close(self, scope, observer):
        self.world.scopes.add(scope)
        self.world.events.append(f"close {self.name}")
        self.world.open.discard(self.name)
        if self.world.stuck:
            raise ClusterError("it may still be there")
        observer.notify("deleted", {"name": self.name})


class World:
    def __init__(self):
        self.events, self.open, self.together, self.scopes = [], set(), set(), set()
        self.waits: dict[str, threading.Event] = {}
        self.refusal = self.bug = None
        self.slow = self.stuck = self.hanging = self.dead = False
        self.hung: set[str] = set()  # the runs that hang, by their names
        self.working, self.gone = threading.Event(), threading.Event()  # a job hangs; jobs that hang end


class Notes:
    """A recorder that keeps what it is told."""

    def __init__(self):
        self.states, self.lost_runs, self.begun, self.done, self.in_mlflow = [], {}, [], [], []
        self.clusters: list[Any] = []

    def cluster(self, state, config, handle):
        self.states.append((handle["name"], state))
        self.clusters.append(config)

    def submitted(self, runs, folder, handle):
        self.states.append(("job", "submitted"))
        self.job = {"runs": [run.folder.name for run in runs], "folder": folder, "handle": handle}

    def submitting(self, runs, folder, handle):
        self.states.append(("job", "submitting"))
        self.intended = {"runs": [run.folder.name for run in runs], "folder": folder, "handle": handle}

    def started(self, run):
        self.begun.append(run.folder.name)

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
            notes.left = [run.folder.name for run in made.left]
            world.notes = notes
        return notes

    return run


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
    record = json.loads((tmp_path / "0" / "run.json").read_bytes())
    assert record["error"] == str(world.refusal)
    assert record["started_at"] > 0, "it has no start of its own"


def test_a_mistake_of_ours_closes_the_cluster_and_ends_the_wait(sweep, world):
    world.bug = KeyError("what")
    notes = sweep(["cluster=single_node"])
    assert world.events[-1] == "close single_node"
    assert "KeyError" in notes.lost_runs["0"]
    assert "Traceback (most recent call last)" in notes.printed, "so that it can be reported"


def test_a_mistake_of_ours_costs_only_the_runs_that_had_not_ended(sweep, world, monkeypatch):
    submit = Cluster.submit

    def second_fails(self, files):
        if any(event.startswith("submit") for event in world.events):
            raise KeyError("what")
        return submit(self, files)

    monkeypatch.setattr(Cluster, "submit", second_fails)
    notes = sweep(["cluster=single_node"], ["cluster=single_node", "entrypoint=write_shards"])
    assert notes.done == ["0"]
    assert set(notes.lost_runs) == {"1"}


def test_a_single_run_that_is_stopped_has_failed(world, config, tmp_path):
    world.hanging = True
    made = config(*PLACE, "cluster=single_node", "budget.usd=1e-9")
    results: list[Result] = []
    with pytest.raises(BudgetError):
        Batch(plan([made], [tmp_path / "0"], "code"), tmp_path, Screen(), Ledger(made)).run(results.append)
    record = json.loads((tmp_path / "0" / "run.json").read_bytes())
    assert record["state"] == "running", "it was not collected: this world only reads"
    assert [str(result.error) for result in results] == ["it was stopped before it had results"]
    assert world.events[-1] == "close single_node"


def test_a_cluster_that_could_not_be_deleted_is_said(sweep, world):
    world.stuck = True
    notes = sweep(["cluster=single_node"])
    assert "it may still be there" in notes.printed
    assert "its log is gone" in notes.printed
    assert notes.done == ["0"]


def test_a_job_that_dies_costs_the_run_at_hand_alone(sweep, world, monkeypatch, tmp_path):
    def submit(self, files):
        runs = json.loads(files.job.read_bytes())["runs"]
        world.events.append(f"submit {len(runs)} in {files.folder.name.partition('-')[2]}")
        return (Dying if len(runs) > 1 else Job)(world, files)

    monkeypatch.setattr(Cluster, "submit", submit)
    notes = sweep(*(["cluster=single_node", f"measure.seed={seed}"] for seed in range(4)))
    assert notes.done == ["0", "2"]
    assert set(notes.lost_runs) == {"1", "3"}
    assert "ended without results (exit code 0): Killed" in notes.lost_runs["1"]
    assert (tmp_path / "1" / "job" / "driver.log").read_text() == "Killed\n"
    assert [event for event in world.events if event != "collect"] == [
        "open single_node", "submit 4 in 0", "submit 2 in 0-2", "close single_node"]  # fmt: skip


def test_rows_that_cannot_be_kept_are_the_reason(sweep, world, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flowerexp.job.rows.fetch", refuse)
    monkeypatch.setattr(Cluster, "submit", lambda self, files: Dying(world, files))
    notes = sweep(["cluster=single_node", "caching=true"], ["cluster=single_node", "caching=false"])
    assert "cannot be kept: [Errno 28] No space left on device" in notes.lost_runs["1"]


def test_a_job_that_dies_between_two_runs_costs_none(sweep, world, monkeypatch):
    def submit(self, files):
        runs = json.loads(files.job.read_bytes())["runs"]
        return Dying(world, files, before=True) if len(runs) > 1 else Job(world, files)

    monkeypatch.setattr(Cluster, "submit", submit)
    notes = sweep(*(["cluster=single_node", f"measure.seed={seed}"] for seed in range(3)))
    assert (notes.done, notes.lost_runs) == (["0", "1", "2"], {})


def test_a_mistake_of_ours_costs_no_run_that_was_lost_before(sweep, world, monkeypatch):
    def submit(self, files):
        if len(json.loads(files.job.read_bytes())["runs"]) == 1:
            raise KeyError("what")
        return Dying(world, files)

    monkeypatch.setattr(Cluster, "submit", submit)
    reads = [["cluster=single_node", f"measure.seed={seed}"] for seed in range(4)]
    notes = sweep(*reads, ["cluster=single_node", "entrypoint=write_shards"])
    assert ["Killed" in notes.lost_runs[name] for name in "134"] == [True, True, False]


def test_a_job_that_begins_no_run_loses_them_all(sweep, world):
    world.dead = True
    notes = sweep(["cluster=single_node", "caching=true"], ["cluster=single_node", "caching=false"])
    assert set(notes.lost_runs) == {"0", "1"}
    assert world.events == ["open single_node", "submit single_node", "close single_node"]


def test_a_cluster_is_asked_for_what_all_its_jobs_import(sweep, world, config):
    names = [["cluster=single_node"], ["cluster=single_node", "entrypoint=write_shards"]]
    sweep(*names)
    runs = plan([config(*PLACE, *own) for own in names], [Path("0"), Path("1")], "code").runs
    assert world.requires == {**runs[0].requires, **runs[1].requires} != {}


def test_a_full_disk_while_a_job_is_submitted_refuses_its_runs(sweep, world):
    world.bug = OSError(28, "No space left on device", "job.json")
    notes = sweep(["cluster=single_node"])
    assert notes.lost_runs["0"].startswith("submitting: job.json")
    assert "No space left on device" in notes.lost_runs["0"]


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


def test_what_stops_a_sweep_ends_the_wait_for_a_cluster_too_and_deletes_it(sweep, world, config):
    world.slow = True
    ledger = Ledger(config(*PLACE, "budget.usd=1e-9"))
    with pytest.raises(BudgetError, match="the budget is used up"):
        sweep(["cluster=single_node"], ["cluster=four_nodes"], ledger=ledger)
    assert world.events == ["open single_node", "close single_node"]
    assert "the budget is used up" in world.notes.lost_runs["0"]
    assert "spent; stopping" in world.notes.printed
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
    assert record["error"] == "it was stopped before it had results"
    assert "unfinished: 1 of " in record["notes"][0]
    assert (tmp_path / "0" / "analysis" / "measurements.parquet").exists()


def test_a_run_that_is_followed_anew_has_the_limit_from_its_first_start(sweep, world):
    world.hanging = True
    limit = TimeLimit(3600, started_at=1.0)
    sweep(["cluster=single_node"], run_time=limit)
    assert limit.taken > 3600


def test_a_limit_hears_in_which_phase_the_run_is(sweep, monkeypatch):
    made = Job.__init__

    def telling(self, world, files):
        made(self, world, files)
        self.lines.append(json.dumps({"flowerexp": {"phase": "prepare", "done": 0, "total": 0}}))

    monkeypatch.setattr(Job, "__init__", telling)
    limit = TimeLimit(3600, ("prepare",))
    sweep(["cluster=single_node"], run_time=limit)
    assert limit.sharing


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


@pytest.mark.parametrize(("most", "tried"), [(1, ["0"]), (2, ["0", "1"]), (None, ["0", "1", "2"])])
def test_so_many_failures_end_it(sweep, world, most, tried):
    world.dead = True
    clusters = ("single_node", "four_nodes", "eight_nodes")
    notes = sweep(*([f"cluster={name}"] for name in clusters), max_failures=most)
    assert sorted(notes.lost_runs) == tried


def test_too_many_failures_stop_the_clusters_beside(sweep, world, monkeypatch):
    world.hung.add("1")

    def submit(self, files):
        if self.name == "four_nodes":
            return Job(world, files)
        world.working.wait(60)  # until the other is at work
        return Dead()

    monkeypatch.setattr(Cluster, "submit", submit)
    notes = sweep(["cluster=single_node"], ["cluster=four_nodes"], max_failures=1, max_clusters=2)
    assert notes.lost_runs["1"] == "stopped"
    assert "no Java" in notes.lost_runs["0"]


class TestCtrlC:
    @pytest.fixture(autouse=True)
    def ctrl_c(self, world, monkeypatch):
        """It comes while a job hangs, and once its condition holds."""
        world.ready = threading.Event()
        world.ready.set()

        def raise_if_came(self):
            if world.working.is_set() and world.ready.is_set():
                raise KeyboardInterrupt

        monkeypatch.setattr(Interrupt, "raise_if_came", raise_if_came)

    def test_the_job_is_stopped_and_the_cluster_deleted(self, sweep, world):
        world.hanging = True
        with pytest.raises(KeyboardInterrupt):
            sweep(["cluster=single_node"], ["cluster=four_nodes"])
        assert world.events == ["open single_node", "submit single_node", "collect", "close single_node"]
        assert world.notes.lost_runs == {"0": "stopped"}, "the other one never began"
        assert ("single_node", "deleted") in world.notes.states
        assert "cluster single_node deleted" in world.notes.printed
        assert "MLflow" not in world.notes.printed

    def test_results_that_were_there_are_collected_and_mlflow_gets_them_later(
        self, sweep, world, monkeypatch, tmp_path
    ):
        answered = threading.Event()
        monkeypatch.setattr(logger, "log", lambda run: answered.wait(60))
        monkeypatch.setattr(logger, "_LAST_SECONDS", 0.0)
        world.hung.add("1")
        with pytest.raises(KeyboardInterrupt):
            sweep(["cluster=single_node", "caching=true"], ["cluster=single_node", "caching=false"])
        answered.set()
        assert (world.notes.done, world.notes.lost_runs) == (["0"], {"1": "stopped"})
        assert world.notes.results == []
        said = f"1 runs have results that MLflow does not have yet: flowerexp resume {tmp_path}"
        assert said in world.notes.printed

    def test_what_mlflow_takes_meanwhile_is_handed_over(self, sweep, world, monkeypatch):
        closed = threading.Event()
        world.ready.clear()

        def log(run):
            world.ready.set()
            closed.wait(60)
            return "its id"

        close = Cluster.close

        def closing(self, scope, observer):
            close(self, scope, observer)
            closed.set()

        monkeypatch.setattr(Cluster, "close", closing)
        monkeypatch.setattr(logger, "log", log)
        monkeypatch.setattr(logger, "_LAST_SECONDS", 60.0)
        world.hung.add("1")
        with pytest.raises(KeyboardInterrupt):
            sweep(["cluster=single_node", "caching=true"], ["cluster=single_node", "caching=false"])
        assert [result.run_id for result in world.notes.results] == ["its id"]
        assert world.notes.in_mlflow == ["0"]
        assert "does not have yet" not in world.notes.printed

    def test_what_was_attached_to_is_left_as_it_is(self, sweep, world):
        world.hanging = True
        with pytest.raises(KeyboardInterrupt):
            sweep(["cluster=single_node"], ["cluster=four_nodes"], leave=True)
        assert world.events == ["open single_node", "submit single_node"]
        assert world.notes.lost_runs == {}
        world.gone.set()  # lets the thread that follows the job end

    def test_a_single_run_is_logged_by_a_command_of_its_own(self, world, config, tmp_path, capsys):
        world.hanging = True
        made = config(*PLACE, "cluster=single_node")
        folder = tmp_path / "my run"
        results: list[Result] = []
        with pytest.raises(KeyboardInterrupt):
            Batch(plan([made], [folder], "code"), folder, Screen(), Ledger(made)).run(results.append)
        assert results == []
        assert f"does not have yet: flowerexp log '{folder}'\n" in capsys.readouterr().err


class TestSlots:
    """Where measurements are made on this machine, what else is work on it holds their slots."""

    @pytest.fixture
    def held(self, monkeypatch):
        """Who held how many slots: the class of the thread."""
        held: list[tuple[str, int]] = []

        @contextmanager
        def all_slots(concurrency, patience, notify):
            assert patience > 0
            held.append((type(threading.current_thread()).__name__, concurrency))
            yield

        monkeypatch.setattr(Cluster, "on_this_host", True)
        monkeypatch.setattr(slots, "all_slots", all_slots)
        return held

    @pytest.fixture
    def prepared(self, monkeypatch):
        """What was held while the libraries were loaded."""
        prepared: list[Any] = []

        class Preparation:
            def __init__(self, runs, slots_held):
                prepared.append((len(runs), isinstance(slots_held, nullcontext)))

            def finish(self):
                prepared.append("finished")

        monkeypatch.setattr(batch, "Preparation", Preparation)
        return prepared

    def test_while_results_are_collected_beside_other_runs(self, sweep, held, prepared):
        sweep(["cluster=single_node", "measure.concurrency=2"], ["cluster=single_node", "measure.concurrency=3"])
        assert {most for _, most in held} == {3}
        assert "_MainThread" in {who for who, _ in held}
        assert prepared[:2] == [(2, False), "finished"]

    def test_while_it_is_found_out_what_a_run_left_that_was_lost(self, sweep, world, held):
        world.dead = True
        sweep(["cluster=single_node"])
        assert "_MainThread" in {who for who, _ in held}

    def test_not_on_a_cluster(self, sweep, held, monkeypatch):
        monkeypatch.setattr(Cluster, "on_this_host", False)
        sweep(["cluster=single_node"])
        assert held == []

    def test_not_while_a_job_of_an_earlier_launcher_measures(self, sweep, config, tmp_path, held, prepared):
        planned = plan([config(*PLACE, "cluster=single_node", "grid=notebook")], [tmp_path / "old"], "code")
        sweep(["cluster=four_nodes"], jobs=[RunningJob(None, planned.runs, "jobs/1-0")])
        assert prepared[0] == (2, True)

    @pytest.mark.parametrize(("uri", "is_work"), [("sqlite:///{}/mlflow.db", True), ("http://127.0.0.1:1", False)])
    def test_logging_to_a_database_is_work_and_to_a_server_is_not(
        self, sweep, world, held, monkeypatch, tmp_path, uri, is_work
    ):
        def log(run):
            world.gone.set()
            return "id"

        monkeypatch.setattr(logger, "log", log)
        world.hung.add("1")  # so that the cluster is at work while the first is logged
        store = f"tracking.uri={uri.format(tmp_path)}"
        sweep(["cluster=single_node", "caching=true", store], ["cluster=single_node", "caching=false", store])
        assert ("Logger" in {who for who, _ in held}) == is_work


class TestOneRun:
    """`orchestrate.run`, which walks from a config to its result."""

    @pytest.fixture
    def settled(self, monkeypatch):
        settled: list[Any] = []
        monkeypatch.setattr(orchestrate, "settle", lambda runs, lifetimes, jobs: settled.append((runs, lifetimes)))
        return settled

    def test_its_result_has_what_else_was_to_be_recorded(self, world, config, tmp_path, settled):
        made = config(*PLACE, "cluster=single_node")
        folder = tmp_path / "one"
        folder.mkdir()
        result = orchestrate.run(made, folder, Screen(), {"rerun_of": "earlier"})
        assert (result.run_id, result.error) == ("id of one", None)
        assert (result.run.config, result.run.folder) == (made, folder)
        assert result.run.code_hash == Bundle(find_script(made.entrypoint.script)).code_hash
        assert json.loads((folder / "run.json").read_bytes())["rerun_of"] == "earlier"
        ((runs, (lifetime,)),) = settled
        assert runs == [result.run]
        assert lifetime.cluster == made.cluster
        assert lifetime.deleted_at is not None

    def test_a_folder_that_holds_a_run_is_refused(self, world, config, tmp_path, settled):
        (tmp_path / "results").mkdir()
        with pytest.raises(MachineError, match=r"^hydra\.run\.dir: .* holds a run already"):
            orchestrate.run(config(*PLACE, "cluster=single_node"), tmp_path, Screen())
        assert world.events == []

    def test_its_cluster_is_no_leftover_meanwhile(self, world, config, tmp_path, settled, monkeypatch):
        held = []

        def submit(self, files):
            with pytest.raises(DataError, match="is still running"), Journal(tmp_path).held():
                pass
            held.append(files.scope)
            return Job(world, files)

        monkeypatch.setattr(Cluster, "submit", submit)
        orchestrate.run(config(*PLACE, "cluster=single_node"), tmp_path, Screen())
        assert held == [Journal(tmp_path).scope()]


class TestDetached:
    """A batch that leaves its jobs to themselves."""

    def test_the_job_goes_on_and_its_cluster_stays(self, sweep, world):
        world.hanging = True
        notes = sweep(["cluster=single_node"], ["cluster=single_node", "caching=false"], detach=True)
        assert world.events == ["open single_node", "submit single_node"]
        assert notes.job["runs"] == ["0", "1"]
        assert notes.left == ["0", "1"]
        assert (notes.done, notes.lost_runs) == ([], {})

    def test_only_the_clusters_that_fit_are_opened(self, sweep, world):
        runs = (["cluster=single_node"], ["cluster=four_nodes"], ["cluster=eight_nodes"])
        notes = sweep(*runs, detach=True, max_clusters=2)
        assert set(notes.left) == {"0", "1"}
        assert world.open == {"single_node", "four_nodes"}

    def test_a_cluster_that_is_refused_makes_way_for_the_next(self, sweep, world):
        world.refusal = QuotaError("no addresses left")
        notes = sweep(["cluster=single_node"], ["cluster=four_nodes"], detach=True)
        assert (notes.left, set(notes.lost_runs)) == ([], {"0", "1"})
        assert not world.open
