"""What each run pays of its cluster's cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowerexp import records, tracking
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.serverless import usage
from flowerexp.errors import TrackingError
from flowerexp.orchestrate import ClusterLifetime, settle
from flowerexp.orchestrate.collect import SECONDS, record
from flowerexp.plan import PlannedRun

HOUR = 3600.0


@pytest.fixture
def logged(monkeypatch):
    """The metrics that MLflow was given, by the run's name."""
    given: dict[str, dict[str, float]] = {}
    monkeypatch.setattr(tracking, "add_metrics", lambda folder, store, facts: given.setdefault(folder.name, facts))
    return given


@pytest.fixture
def tagged(monkeypatch):
    """The tags that MLflow was given, by the run's name."""
    given: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(tracking, "add_tags", lambda folder, store, tags: given.update({folder.name: tags}))
    return given


@pytest.fixture
def made(config, tmp_path):
    """Runs on one cluster, by their names, which kept it busy for so many seconds each."""

    def make(cluster="single_node", **seconds):
        runs = []
        for name, busy in seconds.items():
            run = PlannedRun(
                name, config("gcp.project=mine", "quota=none", f"cluster={cluster}"), tmp_path / name, "code"
            )
            run.folder.mkdir()
            record(run, 1.0, {"ended_at": 2.0, "state": "finished", "facts": {SECONDS: busy} if busy else {}})
            runs.append(run)
        return runs

    return make


def rate_of(run):
    rate = kind_of(run.config.cluster).rate(Prices.load())
    assert rate is not None
    return rate.total


def facts(run):
    return records.of_run(run.folder)["facts"]


def test_runs_pay_for_their_own_time_and_share_the_start_and_the_rest(made, logged):
    long, short = made(long=1.5 * HOUR, short=0.5 * HOUR)
    usd = rate_of(long)
    spent = settle([long, short], [ClusterLifetime(long.config.cluster, 0.0, 0.5 * HOUR, 3 * HOUR)])
    assert spent == pytest.approx(3 * usd)
    assert facts(long)["cost/usd"] == pytest.approx(1.5 * usd)
    assert facts(short)["cost/usd"] == pytest.approx(0.5 * usd)
    assert facts(long)["cost/start_usd"] == pytest.approx(0.75 * 0.5 * usd)
    assert facts(short)["cost/idle_usd"] == pytest.approx(0.25 * 0.5 * usd)
    assert logged["long"]["cost/usd"] == facts(long)["cost/usd"]


def test_a_cluster_that_was_created_twice_is_paid_for_twice(made, logged):
    (run,) = made(run=1 * HOUR)
    lifetimes = [
        ClusterLifetime(run.config.cluster, 0.0, 0.25 * HOUR, 1 * HOUR),
        ClusterLifetime(run.config.cluster, 5 * HOUR, None, 6 * HOUR),
    ]
    assert settle([run], lifetimes) == pytest.approx(2 * rate_of(run))
    assert facts(run)["cost/start_usd"] == pytest.approx(1.25 * rate_of(run)), "one that was never ready only started"


def test_a_cluster_that_is_still_there_is_not_settled(made, logged):
    (run,) = made(run=1 * HOUR)
    assert settle([run], [ClusterLifetime(run.config.cluster, 0.0, 1.0)]) is None
    assert "cost/usd" not in facts(run)


def test_without_a_price_nothing_is_settled(made, logged):
    (run,) = made(run=1 * HOUR)
    nowhere = replace(run.config.cluster, region="nowhere-1")
    assert settle([run], [ClusterLifetime(nowhere, 0.0, 1.0, HOUR)]) is None


def test_one_without_a_price_does_not_keep_others_from_being_settled(made, logged):
    (run,) = made(run=1 * HOUR)
    nowhere = replace(run.config.cluster, region="nowhere-1")
    lifetimes = [ClusterLifetime(nowhere, 1.0, 1.0, HOUR), ClusterLifetime(run.config.cluster, HOUR, HOUR, 3 * HOUR)]
    assert settle([run], lifetimes) == pytest.approx(2 * rate_of(run))


def test_the_prices_and_the_store_are_those_of_the_runs(made, monkeypatch, tmp_path):
    (run,) = made(run=1 * HOUR)
    (tmp_path / "prices.yaml").write_text("minimum_seconds: 360000\n")
    budget = replace(run.config.budget, prices=str(tmp_path / "prices.yaml"))
    run = replace(run, config=replace(run.config, budget=budget))
    stores = []
    monkeypatch.setattr(tracking, "add_metrics", lambda folder, store, facts: stores.append(store))
    assert settle([run], [ClusterLifetime(run.config.cluster, HOUR, HOUR, 3 * HOUR)]) == pytest.approx(
        100 * rate_of(run)
    )
    assert stores == [tracking.Store.of(run.config.tracking)]


