"""A cluster's config as the message that creates it."""

from __future__ import annotations

from typing import Any

from google.cloud import dataproc_v1

from flowerexp.cluster.dataproc.config import Dataproc, Machine
from flowerexp.cluster.dataproc.executors import executors
from flowerexp.cluster.google.names import labels
from flowerexp.cluster.google.submission import duration
from flowerexp.cluster.google.wheels import METADATA, METADATA_SHA256, Packages
from flowerexp.cluster.spark_submit import MEASURING, configured

_INSTALL_SECONDS = 1200


def spark_properties(cluster: Dataproc) -> dict[str, str]:
    """What every job on a cluster runs with; the config's own win."""
    return {**MEASURING, **executors(cluster), **configured(cluster)}


def cluster_message(
    config: Dataproc, name: str, scope: str, zone: str | None, packages: Packages | None
) -> dataproc_v1.Cluster:
    """The message that creates a cluster.

    Args:
        config: the cluster's.
        name: the cluster's.
        scope: the sweep's or run's.
        zone: where; None lets Dataproc choose.
        packages: what its nodes install; None for nothing.
    """
    software = {f"spark:{key}": value for key, value in spark_properties(config).items()}
    workers = config.workers
    if workers.count == 0:
        software["dataproc:dataproc.allow.zero.workers"] = "true"
    message: dict[str, Any] = {
        # Without a bucket named here, Dataproc would make one that stays for good.
        "config_bucket": config.bucket,
        "gce_cluster_config": _machines(config, zone, packages),
        "master_config": _group(config.master, 1),
        "software_config": {"image_version": config.image_version, "properties": software},
        # Both timers, always: the cluster ends even if flowerexp dies.
        "lifecycle_config": {
            "idle_delete_ttl": duration(config.idle_delete_minutes),
            "auto_delete_ttl": duration(config.auto_delete_minutes),
        },
    }
    if workers.count:
        message["worker_config"] = _group(workers, workers.count)
    if packages:
        action = {"executable_file": packages.action, "execution_timeout": {"seconds": _INSTALL_SECONDS}}
        message["initialization_actions"] = [action]
    return dataproc_v1.Cluster(
        project_id=config.project, cluster_name=name, labels=labels(scope, config.labels), config=message
    )


def _machines(config: Dataproc, zone: str | None, packages: Packages | None) -> dict[str, Any]:
    machines: dict[str, Any] = {
        "internal_ip_only": config.internal_ip_only,
        "service_account_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
    }
    if zone:
        machines["zone_uri"] = zone
    if config.subnetwork:
        machines["subnetwork_uri"] = config.subnetwork
    if config.service_account:
        machines["service_account"] = config.service_account
    if packages:
        machines["metadata"] = {METADATA: packages.folder, METADATA_SHA256: packages.sha256}
    return machines


def _group(node: Machine, count: int) -> dict[str, Any]:
    return {
        "num_instances": count,
        "machine_type_uri": node.machine_type,
        "disk_config": {"boot_disk_type": node.disk_type, "boot_disk_size_gb": node.disk_gb},
    }
