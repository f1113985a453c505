"""What is asked for when a cluster is created; the server refuses what Google would."""

import pytest
from google.protobuf import json_format

from flowerexp.cluster.cost import Prices
from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.cluster.dataproc.kind import DataprocKind
from flowerexp.cluster.dataproc.requests import cluster_message, spark_properties
from flowerexp.cluster.kind import kind_of
from tests.cluster.configs import made

PRICES = Prices.load()


def cluster_of(*overrides):
    found = made(*overrides).cluster
    assert isinstance(found, Dataproc)
    return found


def config_of(*overrides):
    """The config of the message that creates a cluster, as JSON has it."""
    message = cluster_message(cluster_of(*overrides), "name", "scope", None, None)
    found = json_format.MessageToDict(type(message).pb(message), preserving_proto_field_name=True)
    return found["config"]


@pytest.mark.parametrize(
    ("kind", "preemptibility"),
    [("spot", "SPOT"), ("preemptible", "PREEMPTIBLE"), ("standard", "NON_PREEMPTIBLE")],
)
def test_secondary_workers_are_like_the_primary_ones(kind, preemptibility):
    config = config_of("cluster=four_nodes", f"cluster.secondary={{count: 2, kind: {kind}}}")
    disk = config["worker_config"]["disk_config"]
    assert config["secondary_worker_config"] == {
        "num_instances": 2, "disk_config": disk, "preemptibility": preemptibility,
    }  # fmt: skip
    # A job's own master must not be on a machine that is taken back.
    assert ("dataproc:am.primary_only" in config["software_config"]["properties"]) == (kind != "standard")


def test_a_policy_does_without_what_autoscaling_does_not_support():
    spot = "cluster.secondary={count: 2, kind: spot}"
    config = config_of("cluster=four_nodes", spot, "cluster.autoscaling_policy=mine", "entrypoint=write_shards")
    assert "dataproc:am.primary_only" not in config["software_config"]["properties"]


def test_without_secondary_workers_and_policy_nothing_is_said_of_them():
    config = config_of("cluster=four_nodes")
    assert not {"secondary_worker_config", "autoscaling_config"} & config.keys()
    assert "dataproc:am.primary_only" not in config["software_config"]["properties"]


def test_each_node_has_an_executor_and_jobs_wait_for_those_that_come_late():
    properties = spark_properties(cluster_of("cluster=four_nodes", "cluster.secondary={count: 2, wait_seconds: 77}"))
    assert properties["spark.executor.instances"] == "5"
    assert properties["spark.flowerexp.executors.wait"] == "77"
    assert "spark.flowerexp.executors.wait" not in spark_properties(cluster_of("cluster=four_nodes"))


def test_a_policy_is_named_whole_and_spark_may_ask_for_more_executors():
    overrides = ("cluster=four_nodes", "entrypoint=write_shards", "cluster.autoscaling_policy=grow-1")
    uri = "projects/p/locations/us-central1/autoscalingPolicies/grow-1"
    assert config_of(*overrides)["autoscaling_config"] == {"policy_uri": uri}
    assert spark_properties(cluster_of(*overrides))["spark.dynamicAllocation.enabled"] == "true"


def test_what_the_kind_says_of_them():
    kind = kind_of(made("cluster=four_nodes", "cluster.secondary.count=3").cluster)
    assert isinstance(kind, DataprocKind)
    assert kind.describe().endswith("+ 3 x secondary spot n1-standard-2 (pd-standard 666 GB)")
    assert kind.ceilings(PRICES)["limit/vcpus"] == 12
    size = kind.size(PRICES)
    assert size is not None
    assert size.nodes == 6
