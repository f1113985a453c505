"""What every kind of cluster promises about a cluster's config, before anything is started."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import is_dataclass

from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.quota import WORDS, QuotaLimits, changed
from flowerexp.config import plain, typed
from flowerexp.config.kinds import CLUSTERS
from flowerexp.config.schema import Cluster

_HEAVY = ("google.cloud", "google.api_core", "grpc", "pyspark", "py4j", "mlflow", "pandas", "tensorflow")

_PLANNED = f"""
import json, sys
sys.path = json.loads(sys.argv[1])
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.kind import kind_of
from flowerexp.config import typed
from flowerexp.config.schema import Cluster
kind, prices = kind_of(typed(json.loads(sys.argv[2]), Cluster)), Prices.load()
kind.describe(), kind.place, kind.rate(prices), kind.demand(prices), kind.ceilings(prices), kind.size(prices)
print([name for name in sys.modules if name.startswith({_HEAVY!r})])
"""


class KindContract:
    """Tests of a kind's config and of what it says; give a fixture `cluster`: a config of the kind."""

    def test_it_is_found_by_its_name(self, cluster: Cluster) -> None:
        """`cluster.kind` leads to the class that made this config, which is a dataclass of keys."""
        assert cluster.kind in CLUSTERS.names()
        assert CLUSTERS.config(cluster.kind) is type(cluster)
        assert is_dataclass(cluster)
        assert isinstance(cluster, Cluster)

    def test_its_config_survives_a_file(self, cluster: Cluster) -> None:
        """A job, a journal and MLflow hold it as JSON."""
        assert typed(json.loads(json.dumps(plain(cluster))), Cluster) == cluster

    def test_it_describes_itself_in_one_line(self, cluster: Cluster) -> None:
        """Plans show it."""
        line = kind_of(cluster).describe()
        assert cluster.kind in line
        assert len(line.splitlines()) == 1

    def test_what_it_costs(self, cluster: Cluster) -> None:
        """Dollars are known, or said not to be; one outside of the cloud needs no quota."""
        kind, prices = kind_of(cluster), Prices.load()
        rate, demand = kind.rate(prices), kind.demand(prices)
        assert rate is None or (rate.total >= 0 and rate.usd(0) == 0 and rate.usd(7200) >= rate.usd(60))
        assert all(amount >= 0 for amount in demand.amounts.values())
        assert kind.place is not None or not any(demand.amounts.values())
        assert kind.start_seconds >= 0
        assert kind.starts(1) == 1
        assert 1 <= kind.starts(3) <= 3

    def test_smaller_ones_need_less(self, cluster: Cluster) -> None:
        """What would be proposed for a quota without room is a config of the kind, which needs less of something."""
        kind, prices = kind_of(cluster), Prices.load()
        needed = kind.demand(prices).amounts
        none = QuotaLimits(**dict.fromkeys(WORDS, 0), by_metric=dict.fromkeys(needed, 0))
        for way in kind.smaller(none, prices):
            for changes in way:
                smaller = kind_of(changed(cluster, changes)).demand(prices).amounts
                assert smaller == needed or any(smaller.get(name, 0) < needed[name] for name in needed), changes

    def test_what_it_can_reach(self, cluster: Cluster) -> None:
        """Ceilings are numbers above zero, and a size agrees with them."""
        kind, prices = kind_of(cluster), Prices.load()
        ceilings, size = kind.ceilings(prices), kind.size(prices)
        assert all(name.startswith("limit/") and value > 0 for name, value in ceilings.items())
        if size:
            assert min(size.vcpus_per_node, size.memory_gb_per_node, size.nodes) > 0
            assert ceilings.get("limit/vcpus", 0) <= size.vcpus_per_node * size.nodes

    def test_to_plan_with_it_imports_no_large_library(self, cluster: Cluster) -> None:
        """A plan takes half a second; Google's libraries or PySpark would make that several."""
        command = [sys.executable, "-c", _PLANNED, json.dumps(sys.path), json.dumps(plain(cluster))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "[]"
