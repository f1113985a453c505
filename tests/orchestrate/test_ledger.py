"""What clusters use of the quotas and cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowerexp.cluster.cost import Prices
from flowerexp.cluster.dataproc.kind import DataprocKind
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.quota import QuotaLimits
from flowerexp.errors import ConfigError
from flowerexp.orchestrate import ClusterLifetime, Ledger

CLOUD = ("gcp.project=mine", "cluster=single_node")
HOUR = 3600.0


@pytest.fixture
def run(config):
    return config(*CLOUD, "quota=none")


@pytest.fixture
def usd_per_hour(run):
    rate = kind_of(run.cluster).rate(Prices.load(None))
    assert rate is not None
    return rate.total


def test_a_cluster_costs_from_its_creation_on_not_from_when_it_was_ready(run, usd_per_hour):
    ledger = Ledger(run, [ClusterLifetime(run.cluster, 0.0, 0.5 * HOUR, 2 * HOUR)])
    assert ledger.spent(100 * HOUR) == pytest.approx(2 * usd_per_hour)


def test_a_cluster_that_is_still_there_costs_until_now(run, usd_per_hour):
    ledger = Ledger(run)
    ledger.note(run.cluster, "creating", 1 * HOUR)
    ledger.note(run.cluster, "running", 2 * HOUR)
    ledger.note(run.cluster, "running", 3 * HOUR)
    assert ledger.spent(5 * HOUR) == pytest.approx(4 * usd_per_hour)
    assert [lifetime.ready_at for lifetime in ledger.lifetimes] == [2 * HOUR]
    ledger.note(run.cluster, "deleted", 6 * HOUR)
    assert ledger.spent(100 * HOUR) == pytest.approx(5 * usd_per_hour)
    ledger.note(run.cluster, "creating", 7 * HOUR)
    assert ledger.spent(8 * HOUR) == pytest.approx(6 * usd_per_hour), "one that is created again is paid for again"
    assert len(ledger.lifetimes) == 2


def test_a_deletion_of_what_was_never_created_costs_nothing(run):
    ledger = Ledger(run)
    ledger.note(run.cluster, "deleted", HOUR)
    assert (ledger.spent(9 * HOUR), ledger.lifetimes) == (0.0, [])


def test_the_budget_is_used_up_when_all_of_it_is_spent(run, usd_per_hour):
    limited = replace(run, budget=replace(run.budget, usd=usd_per_hour))
    ledger = Ledger(limited, [ClusterLifetime(run.cluster, 0.0)])
    assert ledger.over_budget(0.999 * HOUR) is None
    assert (
        ledger.over_budget(1.001 * HOUR) == f"the budget is used up: ${usd_per_hour:.2f} of ${usd_per_hour:.2f} spent"
    )
    assert Ledger(run, [ClusterLifetime(run.cluster, 0.0)]).over_budget(1e9) is None, "there is none"


def test_what_is_there_at_once_has_no_start_to_pay_for(run):
    """Such as the service that runs batches."""
    ledger = Ledger(run)
    ledger.note(run.cluster, "running", 1 * HOUR)
    ledger.note(run.cluster, "deleted", 3 * HOUR)
    assert ledger.lifetimes == [ClusterLifetime(run.cluster, 1 * HOUR, 1 * HOUR, 3 * HOUR)]


def test_without_a_price_nothing_is_counted_unless_a_budget_is_to_be_kept(run):
    unknown = replace(run.cluster, region="nowhere-1")
    assert Ledger(run).usd(unknown, HOUR) == 0.0
    with pytest.raises(ConfigError, match="nowhere-1"):
        Ledger(replace(run, budget=replace(run.budget, usd=1.0))).usd(unknown, HOUR)


def test_a_cluster_whose_price_nobody_knows_costs_nothing(config):
    made = config("cluster=spark_master", "cluster.master=spark://host:7077")
    assert Ledger(made).usd(made.cluster, HOUR) == 0.0


class TestQuota:
    @pytest.fixture
    def ledger(self, config):
        return Ledger(config(*CLOUD, "quota=free_tier"))

    def test_what_is_there_counts_until_nothing_is_left_of_it(self, ledger, config):
        small, large = config(*CLOUD).cluster, config("gcp.project=mine", "cluster=four_nodes").cluster
        assert ledger.fits(large)
        ledger.take(large)
        assert not ledger.fits(small)
        ledger.give_back(large)
        assert ledger.fits(small)
        ledger.give_back(large)

    def test_each_region_and_project_has_its_own(self, ledger, config):
        ledger.take(config("gcp.project=mine", "cluster=four_nodes").cluster)
        assert not ledger.fits(config(*CLOUD).cluster)
        assert ledger.fits(config(*CLOUD, "cluster.region=europe-west1").cluster)
        assert ledger.fits(config("cluster=single_node", "gcp.project=other").cluster)

    def test_the_cloud_is_asked_once_for_each_place(self, config, monkeypatch):
        asked = []

        def live_limits(kind):
            asked.append(kind.place.region)
            return QuotaLimits(vcpus=8)

        monkeypatch.setattr(DataprocKind, "live_limits", live_limits)
        ledger = Ledger(config(*CLOUD, "quota=live"))
        small, there = config(*CLOUD).cluster, config(*CLOUD, "cluster.region=europe-west1").cluster
        assert ledger.fits(small)
        ledger.take(small)
        assert not ledger.fits(config("gcp.project=mine", "cluster=four_nodes").cluster)
        assert ledger.fits(there)
        assert asked == ["us-central1", "europe-west1"]

    def test_this_machine_has_none(self, ledger, config):
        ledger.take(config("gcp.project=mine", "cluster=four_nodes").cluster)
        assert ledger.fits(config("cluster=local").cluster)
