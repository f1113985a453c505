"""What Google refuses of a cluster, each refusal with its source.

Where a source gives the rule but not the message, the message is ours: tests should look for the offending value.
Not confirmed by a document that could be read: that 3.0 is an image version of clusters, the Python of each image (in
`initialization`), the least disk of 30 GB, and the words in which calls refuse a state (FAILED_PRECONDITION).
Sources named `types/...` are docstrings of google-cloud-dataproc 5.32, which mirror the API reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from google.cloud.dataproc_v1 import types

from flowerexp.rehearsal import properties, quotas
from flowerexp.rehearsal.bucket import Bucket
from flowerexp.rehearsal.refusal import invalid

MINUTE, DAY = 60.0, 86_400.0


def labels(given: Mapping[str, str]) -> None:
    """Label rules: types/clusters.py `Cluster.labels` and dataproc/docs/guides/creating-managing-labels.

    At most 32; keys of 1 to 63, values of up to 63 lower-case letters, digits, `_` and `-`; a key begins with a letter.
    """
    if len(given) > 32:
        raise invalid(f"No more than 32 labels can be associated with a resource; {len(given)} were given.")
    for key, value in given.items():
        if not re.fullmatch(r"[a-z][-_a-z0-9]{0,62}", key):
            raise invalid(f"Invalid label key '{key}'")
        if not re.fullmatch(r"[-_a-z0-9]{0,63}", value):
            raise invalid(f"Invalid label value '{value}' of key '{key}'")


def request_id(given: str) -> None:
    """types/clusters.py `CreateClusterRequest.request_id`: letters, digits, `_`, `-`, at most 40."""
    if given and not re.fullmatch(r"[-_a-zA-Z0-9]{1,40}", given):
        raise invalid(f"Invalid request ID '{given}'")


def image(version: str) -> tuple[int, int]:
    """The (major, minor) of an image version; none given is 2.3.

    Source: types/clusters.py `SoftwareConfig.image_version` and
    https://cloud.google.com/dataproc/docs/concepts/versioning/dataproc-version-clusters.
    """
    if not version:
        return 2, 3
    match = re.fullmatch(r"(1|2|3)\.(\d)(\.\d+)?(-(debian|ubuntu|rocky)\d+|-(?:debian|ubuntu|rocky)\d+-arm)?", version)
    if match is None or (match[1], match[2]) not in {("1", "5"), *(("2", m) for m in "0123"), ("3", "0")}:
        raise invalid(
            f"Selected software image version '{version}' is invalid or can no longer be used to create clusters."
        )
    return int(match[1]), int(match[2])


def cluster(given: types.Cluster, region: str, bucket: Bucket) -> None:
    """Refuse what Google refuses of a cluster that is to be created.

    Raises:
        RefusalError: with the code and message of the call.
    """
    # types/clusters.py `Cluster.cluster_name`: begins with a lower-case letter, up to 51 lower-case letters, digits and
    # hyphens, does not end with a hyphen.
    if not re.fullmatch(r"[a-z]([-a-z0-9]{0,49}[a-z0-9])?", given.cluster_name):
        raise invalid(f"Invalid cluster name '{given.cluster_name}'")
    labels(given.labels)
    config = given.config
    version = image(config.software_config.image_version)
    _place(config, region)
    _machines(config, version)
    properties.check(config.software_config.properties)
    lifecycle(config.lifecycle_config)
    for action in config.initialization_actions:
        # GoogleCloudDataproc/initialization-actions issue 388 has this very message.
        if not bucket.exists(action.executable_file):
            raise invalid(f"Google Cloud Storage object does not exist '{action.executable_file}'.")
    # types/clusters.py `ClusterConfig.config_bucket`: a name, not a gs:// URI; it must exist.
    for name in (config.config_bucket, config.temp_bucket):
        if name and not bucket.has_bucket(name):
            raise invalid(f"Google Cloud Storage bucket does not exist '{name}'.")


def _place(config: types.ClusterConfig, region: str) -> None:
    # https://cloud.google.com/dataproc/docs/concepts/regional-endpoints: the zone is one of the region's.
    if region not in quotas.ZONES:
        raise invalid(f"Region '{region}' is invalid.")
    zone = quotas.short(config.gce_cluster_config.zone_uri)
    if zone and zone not in quotas.zones(region):
        raise invalid(f"Zone '{zone}' does not belong to region '{region}'.")


def _machines(config: types.ClusterConfig, version: tuple[int, int]) -> None:
    groups = (
        ("master", config.master_config),
        ("worker", config.worker_config),
        ("secondary worker", config.secondary_worker_config),
    )
    for role, group in groups:
        if not group.num_instances:
            continue
        # https://cloud.google.com/dataproc/docs/concepts/compute/supported-machine-types: "the n1-standard-1 machine
        # type is not supported for 2.0+ images". It names no other type, and no least memory.
        if quotas.short(group.machine_type_uri) == "n1-standard-1" and version >= (2, 0):
            raise invalid("Machine type 'n1-standard-1' is not supported for image versions 2.0 and later.")
        quotas.vcpus(group.machine_type_uri)
        _disk(role, group.disk_config)
        kind, machine = quotas.short(group.disk_config.boot_disk_type), quotas.short(group.machine_type_uri)
        if kind and machine.startswith(quotas.HYPERDISK_ONLY) != (kind == "hyperdisk-balanced") and "c3" not in machine:
            raise invalid(f"{kind} disk type cannot be used by {machine} machine type.")
    # types/clusters.py `InstanceGroupConfig.num_instances`: 1, or 3 with high availability.
    if config.master_config.num_instances not in (1, 3):
        raise invalid(f"Invalid number of masters {config.master_config.num_instances}: must be 1 or 3.")
    # https://cloud.google.com/dataproc/docs/concepts/configuring-clusters/single-node-clusters: a cluster has no
    # worker at all (and says so by a property), or at least two.
    if config.worker_config.num_instances == 1:
        raise invalid(
            "Clusters must have at least 2 primary workers; set dataproc:dataproc.allow.zero.workers for none."
        )


def warnings(config: types.ClusterConfig) -> list[str]:
    """What the operation warns of: https://cloud.google.com/dataproc/docs/guides/create-cluster shows this one."""
    groups = [group for group in (config.master_config, config.worker_config) if group.num_instances]
    for disk in (group.disk_config for group in groups):
        small = quotas.short(disk.boot_disk_type) == "pd-standard" and disk.boot_disk_size_gb < 1000
        if small and not disk.num_local_ssds:
            return [
                "For PD-Standard without local SSDs, we strongly recommend provisioning 1TB or larger to ensure "
                "consistently high I/O performance. See https://cloud.google.com/compute/docs/disks/performance for "
                "information on disk I/O performance."
            ]
    return []


