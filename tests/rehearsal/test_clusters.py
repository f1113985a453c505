"""The life of a cluster, against Google's own client."""

from __future__ import annotations

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.dataproc_v1 import types

from flowerexp.rehearsal.cloud import FREE_TIER, Cloud
from tests.rehearsal.clients import Clients, eight_nodes, finished, pyspark, single_node, until


@pytest.fixture
def clients(cloud: Cloud) -> Clients:
    cloud.bucket("staging-bucket")
    return Clients(cloud)


def test_a_cluster_is_created_listed_and_deleted(cloud, clients):
    with cloud.hold("create"):
        operation = clients.create()
        assert not operation.done()
        assert clients.get("one").status.state.name == "CREATING"
        assert clients.list("status.state = ACTIVE AND labels.sweep = s1 AND labels.owner = *") == ["one"]
    cluster = finished(operation)
    assert cluster.status.state.name == "RUNNING"
    assert [each.state.name for each in cluster.status_history] == ["CREATING"]
    assert operation.metadata.operation_type == "CREATE"
    assert cluster.config.gce_cluster_config.internal_ip_only  # the default of image 2.2
    assert clients.list("labels.sweep = other") == []

    with cloud.hold("delete"):
        deletion = clients.delete("one")
        until(lambda: clients.get("one").status.state.name == "DELETING")
        with pytest.raises(exceptions.FailedPrecondition, match="pending delete"):
            clients.delete("one")
    finished(deletion)
    with pytest.raises(exceptions.NotFound, match=r"clusters/one"):
        clients.get("one")
    counts = cloud.counts()
    assert (counts.created, counts.deleted, counts.leaked) == (1, 1, 0)


def test_a_lost_answer_and_the_same_request_again_make_one_cluster(cloud, clients):
    cloud.drop_next("CreateCluster", after=True)
    with pytest.raises(exceptions.ServiceUnavailable):
        clients.create(request_id="r-1")
    finished(clients.create(request_id="r-1"))
    assert cloud.counts().created == 1
    with pytest.raises(exceptions.AlreadyExists, match="Failed to create cluster"):
        clients.create(request_id="r-2")
    cloud.drop_next("DeleteCluster", after=True)
    with pytest.raises(exceptions.ServiceUnavailable):
        clients.delete("one", request_id="d-1")
    finished(clients.delete("one", request_id="d-1"))
    assert cloud.counts().deleted == 1
    assert len(cloud.requests("CreateCluster")) == 3
    assert (
        cloud.requests("CreateCluster")[0]["cluster"]["config"]["master_config"]["machine_type_uri"] == "n1-standard-8"
    )


def test_quotas_as_the_notebook_met_them(cloud, clients):
    cloud.set_quota(**FREE_TIER)
    with pytest.raises(exceptions.InvalidArgument) as refused:
        clients.create(eight_nodes())
    assert refused.value.message == (
        "Multiple validation errors:\n"
        " - Insufficient 'CPUS' quota. Requested 16.0, available 8.0.\n"
        " - Insufficient 'IN_USE_ADDRESSES' quota. Requested 8.0, available 7.0."
    )
    clients.running()
    with pytest.raises(exceptions.InvalidArgument, match=r"'CPUS' quota. Requested 8.0, available 0.0"):
        clients.create(single_node("two"))
    cloud.set_quota(on="operation", **FREE_TIER)
    operation = clients.create(single_node("two"))
    with pytest.raises(exceptions.GoogleAPICallError, match="SSD_TOTAL_GB"):
        finished(operation)
    assert cloud.clusters() == {"one": "RUNNING", "two": "ERROR"}
    assert cloud.counts().leaked == 2


def test_stock_out_is_an_error_of_the_operation_in_that_zone_only(cloud, clients):
    cloud.stock_out("us-central1-a", "us-central1-b")
    in_a = single_node(gce_cluster_config={"zone_uri": "us-central1-a"})
    with pytest.raises(exceptions.ServiceUnavailable, match=r"ZONE_RESOURCE_POOL_EXHAUSTED.*zones/us-central1-a"):
        finished(clients.create(in_a))
    assert clients.get("one").status.state.name == "ERROR"
    with pytest.raises(exceptions.FailedPrecondition, match="is in state ERROR"):
        clients.submit(pyspark("gs://staging-bucket/a.py", "j"))
    cluster = clients.running(single_node("two"))
    assert cluster.config.gce_cluster_config.zone_uri.endswith("/us-central1-c")


def test_a_creation_that_ends_in_error_leaves_a_cluster(cloud, clients):
    cloud.fail_operation("CREATE", "ABORTED", "Aborted by the test")
    with pytest.raises(exceptions.Aborted):
        finished(clients.create())
    assert cloud.clusters() == {"one": "ERROR"}
    finished(clients.delete("one"))
    assert cloud.counts().leaked == 0