def test_a_run_that_kept_its_cluster_busy_for_nothing_pays_nothing_of_its_own(made, logged):
    idle, busy = made(idle=0.0, busy=1 * HOUR)
    settle([idle, busy], [ClusterLifetime(busy.config.cluster, HOUR, HOUR, 3 * HOUR)])
    assert facts(idle)["cost/usd"] == 0
    assert facts(busy)["cost/idle_usd"] == pytest.approx(rate_of(busy))


def test_settling_again_changes_only_what_is_new(made, logged):
    (run,) = made(run=1 * HOUR)
    lifetimes = [ClusterLifetime(run.config.cluster, HOUR, HOUR, 3 * HOUR)]
    first = settle([run], lifetimes)
    logged.clear()
    assert settle([run], lifetimes) == first
    assert logged == {}, "MLflow has these"


class TestUsage:
    """Batches cost what Google has measured of them."""

    @pytest.fixture
    def batch(self, made, tmp_path):
        """Two runs of one batch, which used 12 DCU for half an hour, and its job's folder."""
        runs = made("serverless", one=600.0, two=300.0)
        folder = tmp_path / "jobs" / "here"
        folder.mkdir(parents=True)
        listed = [{"run_key": run.run_key, "token": "t"} for run in runs]
        records.write(folder / "job.json", {"runs": listed})
        usage.write(folder, 12_000 * 1800, 0)
        return runs, folder

    def test_is_what_runs_pay_for_whatever_the_time_says(self, batch, logged, tagged):
        runs, folder = batch
        spent = settle(runs, [ClusterLifetime(runs[0].config.cluster, HOUR, HOUR + 60, 2 * HOUR)], [folder])
        assert spent == pytest.approx(6 * 0.06)
        paid = [sum(facts(run)[f"cost/{part}"] for part in ("usd", "start_usd", "idle_usd")) for run in runs]
        assert sum(paid) == pytest.approx(spent)
        assert paid[0] == pytest.approx(2 * paid[1])
        assert [records.of_run(run.folder)["cost_from"] for run in runs] == ["usage", "usage"]
        assert tagged == {"one": {"cost_from": "usage"}, "two": {"cost_from": "usage"}}

    def test_of_which_a_part_is_missing_is_estimated(self, batch, logged, tagged, tmp_path):
        runs, folder = batch
        other = tmp_path / "jobs" / "unmeasured"
        other.mkdir()
        (other / "job.json").write_bytes((folder / "job.json").read_bytes())
        spent = settle(runs, [ClusterLifetime(runs[0].config.cluster, HOUR, HOUR, 2 * HOUR)], [folder, other])
        assert spent == pytest.approx(rate_of(runs[0]))
        assert tagged["one"] == {"cost_from": "estimate"}

    def test_that_comes_later_replaces_the_estimate(self, batch, logged, tagged):
        runs, folder = batch
        lifetimes = [ClusterLifetime(runs[0].config.cluster, HOUR, HOUR, 2 * HOUR)]
        assert settle(runs, lifetimes) == pytest.approx(rate_of(runs[0]))
        assert tagged["one"] == {"cost_from": "estimate"}
        assert settle(runs, lifetimes, [folder]) == pytest.approx(6 * 0.06)
        assert records.of_run(runs[0].folder)["cost_from"] == "usage"

    def test_of_machines_is_time(self, made, logged, tagged, batch):
        (run,) = made(alone=600.0)
        assert settle([run], [ClusterLifetime(run.config.cluster, HOUR, HOUR, 2 * HOUR)], [batch[1]]) == pytest.approx(
            rate_of(run)
        )
        assert tagged["alone"] == {"cost_from": "estimate"}


def test_a_run_that_mlflow_refuses_does_not_keep_the_others_from_their_share(made, monkeypatch):
    one, other = made(one=1 * HOUR, other=1 * HOUR)

    def refuse(folder, store, facts):
        if folder.name == "one":
            raise TrackingError("refused")

    monkeypatch.setattr(tracking, "add_metrics", refuse)
    with pytest.raises(TrackingError, match="refused"):
        settle([one, other], [ClusterLifetime(one.config.cluster, HOUR, HOUR, 3 * HOUR)])
    assert facts(one)["cost/usd"] == facts(other)["cost/usd"] > 0


def test_a_damaged_record_pays_nothing(made, logged):
    whole, damaged, partial = made(whole=1 * HOUR, damaged=1 * HOUR, partial=1 * HOUR)
    (damaged.folder / "run.json").write_text("{")
    records.write(partial.folder / "run.json", {"state": "finished"})
    settle([whole, damaged, partial], [ClusterLifetime(whole.config.cluster, HOUR, HOUR, 3 * HOUR)])
    assert facts(whole)["cost/usd"] == pytest.approx(rate_of(whole))
    assert set(logged) == {"whole"}
