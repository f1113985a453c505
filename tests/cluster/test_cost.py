"""What clusters cost: the rates, the minimum, and a user's own prices."""

import datetime

import pytest

from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.cluster.dataproc.nodes import Nodes
from flowerexp.cluster.google import machines
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.serverless.config import Serverless
from flowerexp.cluster.serverless.rate import FoundBatch, billed
from flowerexp.errors import ConfigError
from tests.cluster.configs import made

PRICES = Prices.load()


def rate(*overrides, prices=PRICES):
    return kind_of(made(*overrides).cluster).rate(prices)


def test_four_nodes_by_hand():
    found = rate("cluster=four_nodes")
    assert found is not None
    assert found.machines == pytest.approx(4 * 0.095, rel=1e-4)
    assert found.disks == pytest.approx((100 * 0.17 + 3 * 666 * 0.04) / 730)
    assert found.fee == pytest.approx(8 * 0.010)
    assert found.addresses == 0
    assert found.total == pytest.approx(found.machines + found.disks + found.fee)


def test_addresses_cost_where_machines_have_them():
    found = rate("cluster=eight_nodes", "cluster.internal_ip_only=false")
    assert found is not None
    assert found.addresses == pytest.approx(8 * 0.005)


@pytest.mark.parametrize(
    ("machine", "hourly"),
    [("n1-standard-2", 0.095), ("n1-standard-4", 0.19), ("n1-standard-8", 0.38), ("e2-standard-2", 0.067),
     ("e2-standard-4", 0.134), ("e2-standard-8", 0.268), ("n2-standard-2", 0.0971), ("n2-standard-4", 0.1942),
     ("n2-standard-8", 0.3884), ("n1-highmem-2", 0.118303)],
)  # fmt: skip
def test_the_documented_prices_of_machines(machine, hourly):
    found = rate("cluster=single_node", f"cluster.master.machine_type={machine}")
    assert found is not None
    assert found.machines == pytest.approx(hourly, rel=2e-3)


@pytest.mark.parametrize(
    ("machine", "hourly", "spot"),
    [("n1-highmem-2", 0.118303, 0.055524), ("n2-highmem-128", 7.706976, 4.423168),
     ("n2d-highcpu-128", 3.992064, 1.399168), ("e2-highmem-2", 0.09039966, 0.054244),
     ("c2-standard-16", 0.835232, 0.461472),
     ("c2d-highmem-112", 6.85832, 3.06544), ("c3-highcpu-22", 0.935572, 0.291368),
     ("c4-highcpu-96", 4.082496, 2.449536),
     ("n4-highcpu-80", 3.0616, 1.8288), ("n4d-highcpu-96", 3.43008, 1.830144)],
)  # fmt: skip
def test_the_catalogue_s_prices_of_types_that_the_rates_were_not_solved_from(machine, hourly, spot):
    found = machines.machine(machine)
    assert PRICES.hour(found, "us-central1") == pytest.approx(hourly, rel=1e-6)
    for model in ("spot", "preemptible"):
        assert PRICES.hour(found, "us-central1", model) == pytest.approx(spot, rel=1e-4)


def test_spot_without_a_price_is_said():
    own = machines.Machine("n3-standard-2", "n3", 2, 8)
    with pytest.raises(ConfigError, match=r"cluster.secondary: there is no price of spot n3 machines in us-east1"):
        PRICES.hour(own, "us-east1", "spot", "cluster.secondary")


def test_secondary_workers_cost_what_their_kind_does_and_count_for_disks_and_fee():
    without = rate("cluster=four_nodes")
    assert without is not None
    for kind, hourly in (("standard", 0.095), ("spot", 0.044586), ("preemptible", 0.044586)):
        found = rate("cluster=four_nodes", f"cluster.secondary={{count: 2, kind: {kind}}}")
        assert found is not None
        assert found.secondary == pytest.approx(2 * hourly, rel=1e-3)
        assert found.machines == without.machines
        assert found.fee == pytest.approx(without.fee * 12 / 8)
        assert found.total == pytest.approx(found.machines + found.secondary + found.disks + found.fee)


