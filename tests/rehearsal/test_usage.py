"""What batches use, by the server that stands for Google: the same as what a plan says that they cost."""

import pytest

from flowerexp.cluster.cost import Prices
from flowerexp.cluster.serverless.batches import _runtime
from flowerexp.cluster.serverless.config import Serverless
from flowerexp.cluster.serverless.rate import billed, rate
from flowerexp.rehearsal import strict_jobs, usage
from tests.cluster.configs import made


@pytest.mark.parametrize("tier", ["standard", "premium"])
@pytest.mark.parametrize(("executors", "cores"), [(2, 4), (3, 8), (5, 16)])
def test_an_hour_costs_what_was_forecast(tmp_path, tier, executors, cores):
    own = tmp_path / "prices.yaml"
    own.write_text("regions: {us-central1: {shuffle_gb: 0.5, shuffle_gb_premium: 1.5}}\n")
    prices = Prices.load(str(own))
    batch = made(
        "cluster=serverless", f"cluster.tier={tier}", f"cluster.executors={executors}", f"cluster.cores={cores}"
    ).cluster
    assert isinstance(batch, Serverless)
    properties = _runtime(batch, None, "gs://bucket/jobs/x")["properties"]
    strict_jobs._check_properties(properties)
    used = usage.in_all(properties, 3600)
    found = billed(batch, used.milli_dcu_seconds, used.shuffle_storage_gb_seconds, prices)
    assert found == pytest.approx(rate(batch, prices).usd(3600))
    now = usage.while_running(properties)
    assert (now.milli_dcu_premium if tier == "premium" else now.milli_dcu) == used.milli_dcu_seconds / 3600
