"""Prices and machine types of today, from servers of their own."""

import datetime
import json
import os
import subprocess
import sys

import pytest

from flowerexp.cluster import java
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.google import live, machines
from flowerexp.cluster.kind import kind_of
from flowerexp.config.schema import Budget
from flowerexp.errors import ClusterError, ConfigError
from flowerexp.rehearsal import catalogue, machine_types
from flowerexp.rehearsal.process import Child
from tests.cluster.configs import made

pytestmark = pytest.mark.slow

PROJECT = machine_types.PROJECT
SHIPPED = Prices.load()
LIVE = ("budget.prices=live", f"cluster.project={PROJECT}")


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The catalogue and Compute Engine; a test that stops them starts them no more."""
    folder = tmp_path_factory.mktemp("google")
    started = {
        name: Child(f"flowerexp.rehearsal.{name}", environment={}, log=folder / f"{name}.log")
        for name in ("catalogue", "machine_types")
    }
    yield {name: f"127.0.0.1:{child.ports[name]}" for name, child in started.items()}
    for child in started.values():
        child.stop()


@pytest.fixture
def google(servers, monkeypatch, tmp_path):
    """Google as it answers today, with nothing kept yet; returns the folder where it is kept."""
    monkeypatch.setattr(java, "own_folder", lambda: tmp_path)
    monkeypatch.setenv("CLOUD_BILLING_EMULATOR_HOST", servers["catalogue"])
    monkeypatch.setenv("COMPUTE_EMULATOR_HOST", servers["machine_types"])
    Prices._live.cache_clear()
    yield tmp_path / "google"
    Prices._live.cache_clear()


def gone(monkeypatch):
    """Google does not answer any more, and this process has forgotten what it said."""
    for variable in ("CLOUD_BILLING_EMULATOR_HOST", "COMPUTE_EMULATOR_HOST"):
        monkeypatch.setenv(variable, "127.0.0.1:1")
    Prices._live.cache_clear()


def prices(*overrides):
    config = made("cluster=single_node", *LIVE, *overrides)
    return Prices.of(config.budget, config.cluster)


class TestPrices:
    def test_of_each_series_wherever_it_is(self, google):
        now, expected, found = prices(), {}, {}
        for series in ("n1", "n2", "n2d", "e2", "c2", "c2d", "c3", "c4", "n4", "n4d"):
            machine = machines.machine(f"{series}-standard-4")
            for model in ("standard", "spot", "preemptible"):
                core, ram = (catalogue.price(series, part, model != "standard") for part in ("Core", "Ram"))
                for region in ("us-central1", "us-east1", "mars-north1"):
                    expected[series, model, region] = 4 * core + machine.memory_gb * ram
                    found[series, model, region] = now.hour(machine, region, model)
        assert found == pytest.approx(expected)

    def test_of_custom_types_with_extended_memory(self, google):
        found = prices().hour(machines.machine("n2-custom-2-18432-ext"), "us-east1")
        assert found == pytest.approx(2 * 0.4 + 16 * 0.04 + 2 * 0.5)
        assert prices().hour(machines.machine("custom-2-8192"), "us-east1") == pytest.approx(2 * 0.3 + 8 * 0.03)

    def test_of_disks(self, google):
        disk = (
            "machine_type: n4-standard-4, disk_type: hyperdisk-balanced, disk_gb: 100, disk_iops: 4000, disk_mib_s: 200"
        )
        config = made("cluster=single_node", *LIVE, f"cluster.master={{{disk}}}")
        found = kind_of(config.cluster).rate(Prices.of(config.budget, config.cluster))
        assert found is not None
        assert found.disks == pytest.approx((100 * 0.75 + 1000 * 0.003 + 60 * 0.03) / 730)
        assert prices().region("us-central1")["disks"]["pd-balanced"] == 1.5

    def test_what_is_not_in_the_catalogue_is_as_shipped(self, google):
        found = prices()
        assert found.content["dataproc_per_vcpu_hour"] == SHIPPED.content["dataproc_per_vcpu_hour"]
        assert found.region("us-central1")["dcu"] == 0.06
        day = json.loads((google / "prices.json").read_text())["dated"]
        assert found.named == f"live prices of {day}, Dataproc's own as shipped on {SHIPPED.dated}"

    def test_the_shipped_ones_are_the_default_and_nobody_is_asked(self, google, monkeypatch):
        gone(monkeypatch)
        assert Prices.of(Budget(), made("cluster=single_node").cluster) == SHIPPED
        assert Prices.of(Budget(prices="live"), made("cluster=local").cluster) == SHIPPED


def test_a_plan_says_which_prices_it_was_made_by(servers, tmp_path):
    variables = {"CLOUD_BILLING_EMULATOR_HOST": servers["catalogue"], "COMPUTE_EMULATOR_HOST": servers["machine_types"]}
    chosen = ("cluster=single_node", f"gcp.project={PROJECT}", "budget.prices=live")
    disk = "cluster.master={machine_type: c4-standard-8, disk_type: hyperdisk-balanced, disk_gb: 100}"
    begun = datetime.date.today()
    done = subprocess.run(
        [sys.executable, "-m", "flowerexp", "plan", *chosen, disk],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **variables, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    hourly = 8 * 0.2 + 30 * 0.02 + 100 * 0.75 / 730 + 0.08
    assert f"single_node: ${hourly:.3f} an hour" in done.stdout
    kept = json.loads((tmp_path / ".cache" / "flowerexp" / "google" / "prices.json").read_text())
    assert kept["dated"] in {day.isoformat() for day in (begun, datetime.date.today())}, "which differ at midnight"
    assert f"in all, by live prices of {kept['dated']}, Dataproc's own as shipped on {SHIPPED.dated}" in done.stdout
    assert "days old" not in done.stdout


class TestMachineTypes:
    def test_new_ones_are_known(self, google):
        found = prices().machine_types
        assert machines.machine("n9-standard-3", found) == machines.Machine("n9-standard-3", "n9", 3, 12.25)
        with pytest.raises(ConfigError, match="price of n9 machines in us-central1 in live prices"):
            prices().hour(found["n9-standard-3"], "us-central1")

    def test_those_that_dataproc_does_not_have_stay_refused(self, google):
        with pytest.raises(ConfigError, match="c3d-standard-4 cannot be used"):
            machines.machine("c3d-standard-4", prices().machine_types)


class TestKept:
    def test_for_the_day(self, google, monkeypatch):
        first = prices()
        gone(monkeypatch)
        assert prices() == first
        assert {path.name for path in google.iterdir()} == {"prices.json", f"machine-types-{PROJECT}.json"}

    @pytest.mark.parametrize("name", ["prices.json", f"machine-types-{PROJECT}.json"])
    def test_no_longer(self, google, monkeypatch, name):
        prices()
        kept = json.loads((google / name).read_text())
        yesterday = datetime.date.today() - datetime.timedelta(days=1)
        (google / name).write_text(json.dumps({**kept, "dated": yesterday.isoformat()}))
        gone(monkeypatch)
        with pytest.raises(ClusterError, match="does not say"):
            prices()

    def test_what_is_damaged_is_fetched_again(self, google):
        first = prices()
        (google / "prices.json").write_text("{")
        Prices._live.cache_clear()
        assert prices() == first


class TestRefused:
    def test_no_catalogue(self, google, monkeypatch):
        gone(monkeypatch)
        with pytest.raises(ClusterError) as caught:
            prices()
        assert str(caught.value).startswith("budget.prices: the Cloud Billing Catalog does not say what Compute Engine")
        assert str(caught.value).endswith("or go without: budget.prices=null takes the shipped prices")

    def test_no_permission_to_list_machine_types(self, google):
        with pytest.raises(
            ClusterError, match=r"Required 'compute.machineTypes.list'.*; the Compute Engine API must be"
        ):
            live.machine_types("other-project")