def test_a_hyperdisk_costs_its_size_and_what_is_provisioned_beyond_what_is_included(tmp_path):
    own = tmp_path / "prices.yaml"
    own.write_text(
        "regions: {us-central1: {disks: {hyperdisk-balanced: 0.1, hyperdisk-balanced_iops: 0.01,"
        " hyperdisk-balanced_mib_s: 0.05}}}\n"
    )
    disk = "machine_type: n4-standard-8, disk_type: hyperdisk-balanced, disk_gb: 100"
    for more, monthly in [("", 10), (", disk_iops: 4000, disk_mib_s: 240", 10 + 10 + 5)]:
        found = rate("cluster=single_node", f"cluster.master={{{disk}{more}}}", prices=Prices.load(str(own)))
        assert found is not None
        assert found.disks == pytest.approx(monthly / 730)


def test_another_region():
    found = rate("cluster=single_node", "cluster.region=europe-west4")
    assert found is not None
    assert found.machines == pytest.approx(4 * 0.104584, rel=1e-4)
    assert found.disks == pytest.approx(100 * 0.187 / 730)


def test_serverless_in_the_example_of_the_documentation():
    """12 DCU for 24 hours in us-central1 are $17.28."""
    found = rate("cluster=serverless")
    assert found is not None
    assert found.usd(24 * 3600) == pytest.approx(17.28)


def test_the_premium_tier_of_serverless():
    found = rate("cluster=serverless", "cluster.tier=premium")
    assert found is not None
    assert found.usd(3600) == pytest.approx(12 * 0.089)
    assert FoundBatch("us-central1", 2, 4, "premium").rate(PRICES) == found


@pytest.mark.parametrize(("tier", "gb"), [("standard", 3 * 400), ("premium", 3 * 375)])
def test_shuffle_storage_where_its_price_is_known(tmp_path, tier, gb):
    left_out = rate("cluster=serverless", f"cluster.tier={tier}")
    assert left_out is not None
    assert "shuffle storage" in left_out.left_out
    own = tmp_path / "prices.yaml"
    own.write_text("regions: {us-central1: {shuffle_gb: 0.73, shuffle_gb_premium: 0.73}}\n")
    found = rate("cluster=serverless", f"cluster.tier={tier}", prices=Prices.load(str(own)))
    assert found is not None
    assert (found.disks, found.left_out) == (pytest.approx(gb * 0.001), "")


def test_what_batches_were_billed_by_their_usage(tmp_path):
    own = tmp_path / "prices.yaml"
    own.write_text("regions: {us-central1: {shuffle_gb: 0.73}}\n")
    batch = made("cluster=serverless").cluster
    assert isinstance(batch, Serverless)
    used = (12_000 * 3600, 500 * 3600)  # 12 DCU and 500 GB for an hour
    assert billed(batch, *used, PRICES) == pytest.approx(12 * 0.06)
    assert billed(batch, *used, Prices.load(str(own))) == pytest.approx(12 * 0.06 + 0.5)


def test_this_machine_is_free_and_a_master_that_is_there_unknown():
    assert rate("cluster=local") == Rate()
    assert rate("cluster=local_nodes") == Rate()
    assert rate("cluster=spark_master", "cluster.master=spark://a:7077") is None


def test_what_is_found_in_the_cloud_costs_what_its_config_says():
    four = made("cluster=four_nodes", "cluster.internal_ip_only=false").cluster
    assert isinstance(four, Dataproc)
    found = Nodes(four.region, four.master, four.workers, four.secondary, internal_ip_only=False)
    assert found.rate(PRICES) == kind_of(four).rate(PRICES)
    assert FoundBatch("us-central1", 2, 4).rate(PRICES) == rate("cluster=serverless")


def test_a_minute_at_least_and_nothing_for_nothing():
    one = Rate(machines=36.0, minimum_seconds=60)
    assert [one.usd(seconds) for seconds in (0, 1, 60, 61)] == pytest.approx([0, 0.6, 0.6, 0.61])