def test_clusters_delete_themselves_when_idle_or_old(cloud, clients):
    clients.running(single_node(lifecycle_config={"idle_delete_ttl": {"seconds": 300}}))
    clients.running(single_node("two", lifecycle_config={"auto_delete_ttl": {"seconds": 3600}}))
    with cloud.hold("job"):
        clients.submit(pyspark("gs://staging-bucket/a.py", "busy"))
        cloud.advance(400)
        assert cloud.clusters() == {"one": "RUNNING", "two": "RUNNING"}
        clients.cancel("busy")
        assert clients.ended("busy").status.state.name == "CANCELLED"
    cloud.advance(200)
    assert len(cloud.clusters()) == 2
    cloud.advance(200)
    assert cloud.clusters() == {"two": "RUNNING"}
    cloud.advance(3600)
    assert cloud.clusters() == {}


def test_transient_errors_and_a_killed_service(cloud, clients):
    with cloud.hold("create"):
        operation = clients.create()
        cloud.restart_dataproc()
    assert finished(operation).cluster_name == "one"
    cloud.drop_next("ListClusters", times=2)
    for _ in range(2):
        with pytest.raises(exceptions.ServiceUnavailable):
            clients.clusters.list_clusters(project_id=cloud.project, region=cloud.region, retry=None)
    assert clients.list() == ["one"]
    cloud.kill_dataproc()
    with pytest.raises(exceptions.ServiceUnavailable):
        clients.get("one")
    cloud.start_dataproc()
    until(lambda: _reachable(clients))


def _reachable(clients: Clients) -> bool:
    try:
        return bool(clients.get("one").cluster_name == "one")
    except exceptions.ServiceUnavailable:
        return False


def _refused(clients: Clients, cluster: types.Cluster) -> str:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        clients.create(cluster)
    assert refused.value.grpc_status_code == grpc.StatusCode.INVALID_ARGUMENT
    return str(refused.value.message)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"gce_cluster_config": {"zone_uri": "europe-west1-b"}}, "europe-west1-b"),
        ({"lifecycle_config": {"idle_delete_ttl": {"seconds": 299}}}, "idle_delete_ttl"),
        ({"lifecycle_config": {"auto_delete_ttl": {"seconds": 599}}}, "auto_delete_ttl"),
        ({"lifecycle_config": {"auto_delete_ttl": {"seconds": 15 * 86400}}}, "auto_delete_ttl"),
        ({"software_config": {"image_version": "2.9"}}, "2.9"),
        ({"software_config": {"properties": {"sparc:a": "b"}}}, "sparc"),
        ({"software_config": {"properties": {"spark.a": "b"}}}, "prefix:property"),
        ({"software_config": {"properties": {"dataproc:dataproc.typo": "b"}}}, "dataproc.typo"),
        ({"master_config": {"machine_type_uri": "n1-standard-1"}}, "n1-standard-1"),
        ({"master_config": {"machine_type_uri": "e2-medium"}}, "Shared-core"),
        ({"master_config": {"machine_type_uri": "n1-standard-3"}}, "n1-standard-3"),
        ({"master_config": {"num_instances": 2}}, "masters"),
        ({"master_config": {"disk_config": {"boot_disk_size_gb": 20}}}, "30 GB"),
        ({"master_config": {"disk_config": {"boot_disk_type": "pd-fast"}}}, "pd-fast"),
        ({"worker_config": {"num_instances": 1}}, "at least 2 primary workers"),
        ({"secondary_worker_config": {"num_instances": 2}}, "need primary workers"),
        ({"worker_config": {"preemptibility": "SPOT"}}, "cannot be preemptible"),
        (
            {
                "worker_config": {"num_instances": 2, "machine_type_uri": "n1-standard-2"},
                "secondary_worker_config": {"num_instances": 2, "machine_type_uri": "n1-standard-4"},
            },
            "n1-standard-4",
        ),
        ({"autoscaling_config": {"policy_uri": "mine"}}, "mine"),
        ({"autoscaling_config": {"policy_uri": "projects/p/locations/us-west1/autoscalingPolicies/mine"}}, "us-west1"),
        ({"initialization_actions": [{"executable_file": "gs://staging-bucket/none.sh"}]}, "none.sh"),
        ({"config_bucket": "no-such-bucket"}, "no-such-bucket"),
    ],
)
def test_what_google_refuses_of_a_config(clients, config, said):
    assert said in _refused(clients, single_node(**config))


def test_names_and_labels_that_google_refuses(clients):
    for name in ("One", "1one", "one-", "x" * 52, "one_two"):
        assert name in _refused(clients, single_node(name))
    for key, value in (("Sweep", "a"), ("sweep", "A b"), ("s" * 64, "a"), ("sweep", "a" * 64)):
        cluster = single_node()
        cluster.labels = {key: value}
        assert "Invalid label" in _refused(clients, cluster)


def test_without_the_property_no_workers_means_two(clients):
    cluster = clients.running(single_node(software_config={"image_version": "2.2"}))
    assert cluster.config.worker_config.num_instances == 2


def test_an_operation_warns_of_small_standard_disks(clients):
    small = clients.create(eight_nodes(machine="n1-standard-2"))
    assert "1TB or larger" in small.metadata.warnings[0]
    assert list(clients.create(single_node("fast")).metadata.warnings) == []
