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

from tests.fakes import quotas
from tests.fakes.bucket import Bucket
from tests.fakes.refusal import invalid

MINUTE, DAY = 60.0, 86_400.0

# types/clusters.py `SoftwareConfig.properties` names the first nine; the page that it refers to, cluster-properties,
# the others (googleapis/google-cloud-go issue 1209 for yarn-env). Google knows more: refused here until looked up.
_PREFIXES = {
    *("capacity-scheduler", "core", "distcp", "hdfs", "hive", "mapred", "pig", "spark", "yarn"),
    *("dataproc", "hadoop-env", "mapred-env", "spark-env", "yarn-env"),
}
# .../concepts/configuring-clusters/cluster-properties, "Dataproc service properties": not all, those that a cluster of
# flowerexp might set. Here, too, what is not listed is refused.
_DATAPROC_PROPERTIES = re.compile(
    r"dataproc\.(allow\.zero\.workers|am\.primary_only|cluster-ttl\.consider-yarn-activity|conscrypt\.provider\.enable"
    r"|cooperative\.multi-tenancy\.user\.mapping|cluster\.caching\.enabled|localssd\.mount\.enable"
    r"|logging\.[\w.-]+|monitoring\.[\w.-]+|master\.custom\.init\.actions\.mode|worker\.custom\.init\.action\.mode"
    r"|performance\.metrics\.listener\.enabled|scheduler\.[\w.-]+|snap\.enabled|yarn\.orphaned-app-termination\.enable"
    r"|beta\.secure\.multi-tenancy\.user\.mapping|alpha\.[\w.-]+)"
    r"|(?:pip|conda)\.packages|conda\.env\.config\.uri|jupyter\.[\w.-]+|hudi\.version|ranger\.[\w.-]+|solr\.[\w.-]+"
    r"|efm\.[\w.-]+|kerberos\.[\w.-]+"
)


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
    properties(config.software_config.properties)
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
    groups = (("master", config.master_config), ("worker", config.worker_config))
    for role, group in groups:
        if not group.num_instances:
            continue
        # https://cloud.google.com/dataproc/docs/concepts/compute/supported-machine-types: "the n1-standard-1 machine
        # type is not supported for 2.0+ images". It names no other type, and no least memory.
        if quotas.short(group.machine_type_uri) == "n1-standard-1" and version >= (2, 0):
            raise invalid("Machine type 'n1-standard-1' is not supported for image versions 2.0 and later.")
        quotas.vcpus(group.machine_type_uri)
        _disk(role, group.disk_config)
    # types/clusters.py `InstanceGroupConfig.num_instances`: 1, or 3 with high availability.
    if config.master_config.num_instances not in (1, 3):
        raise invalid(f"Invalid number of masters {config.master_config.num_instances}: must be 1 or 3.")
    # https://cloud.google.com/dataproc/docs/concepts/configuring-clusters/single-node-clusters: a cluster has no
    # worker at all (and says so by a property), or at least two.
    if config.worker_config.num_instances == 1:
        raise invalid(
            "Clusters must have at least 2 primary workers; set dataproc:dataproc.allow.zero.workers for none."
        )


def _disk(role: str, disk: types.DiskConfig) -> None:
    # https://cloud.google.com/compute/docs/disks/create-root-persistent-disks: no smaller than the image, which is
    # 30 GB for Dataproc 2.x (kestra-io/kestra issue 8082 creates clusters with 30).
    if 0 < disk.boot_disk_size_gb < 30:
        raise invalid(f"Requested {role} disk size {disk.boot_disk_size_gb} GB is smaller than the image size 30 GB.")
    # types/clusters.py `DiskConfig.boot_disk_type`.
    kind = quotas.short(disk.boot_disk_type or "pd-standard")
    if kind not in ("pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"):
        raise invalid(f"Invalid boot disk type '{kind}' of the {role}.")


def properties(given: Mapping[str, str]) -> None:
    """Cluster properties are `prefix:property` with a known prefix (see `_PREFIXES` for the source)."""
    for name in given:
        prefix, colon, rest = name.partition(":")
        if not colon or not rest:
            raise invalid(f"Property '{name}' must be in the format 'prefix:property'.")
        if prefix not in _PREFIXES:
            raise invalid(f"Unknown property prefix '{prefix}' in '{name}'.")
        if prefix == "dataproc" and not _DATAPROC_PROPERTIES.fullmatch(rest):
            raise invalid(f"Unrecognized dataproc property '{name}'.")


def lifecycle(given: types.LifecycleConfig) -> None:
    """types/clusters.py `LifecycleConfig`: idle 5 minutes to 14 days, age 10 minutes to 14 days."""
    for name, least in (("idle_delete_ttl", 5 * MINUTE), ("auto_delete_ttl", 10 * MINUTE)):
        if name in given and not least <= getattr(given, name).total_seconds() <= 14 * DAY:
            seconds = getattr(given, name).total_seconds()
            raise invalid(f"Invalid {name} {seconds:.0f}s: must be between {least:.0f}s and {14 * DAY:.0f}s.")