def secondary(config: types.ClusterConfig) -> None:
    """Refuse secondary workers as they were asked for, before anything is filled in.

    https://docs.cloud.google.com/dataproc/docs/concepts/compute/secondary-vms: they need primary workers, and have
    their machine type. In which words Google refuses them was not found.
    """
    group = config.secondary_worker_config
    zero = config.software_config.properties.get("dataproc:dataproc.allow.zero.workers", "").lower() == "true"
    if group.num_instances and zero and not config.worker_config.num_instances:
        raise invalid("Secondary workers need primary workers, which a single node cluster does not have.")
    if group.machine_type_uri and group.machine_type_uri != config.worker_config.machine_type_uri:
        raise invalid(f"Secondary workers have the machine type of the primary ones, not {group.machine_type_uri}.")
    if group.is_preemptible or group.instance_names or group.managed_group_config.instance_group_manager_name:
        raise invalid("Fields of secondary_worker_config that are only output were set.")
    # types/clusters.py `InstanceGroupConfig.preemptibility`: it cannot be changed for the others.
    if any(role.preemptibility > 1 for role in (config.master_config, config.worker_config)):
        raise invalid("Masters and primary workers cannot be preemptible.")


def autoscaling(config: types.ClusterConfig, project: str, region: str) -> None:
    """types/clusters.py `AutoscalingConfig.policy_uri`: with project and region, which are the cluster's."""
    uri = config.autoscaling_config.policy_uri
    policy = r"[A-Za-z0-9][-_A-Za-z0-9]{1,48}[A-Za-z0-9]"  # types/autoscaling_policies.py `AutoscalingPolicy.id`
    place = rf"projects/{re.escape(project)}/(locations|regions)/{re.escape(region)}/autoscalingPolicies"
    if uri and not re.fullmatch(rf"(https://[^/]+/compute/v1/)?{place}/{policy}", uri):
        raise invalid(f"Invalid autoscaling policy '{uri}'.")


def _disk(role: str, disk: types.DiskConfig) -> None:
    # https://cloud.google.com/compute/docs/disks/create-root-persistent-disks: no smaller than the image, which is
    # 30 GB for Dataproc 2.x (kestra-io/kestra issue 8082 creates clusters with 30).
    if 0 < disk.boot_disk_size_gb < 30:
        raise invalid(f"Requested {role} disk size {disk.boot_disk_size_gb} GB is smaller than the image size 30 GB.")
    # types/clusters.py `DiskConfig.boot_disk_type`.
    kind = quotas.short(disk.boot_disk_type or "pd-standard")
    if kind not in ("pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"):
        raise invalid(f"Invalid boot disk type '{kind}' of the {role}.")


def lifecycle(given: types.LifecycleConfig) -> None:
    """types/clusters.py `LifecycleConfig`: idle 5 minutes to 14 days, age 10 minutes to 14 days."""
    for name, least in (("idle_delete_ttl", 5 * MINUTE), ("auto_delete_ttl", 10 * MINUTE)):
        if name in given and not least <= getattr(given, name).total_seconds() <= 14 * DAY:
            seconds = getattr(given, name).total_seconds()
            raise invalid(f"Invalid {name} {seconds:.0f}s: must be between {least:.0f}s and {14 * DAY:.0f}s.")
