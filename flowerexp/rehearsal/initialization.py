"""Initialization actions, really executed with bash, on a machine that is made to look like a node of the cluster.

A node's absolute paths do not exist here, so that the script runs with them rewritten to programs of ours:

- `/usr/share/google/get_metadata_value` answers from the cluster's metadata, and with what Dataproc adds;
- `/etc/spark/conf/spark-env.sh` names the Python of jobs: up to image 2.x that of `/opt/conda/default/bin/`, where
  `python`, `pip` and so on are ours; from 3.0 on, Pixi's, in a folder whose name a script cannot guess, and Debian's
  own `python3` refuses to install anything (PEP 668);
- on PATH before all others: `gcloud` and `gsutil` (copying from the storage emulator), `pip` and `python`, and `sudo`,
  `systemctl`, `apt-get` stand-ins.

`pip install` installs nothing: it checks that it could, as pip does (is there a wheel, does it fit this image's Python,
without a network only from local files), and notes which modules came. `image/sitecustomize.py` then lets jobs import
them although the image lacks them. The script runs as a master, and as a worker if there are any: what only one of them
installed, the cluster does not have.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import grpc
from google.cloud.dataproc_v1 import types

from flowerexp.rehearsal import quotas, strict
from flowerexp.rehearsal.bucket import Bucket
from flowerexp.rehearsal.refusal import RefusalError

_PROGRAMS = Path(__file__).with_name("shims.py")
_PYTHONS = ("python", "python3", "pip", "pip3")
_TOOLS = ("gcloud", "gsutil", "get_metadata_value", "sudo", "systemctl", "apt-get")
_REWRITTEN = {
    re.compile(r"/usr/share/google/"): "bin",
    re.compile(r"/opt/conda/(?:default|miniconda3|anaconda)/bin/"): "conda",
    re.compile(r"/etc/spark/conf/"): "etc",
}
# https://cloud.google.com/dataproc/docs/concepts/configuring-clusters/init-actions: 10 minutes unless told otherwise.
_TIMEOUT = 600.0
# https://cloud.google.com/dataproc/docs/concepts/versioning/dataproc-release-2.2 (and the pages of the others).
_PYTHON = {(1, 5): "3.7", (2, 0): "3.8", (2, 1): "3.10", (2, 2): "3.11", (2, 3): "3.11", (3, 0): "3.12"}


def run(cluster: types.Cluster, bucket: Bucket, folder: Path) -> list[str]:
    """Run all initialization actions of a cluster.

    Returns:
        Import names of what they installed, such as `google.cloud.storage`.

    Raises:
        RefusalError: one failed; in the words of GoogleCloudDataproc/initialization-actions issue 576.
    """
    roles = ["Master", "Worker"] if cluster.config.worker_config.num_instances else ["Master"]
    installed = [_run_on(role, cluster, bucket, folder / cluster.cluster_uuid) for role in roles]
    _packages_by_property(cluster)
    return sorted(set.intersection(*installed))


def _packages_by_property(cluster: types.Cluster) -> None:
    # https://cloud.google.com/dataproc/docs/tutorials/python-configuration: dataproc:pip.packages installs from PyPI;
    # https://cloud.google.com/dataproc/docs/concepts/configuring-clusters/network: internal addresses have no way out.
    for name, value in cluster.config.software_config.properties.items():
        if name in ("dataproc:pip.packages", "dataproc:conda.packages") and _is_internal(cluster):
            raise RefusalError(
                grpc.StatusCode.INTERNAL,
                f"Component python failed to activate: could not install '{value}' ({name}): the cluster has internal "
                "IP addresses only and no route to the package index.",
            )


def _is_internal(cluster: types.Cluster) -> bool:
    return bool(cluster.config.gce_cluster_config.internal_ip_only)


def _metadata(role: str, cluster: types.Cluster) -> dict[str, str]:
    """https://cloud.google.com/dataproc/docs/concepts/configuring-clusters/metadata."""
    region = quotas.short(cluster.config.gce_cluster_config.zone_uri).rpartition("-")[0]
    return {
        "dataproc-role": role,
        "dataproc-bucket": cluster.config.config_bucket,
        "dataproc-region": region,
        "dataproc-cluster-name": cluster.cluster_name,
        "dataproc-cluster-uuid": cluster.cluster_uuid,
        "dataproc-worker-count": str(cluster.config.worker_config.num_instances),
        "dataproc-master": f"{cluster.cluster_name}-m",
        **dict(cluster.config.gce_cluster_config.metadata),
    }


