"""Names and labels that Google takes, whatever users call things; the same for the same sweep and config."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.cluster.dataproc.executors import executors
from flowerexp.cluster.google import names

TEXT = st.text(max_size=80)


@given(TEXT, TEXT)
def test_a_clusters_name(scope, shape):
    config = Dataproc(kind="dataproc", name=shape)
    name = names.cluster_name(scope, config)
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,49}[a-z0-9])?", name)
    assert name == names.cluster_name(scope, Dataproc(name=shape, kind="dataproc"))
    assert name != names.cluster_name(scope + "x", config)
    assert name != names.cluster_name(scope, replace(config, zones=("a",)))


@given(TEXT, TEXT)
def test_a_jobs_id(scope, folder):
    name = names.job_id(scope, folder)
    assert re.fullmatch(r"[a-z0-9][-a-z0-9]{2,61}[a-z0-9]", name)
    assert name != names.job_id(scope, folder + "-2")


@given(TEXT, st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.booleans()), max_size=60))
def test_labels(scope, further):
    found = names.labels(scope, further)
    assert len(found) <= 32
    assert {names.SCOPE, names.OWNER} <= set(found)
    for key, value in found.items():
        assert re.fullmatch(r"[a-z][-_a-z0-9]{0,62}", key)
        assert re.fullmatch(r"[-_a-z0-9]{0,63}", value)


def test_labels_of_ours_cannot_be_taken():
    assert names.labels("mine", {names.SCOPE: "another"})[names.SCOPE] == "mine"


class TestExecutors:
    """One a node, that leaves room for YARN's own container."""

    @pytest.mark.parametrize("name", ["four_nodes", "eight_nodes"])
    def test_of_a_cluster(self, cluster, name):
        config = cluster(name)
        found = executors(config)
        assert int(found["spark.executor.instances"]) == config.workers.count
        assert found["spark.executor.cores"] == "2"
        heap, outside = (int(found[f"spark.executor.{key}"][:-1]) for key in ("memory", "memoryOverhead"))
        assert outside > heap  # photographs are held by Python workers
        assert heap + outside + 1024 <= 7.5 * 1024 * 0.8

    def test_of_a_single_node(self, cluster):
        found = executors(cluster("single_node"))
        assert (found["spark.executor.instances"], found["spark.executor.cores"]) == ("1", "8")

    @pytest.mark.parametrize("machine_type", ["z9-giant-7", "n1-highcpu-2"])
    def test_unknown_or_tiny_machines_are_left_to_dataproc(self, cluster, machine_type):
        assert executors(cluster("four_nodes", f"cluster.workers.machine_type={machine_type}")) == {}


def test_a_backend_is_made_without_googles_libraries():
    """They take seconds to import, and a plan makes no calls."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from flowerexp.cluster.kind import kind_of\n"
        "from flowerexp.config.kinds import CLUSTERS\n"
        "for kind in ('dataproc', 'serverless'):\n"
        "    kind_of(CLUSTERS.config(kind)(kind=kind, bucket='b', name=kind)).backend().output(Path('run'), 'scope')\n"
        "assert not [name for name in sys.modules if name.startswith(('google.cloud.', 'google.api', 'grpc'))]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
