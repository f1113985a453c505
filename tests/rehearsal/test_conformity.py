"""Requests that do not keep to their definitions are found out, and those that lack something refused."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.cloud.dataproc_v1 import types
from google.protobuf import field_mask_pb2

from flowerexp.rehearsal import properties
from flowerexp.rehearsal.conformity import problems
from flowerexp.rehearsal.refusal import RefusalError
from tests.rehearsal.clients import Clients, pyspark, single_node

PLACE = {"project_id": "p", "region": "r"}


def test_one_that_is_as_it_should_be():
    cluster = single_node()
    assert problems(types.CreateClusterRequest(**PLACE, cluster=cluster)) == []
    assert problems(types.SubmitJobRequest(**PLACE, job=pyspark("gs://b/main.py", "one"))) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda cluster: setattr(cluster, "cluster_name", ""), "cluster.cluster_name: required, and not set"),
        (lambda cluster: setattr(cluster, "cluster_uuid", "x"), "cluster.cluster_uuid: only Google sets it"),
        (
            lambda cluster: cluster.config.initialization_actions.append(types.NodeInitializationAction()),
            "cluster.config.initialization_actions.executable_file: required, and not set",
        ),
        (
            lambda cluster: setattr(types.ClusterConfig.pb(cluster.config).worker_config, "preemptibility", 77),
            "cluster.config.worker_config.preemptibility: unknown value 77 of Preemptibility",
        ),
        (
            lambda cluster: types.ClusterConfig.pb(cluster.config).master_config.MergeFromString(b"\xfa\x7f\x01x"),
            "cluster.config.master_config: unknown field 2047",
        ),
    ],
)
def test_what_is_wrong_is_found_wherever_it_is(change, said):
    cluster = single_node()
    change(cluster)
    assert problems(types.CreateClusterRequest(**PLACE, cluster=cluster)) == [said]


def test_an_update_holds_only_what_changes():
    mask = field_mask_pb2.FieldMask(paths=["labels"])
    request = types.UpdateClusterRequest(**PLACE, cluster_name="one", cluster={"labels": {"a": "b"}}, update_mask=mask)
    assert problems(request) == []


def test_the_server_refuses_what_lacks_something_and_remembers_it(cloud_servers):
    cloud_servers.reset()
    with pytest.raises(exceptions.InvalidArgument, match=r"job\.placement: required, and not set"):
        Clients(cloud_servers).submit(types.Job(pyspark_job={"main_python_file_uri": "gs://b/main.py"}))
    assert cloud_servers.wrong() == ["SubmitJob: job.placement: required, and not set"]
    cloud_servers.reset()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("spark:anything.at.all", "x", ""),
        ("dataproc:am.primary_only", "true", ""),
        ("dataproc:dataproc.am.primary_only", "true", "Unrecognized dataproc property"),
        ("dataproc:dataproc.allow.zero.workers", "1", "must be true or false"),
        ("sparks:x", "x", "Unknown property prefix 'sparks'"),
        ("spark.executor.memory", "4g", "must be in the format"),
    ],
)
def test_properties_of_clusters(name, value, said):
    if not said:
        properties.check({name: value})
        return
    with pytest.raises(RefusalError, match=said):
        properties.check({name: value})