def _run_on(role: str, cluster: types.Cluster, bucket: Bucket, folder: Path) -> set[str]:
    node = folder / role.lower()
    version = strict.image(cluster.config.software_config.image_version)
    shims = _programs(node, pixi=version >= (3, 0))
    installed = node / "installed.txt"
    installed.touch()
    (node / "metadata.json").write_text(json.dumps(_metadata(role, cluster)))
    environment = {
        "PATH": f"{shims}:{os.environ['PATH']}",
        "HOME": str(node),
        "TMPDIR": str(node),
        "STORAGE_EMULATOR_HOST": bucket.host,
        "FAKE_NODE": str(node),
        "FAKE_NETWORK": "" if _is_internal(cluster) else "yes",
        "FAKE_PYTHON": _PYTHON[version],
        "FAKE_SITE": os.pathsep.join(path for path in sys.path if path.endswith("site-packages")),
    }
    machine = f"{cluster.cluster_name}-m" if role == "Master" else f"{cluster.cluster_name}-w-0"
    uri = (
        f"gs://{cluster.config.config_bucket}/google-cloud-dataproc-metainfo/{cluster.cluster_uuid}/{machine}"
        "/dataproc-initialization-script"
    )
    for number, action in enumerate(cluster.config.initialization_actions):
        _execute(action, bucket, node, environment, f"{uri}-{number}_output")
    return set(installed.read_text().split())


def _programs(node: Path, *, pixi: bool) -> Path:
    """Put the programs of a node where its image has them; gives the folder that is on PATH."""
    path, pythons = node / "bin", node / ("pixi" if pixi else "conda")
    for name in _TOOLS:
        _shim(path, name)
    for name in _PYTHONS:
        _shim(path, name, "system-" if pixi else "")
        _shim(pythons, name)
    (node / "etc").mkdir(exist_ok=True)
    (node / "etc" / "spark-env.sh").write_text(f'export PYSPARK_PYTHON="{pythons / "python"}"\n')
    return path


def _shim(folder: Path, name: str, kind: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shim = folder / name
    shim.write_text(f'#!/bin/bash\nexec "{sys.executable}" -S -E "{_PROGRAMS}" {kind}{name} "$@"\n')
    shim.chmod(0o755)


def _execute(
    action: types.NodeInitializationAction, bucket: Bucket, node: Path, environment: dict[str, str], uri: str
) -> None:
    script = bucket.fetch(action.executable_file, node)
    text = script.read_text()
    for pattern, place in _REWRITTEN.items():
        text = pattern.sub(f"{node}/{place}/", text)
    script.write_text(text)
    script.chmod(0o755)
    timeout = action.execution_timeout.total_seconds() or _TIMEOUT
    first_line = script.read_text().partition("\n")[0]
    command = [str(script)] if first_line.startswith("#!") else ["bash", str(script)]
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=node,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        code, output, cause = done.returncode, done.stdout, "Initialization action failed"
    except subprocess.TimeoutExpired as error:
        code, output, cause = -1, error.stdout or b"", "Initialization action timed out"
    bucket.write(uri, output)
    if code:
        raise RefusalError(
            grpc.StatusCode.INTERNAL, f"{cause}. Failed action '{action.executable_file}', see output in: {uri}."
        )
