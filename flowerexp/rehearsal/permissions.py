"""Which APIs and IAM permissions a project needs for the methods that were called, and which roles give them.

The pages that say it are below. Of those on clusters, jobs, batches, buckets and objects, parts were read on
2026-11-26.
The rest is as generally known, and its pages were not read: the permissions of operations, regions and log entries,
acting as a service account, the role of the machines, and which role gives a permission.

- clusters, jobs, operations: https://docs.cloud.google.com/dataproc/docs/concepts/iam
- batches: https://docs.cloud.google.com/dataproc-serverless/docs/concepts/iam
- buckets and objects: https://cloud.google.com/storage/docs/access-control/iam-json
- entries of logs: https://cloud.google.com/logging/docs/access-control
- quotas of a region: https://cloud.google.com/compute/docs/reference/rest/v1/regions/get
- roles of the machines: https://docs.cloud.google.com/dataproc/docs/concepts/configuring-clusters/service-accounts
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_METHODS: Mapping[str, tuple[str, ...]] = {
    # Whoever creates a cluster or batch lets it work as a service account, and so must be allowed to act as it.
    "CreateCluster": ("dataproc.clusters.create", "iam.serviceAccounts.actAs"),
    "GetCluster": ("dataproc.clusters.get",),
    "ListClusters": ("dataproc.clusters.list",),
    "UpdateCluster": ("dataproc.clusters.update",),
    "DeleteCluster": ("dataproc.clusters.delete",),
    "SubmitJob": ("dataproc.jobs.create", "dataproc.clusters.use"),
    "GetJob": ("dataproc.jobs.get",),
    "ListJobs": ("dataproc.jobs.list",),
    "UpdateJob": ("dataproc.jobs.update",),
    "CancelJob": ("dataproc.jobs.cancel",),
    "DeleteJob": ("dataproc.jobs.delete",),
    "CreateBatch": ("dataproc.batches.create", "iam.serviceAccounts.actAs"),
    "GetBatch": ("dataproc.batches.get",),
    "ListBatches": ("dataproc.batches.list",),
    "DeleteBatch": ("dataproc.batches.delete",),
    "GetOperation": ("dataproc.operations.get",),
    "ListOperations": ("dataproc.operations.list",),
    "WaitOperation": ("dataproc.operations.get",),
    "CancelOperation": ("dataproc.operations.cancel",),
    "DeleteOperation": ("dataproc.operations.delete",),
    "ListLogEntries": ("logging.logEntries.list",),
    "GetRegion": ("compute.regions.get",),
    "buckets.list": ("storage.buckets.list",),
    "buckets.get": ("storage.buckets.get",),
    "buckets.insert": ("storage.buckets.create",),
    "buckets.patch": ("storage.buckets.update",),
    "buckets.delete": ("storage.buckets.delete",),
    "objects.list": ("storage.objects.list",),
    "objects.get": ("storage.objects.get",),
    # "storage.objects.delete" only where it replaces an object, as that of an earlier attempt.
    "objects.insert": ("storage.objects.create", "storage.objects.delete"),
    "objects.compose": ("storage.objects.create", "storage.objects.delete", "storage.objects.get"),
    "objects.copy": ("storage.objects.create", "storage.objects.delete", "storage.objects.get"),
    "objects.rewrite": ("storage.objects.create", "storage.objects.delete", "storage.objects.get"),
    "objects.patch": ("storage.objects.update", "storage.objects.get"),
    "objects.delete": ("storage.objects.delete",),
    "projects.serviceAccount.get": ("resourcemanager.projects.get",),
}

# What begins like this is in the role; the first role of a permission is taken.
_ROLES = {
    "roles/dataproc.editor": ("dataproc.", "resourcemanager.projects.get"),
    "roles/iam.serviceAccountUser": ("iam.serviceAccounts.actAs",),
    "roles/storage.admin": ("storage.",),
    "roles/compute.viewer": ("compute.",),
    "roles/logging.viewer": ("logging.",),
}
_OF_MACHINES = "roles/dataproc.worker"
"""The role of the service account that clusters and batches work as: it reads and writes buckets, too."""

_APIS = {
    "dataproc.googleapis.com": ("Cluster", "Job", "Batch", "Operation"),
    "storage.googleapis.com": ("buckets.", "objects.", "projects."),
    "compute.googleapis.com": ("CreateCluster", "CreateBatch", "GetRegion"),  # Dataproc makes the machines there
    "logging.googleapis.com": ("ListLogEntries",),
}
_RESOURCE_MANAGER = "dataprocrm.googleapis.com"
"""What batches of runtimes from 3.0 on need beside, see `cluster/google/versions.yaml`."""


@dataclass(frozen=True)
class Needed:
    """What a project must have: APIs, and permissions and roles of the user and of the machines' service account."""

    apis: tuple[str, ...]
    permissions: tuple[str, ...]
    roles: tuple[str, ...]
    of_machines: tuple[str, ...]
    machines_role: str = _OF_MACHINES


def needed(user: Iterable[str], machines: Iterable[str] = (), runtimes: Iterable[str] = ()) -> Needed:
    """What the methods need that were called.

    Args:
        user: methods that the user's own machine called.
        machines: methods that clusters and batches called.
        runtimes: the versions of the batches' runtimes.

    Raises:
        KeyError: no permission is known for a method: it is missing here.
    """
    user = set(user)
    permissions = _permissions(user)
    apis = [api for api, words in _APIS.items() if any(word in method for method in user for word in words)]
    apis += [_RESOURCE_MANAGER] if any(int(version.partition(".")[0] or 0) >= 3 for version in runtimes) else []
    given = {next(role for role, starts in _ROLES.items() if name.startswith(starts)) for name in permissions}
    return Needed(
        tuple(apis), permissions, tuple(role for role in _ROLES if role in given), _permissions(set(machines))
    )


def _permissions(methods: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for method in methods for name in _METHODS[method]}))