class TestWhatHasNoPrice:
    @pytest.mark.parametrize(
        ("overrides", "message"),
        [
            (["cluster=single_node", "cluster.region=us-centrl1"], "region us-centrl1 .* did you mean 'us-central1'"),
            (["cluster=serverless", "cluster.region=us-east4"], "serverless DCU in us-east4"),
            (
                ["cluster=serverless", "cluster.region=us-east4", "cluster.tier=premium"],
                "premium serverless DCU in us-",
            ),
            (["cluster=single_node", "cluster.master.machine_type=m1-ultramem-40"], "m1-ultramem-40 is not known"),
            (
                ["cluster=single_node", "cluster.master.machine_type=n2-custom-4-8192"],
                "price of n2-custom machines in us-central1",
            ),
            (
                ["cluster=single_node", "cluster.master={machine_type: c4-standard-4, disk_type: hyperdisk-balanced}"],
                "price of hyperdisk-balanced disks in us-central1",
            ),
        ],
    )
    def test_is_an_error_that_says_where_to_add_it(self, overrides, message):
        with pytest.raises(ConfigError, match=f"{message}.*budget.prices"):
            rate(*overrides)

    def test_can_be_added(self, tmp_path):
        own = tmp_path / "prices.yaml"
        own.write_text(
            "dated: 2027-01-01\n"
            "machine_types: {c3-standard-4: {vcpus: 4, memory_gb: 16, per_hour: {us-central1: 0.2}}}\n"
            "regions: {mars-north1: {machines: {n1: {vcpu: 1, gb: 0}}, disks: {pd-ssd: 7.3}}}\n"
        )
        prices = Prices.load(str(own))
        assert prices.dated == datetime.date(2027, 1, 1)
        own_type = rate("cluster=single_node", "cluster.master.machine_type=c3-standard-4", prices=prices)
        assert own_type is not None
        assert (own_type.machines, own_type.fee) == pytest.approx((0.2, 0.04))
        own_region = rate("cluster=single_node", "cluster.region=mars-north1", prices=prices)
        assert own_region is not None
        assert (own_region.machines, own_region.disks) == pytest.approx((8, 1))
        with pytest.raises(ConfigError, match="c3-standard-4 in us-east1"):
            rate("cluster=single_node", "cluster.master.machine_type=c3-standard-4", "cluster.region=us-east1",
                 prices=prices)  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "message"),
        [("regoins: {}", "unknown key regoins.*did you mean 'regions'"), ("- 1", "holds no prices"),
         ("a: [", "not YAML"),
         ("machine_types: {c3-standard-4: {vcpus: 4}}", "machine_types.c3-standard-4 in .* how large it is; write"),
         (None, "No such file")],
    )  # fmt: skip
    def test_a_file_that_is_none(self, tmp_path, text, message):
        path = tmp_path / "prices.yaml"
        if text is not None:
            path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            Prices.load(str(path))


def test_what_is_paid_for_beside_the_runs():
    starts = {name: kind_of(made(f"cluster={name}").cluster) for name in ("local", "four_nodes", "serverless")}
    assert {name: kind.start_seconds * kind.starts(2) for name, kind in starts.items()} == {
        "local": 0,
        "four_nodes": 120,  # one cluster for both scripts
        "serverless": 2 * 60,  # a batch for each
    }


def test_a_search_compares_serverless_batches_by_their_executors_and_tells_tiers_apart():
    tiers = [kind_of(made("cluster=serverless", f"cluster.tier={tier}").cluster) for tier in ("standard", "premium")]
    standard, premium = (kind.size(PRICES) for kind in tiers)
    assert standard
    assert premium
    cluster = tiers[0].cluster
    assert isinstance(cluster, Serverless)
    assert (standard.vcpus_per_node, standard.nodes) == (cluster.cores, cluster.executors)
    assert standard.cpu_class != premium.cpu_class
