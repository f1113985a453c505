"""Initialization actions, really executed, and what they let jobs import."""

from __future__ import annotations

import hashlib
import io
import zipfile
from importlib.resources import files

import pytest
from google.api_core import exceptions
from google.cloud.dataproc_v1 import types

from flowerexp.rehearsal.cloud import Cloud
from tests.rehearsal.clients import Clients, eight_nodes, finished, pyspark, single_node

_ACTION = """#!/bin/bash
set -euo pipefail
wheels=$(/usr/share/google/get_metadata_value attributes/wheels)
role=$(/usr/share/google/get_metadata_value attributes/dataproc-role)
folder=$(mktemp -d)
gcloud storage cp "${wheels}/*" "${folder}/"
echo "installing on ${role}"
/opt/conda/default/bin/python -m pip install --no-deps --no-index \\
  --find-links "${folder}" -r "${folder}/requirements.txt"
"""
_IMPORTS = """
for name in ("google.cloud.storage", "cv2"):
    try:
        __import__(name)
        print("there:", name)
    except ModuleNotFoundError as error:
        print(error)
"""


@pytest.fixture
def clients(cloud: Cloud) -> Clients:
    bucket = cloud.bucket("staging-bucket")
    for name, content in {
        "action.sh": _ACTION,
        "from-pypi.sh": "#!/bin/bash\npip install gcsfs==2026.10.1\n",
        "on-master-only.sh": _ACTION.replace("echo", '[[ "${role}" == Master ]] || exit 0\necho', 1),
        "imports.py": _IMPORTS,
        "wheels/requirements.txt": "google-cloud-storage==3.17.1\n# and\nnumpy-like>=1\n",
        "wheels/google_cloud_storage-3.17.1-py3-none-any.whl": _wheel("google/cloud/storage/__init__.py"),
        "wheels/numpy_like-1.2-cp311-cp311-manylinux_2_27_x86_64.whl": _wheel("numpy_like/core.so"),
        "later/requirements.txt": "numpy-like\n",
        "later/numpy_like-1.2-cp313-cp313-manylinux_2_27_x86_64.whl": _wheel("numpy_like/core.so"),
    }.items():
        bucket.blob(name).upload_from_string(content)
    return Clients(cloud)


def _wheel(*files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in files:
            archive.writestr(name, "")
    return buffer.getvalue()


def _with_action(cluster: types.Cluster, action: str, wheels: str = "gs://staging-bucket/wheels") -> types.Cluster:
    cluster.config.initialization_actions = [{"executable_file": f"gs://staging-bucket/{action}"}]
    cluster.config.gce_cluster_config.metadata = {"wheels": wheels}
    return cluster


def test_what_the_action_installs_from_wheels_can_be_imported(cloud, clients):
    cloud.lacking("google.cloud.storage", "cv2")
    cluster = clients.running(_with_action(single_node(), "action.sh"))
    assert cloud.installed() == ["google.cloud.storage", "numpy_like.core"]
    clients.submit(pyspark("gs://staging-bucket/imports.py", "imports"))
    job = clients.ended("imports")
    output = clients.output(job.driver_output_resource_uri)
    assert "there: google.cloud.storage" in output
    assert "No module named 'cv2'" in output
    log = f"google-cloud-dataproc-metainfo/{cluster.cluster_uuid}/one-m/dataproc-initialization-script-0_output"
    assert b"installing on Master" in cloud.storage().bucket("staging-bucket").blob(log).download_as_bytes()


def _failure(cloud: Cloud, clients: Clients, cluster: types.Cluster) -> str:
    """How a cluster fails to come up; and the action's own output."""
    with pytest.raises(exceptions.GoogleAPICallError) as failed:
        finished(clients.create(cluster))
    assert cloud.clusters() == {cluster.cluster_name: "ERROR"}
    said = str(failed.value.message)
    _, _, name = said.rpartition("see output in: gs://staging-bucket/")[2].partition("google-cloud")
    output = cloud.storage().bucket("staging-bucket").blob(f"google-cloud{name.rstrip('.')}").download_as_bytes()
    return f"{said}\n{output.decode()}"


def test_without_a_way_out_nothing_comes_from_pypi(cloud, clients):
    said = _failure(cloud, clients, _with_action(single_node(), "from-pypi.sh"))
    assert (
        "Initialization action failed. Failed action 'gs://staging-bucket/from-pypi.sh', see output in: gs://" in said
    )
    assert "No matching distribution found for gcsfs" in said


def test_with_a_way_out_it_does(cloud, clients):
    cluster = _with_action(single_node(gce_cluster_config={"internal_ip_only": False}), "from-pypi.sh")
    clients.running(cluster)
    assert "gcsfs" in cloud.installed()


def test_a_wheel_for_another_python_does_not_fit(cloud, clients):
    said = _failure(cloud, clients, _with_action(single_node(), "action.sh", "gs://staging-bucket/later"))
    assert "No matching distribution found for numpy-like" in said


def test_the_python_of_image_3_is_not_where_conda_was(cloud, clients):
    cluster = single_node()
    cluster.config.software_config.image_version = "3.0-debian13"
    assert "No such file or directory" in _failure(cloud, clients, _with_action(cluster, "action.sh"))


@pytest.mark.parametrize(("image", "tag"), [("2.2-debian12", "cp311"), ("3.0-debian13", "cp312")])
def test_our_own_action_finds_the_python_of_each_image(cloud, clients, image, tag):
    wheel = _wheel("numpy_like/core.so")
    wanted = f"numpy-like==1.2 --hash=sha256:{hashlib.sha256(wheel).hexdigest()}\n".encode()
    bucket = cloud.storage().bucket("staging-bucket")
    for name, content in {
        "install.sh": files("flowerexp.cluster.google").joinpath("install.sh").read_bytes(),
        "own/requirements.txt": wanted,
        f"own/numpy_like-1.2-{tag}-{tag}-manylinux_2_27_x86_64.whl": wheel,
    }.items():
        bucket.blob(name).upload_from_string(content)
    cluster = _with_action(single_node(), "install.sh")
    cluster.config.software_config.image_version = image
    cluster.config.gce_cluster_config.metadata = {
        "flowerexp-wheels": "gs://staging-bucket/own",
        "flowerexp-wheels-sha256": hashlib.sha256(wanted).hexdigest(),
    }
    clients.running(cluster)
    assert cloud.installed() == ["numpy_like.core"]


def test_metadata_that_is_missing_is_an_error(cloud, clients):
    cluster = _with_action(single_node(), "action.sh")
    cluster.config.gce_cluster_config.metadata = {}
    assert "Initialization action failed" in _failure(cloud, clients, cluster)


def test_what_only_the_master_has_the_cluster_has_not(cloud, clients):
    clients.running(_with_action(eight_nodes(internal=True), "on-master-only.sh"))
    assert cloud.installed() == []


def test_packages_by_property_need_a_way_out(cloud, clients):
    cluster = single_node()
    cluster.config.software_config.properties["dataproc:pip.packages"] = "gcsfs==2026.10.1"
    with pytest.raises(exceptions.GoogleAPICallError, match=r"pip\.packages"):
        finished(clients.create(cluster))
    assert cloud.clusters() == {"one": "ERROR"}
