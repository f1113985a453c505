"""A cluster's config as the message that creates it."""

from __future__ import annotations

from typing import Any

from google.cloud import dataproc_v1

from flowerexp.cluster.dataproc.config import Dataproc, Machine, Secondary
from flowerexp.cluster.dataproc.executors import executors
from flowerexp.cluster.dataproc.nodes import provisioned
from flowerexp.cluster.google.names import labels
from flowerexp.cluster.google.submission import duration
from flowerexp.cluster.google.wheels import METADATA, METADATA_SHA256, Packages
from flowerexp.cluster.spark_submit import MEASURING, configured

_INSTALL_SECONDS = 1200

# What Dataproc collects by itself since October 2025, and writes while we measure: checkpoints for a diagnosis, the
# logs of notebooks and of Spark's history server, and the machines' own logs.
# https://docs.cloud.google.com/dataproc/docs/release-notes and .../docs/support/diagnose-command, .../guides/logging.
_QUIET = {
    f"dataproc:{name}": "false"
    for name in ("diagnostic.capture.enabled", "dataproc.logging.extended.enabled", "dataproc.logging.syslog.enabled")
}


def spark_properties(cluster: Dataproc) -> dict[str, str]:
    """What every job on a cluster runs with; the config's own win."""
    # A policy adds machines where Spark asks for more executors.
    scaling = {"spark.dynamicAllocation.enabled": "true"} if cluster.autoscaling_policy else {}
    return {**MEASURING, **executors(cluster), **scaling, **configured(cluster)}


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
    software = {**_QUIET, **{f"spark:{key}": value for key, value in spark_properties(config).items()}}
    workers, secondary = config.workers, config.secondary
    if workers.count == 0:
        software["dataproc:dataproc.allow.zero.workers"] = "true"
    if secondary.may_be_taken and not config.autoscaling_policy:
        # Else YARN may place an application's master on one of them, with which the whole job would be lost. The name
        # is that of the release notes of 2018-09-28; autoscaling does not support it (YARN-9088):
        # https://docs.cloud.google.com/dataproc/docs/concepts/configuring-clusters/autoscaling
        software["dataproc:am.primary_only"] = "true"
    message: dict[str, Any] = {
        # Without buckets named here, Dataproc would make two that stay for good.
        "config_bucket": config.bucket,
        "temp_bucket": config.bucket,
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
    if secondary.count:
        message["secondary_worker_config"] = _secondary(workers, secondary)
    if config.autoscaling_policy:
        place = f"projects/{config.project}/locations/{config.region}"
        message["autoscaling_config"] = {"policy_uri": f"{place}/autoscalingPolicies/{config.autoscaling_policy}"}
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


def _secondary(workers: Machine, secondary: Secondary) -> dict[str, Any]:
    """Secondary workers, whose machine type is the primary workers' where none is named; their disk would be smaller.

    https://docs.cloud.google.com/dataproc/docs/concepts/compute/secondary-vms
    """
    group = _group(workers, secondary.count)
    del group["machine_type_uri"]
    kind = "NON_PREEMPTIBLE" if secondary.kind == "standard" else secondary.kind.upper()
    return {**group, "preemptibility": kind}


def _group(node: Machine, count: int) -> dict[str, Any]:
    disk: dict[str, Any] = {"boot_disk_type": node.disk_type, "boot_disk_size_gb": node.disk_gb}
    iops, mib_s = provisioned(node)
    if iops and mib_s:
        disk |= {"boot_disk_provisioned_iops": iops, "boot_disk_provisioned_throughput": mib_s}
    return {"num_instances": count, "machine_type_uri": node.machine_type, "disk_config": disk}
