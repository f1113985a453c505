"""What stops a batch: its budget, a limit for a run, Ctrl-C; and a batch that leaves its jobs to themselves."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
from flowerexp.console import Screen
from flowerexp.errors import BudgetError, QuotaError
from flowerexp.orchestrate import Batch, ClusterLifetime, Ledger, TimeLimit, batch, collect, logger
from flowerexp.orchestrate.collect import Result
from flowerexp.orchestrate.interrupt import Interrupt
from flowerexp.plan import plan
from tests.orchestrate.pretended import PLACE, Cluster, Job


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


def test_a_run_that_takes_longer_than_its_limit_is_stopped_and_its_result_says_so(sweep, world):
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
