"""What clusters cost: the rates, the minimum, and a user's own prices."""

import pytest

from flowerexp.cluster.cost import Prices, Rate
from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.cluster.dataproc.nodes import Nodes
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.serverless.rate import FoundBatch
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


def test_this_machine_is_free_and_a_master_that_is_there_unknown():
    assert rate("cluster=local") == Rate()
    assert rate("cluster=local_nodes") == Rate()
    assert rate("cluster=spark_master", "cluster.master=spark://a:7077") is None


def test_what_is_found_in_the_cloud_costs_what_its_config_says():
    four = made("cluster=four_nodes", "cluster.internal_ip_only=false").cluster
    assert isinstance(four, Dataproc)
    found = Nodes(four.region, four.master, four.workers, internal_ip_only=False)
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
            (["cluster=single_node", "cluster.master.machine_type=c3-standard-4"], "c3-standard-4 is not known"),
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
        assert prices.dated == "2027-01-01"
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
