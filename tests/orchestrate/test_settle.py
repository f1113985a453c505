"""What each run pays of its cluster's cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowerexp import records, tracking
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
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
def made(config, tmp_path):
    """Runs on one cluster, by their names, which kept it busy for so many seconds each."""

    def make(**seconds):
        runs = []
        for name, busy in seconds.items():
            run = PlannedRun(
                name, config("gcp.project=mine", "quota=none", "cluster=single_node"), tmp_path / name, "code"
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


def test_settling_again_changes_only_what_is_new(made, logged):
    (run,) = made(run=1 * HOUR)
    lifetimes = [ClusterLifetime(run.config.cluster, HOUR, HOUR, 3 * HOUR)]
    first = settle([run], lifetimes)
    logged.clear()
    assert settle([run], lifetimes) == first
    assert logged == {}, "MLflow has these"


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
    whole, damaged = made(whole=1 * HOUR, damaged=1 * HOUR)
    (damaged.folder / "run.json").write_text("{")
    settle([whole, damaged], [ClusterLifetime(whole.config.cluster, HOUR, HOUR, 3 * HOUR)])
    assert facts(whole)["cost/usd"] == pytest.approx(rate_of(whole))
    assert set(logged) == {"whole"}
