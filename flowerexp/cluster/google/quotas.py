"""What a region has left of its quotas, as Compute Engine says."""

from __future__ import annotations

import os
import re
from typing import Any

from flowerexp.cluster.quota import PREEMPTIBLE, QuotaLimits
from flowerexp.errors import ClusterError

# What Compute Engine calls them; the vCPUs of a series have the metric that `machines.yaml` names. That N1 and E2 count
# as CPUS, and balanced disks as SSD, is how we read its names; where it counts otherwise, creating the cluster fails.
_METRICS = {
    "IN_USE_ADDRESSES": "in_use_addresses",
    "SSD_TOTAL_GB": "ssd_gb",
    "DISKS_TOTAL_GB": "standard_disk_gb",
}


def left(project: str, region: str) -> QuotaLimits:
    """What a region has left now.

    The user's own credentials are used, or the server that COMPUTE_EMULATOR_HOST (HOST:PORT) names.

    Raises:
        ClusterError: Compute Engine does not answer.
    """
    from flowerexp.cluster.google.staging import GOOGLE_ERRORS

    try:
        answer = _client().get(project=project, region=region)
    except GOOGLE_ERRORS as error:
        problem = f"Compute Engine does not say what the quotas of {region} in {project} are: {error}"
        hint = "the Compute Engine API must be enabled, and you need compute.regions.get; or go without: quota=none"
        raise ClusterError(problem, where="quota", hint=hint) from error
    now = {quota.metric: int(quota.limit - quota.usage) for quota in answer.quotas}
    vcpus = {metric: number for metric, number in now.items() if re.fullmatch(r"([A-Z]\d[A-Z]?_)?CPUS", metric)}
    if any(quota.metric == PREEMPTIBLE and quota.limit for quota in answer.quotas):
        vcpus[PREEMPTIBLE] = now[PREEMPTIBLE]
    return QuotaLimits(**{name: now[metric] for metric, name in _METRICS.items() if metric in now}, by_metric=vcpus)


def _client() -> Any:
    from google.cloud import compute_v1

    host = os.environ.get("COMPUTE_EMULATOR_HOST")
    if not host:
        return compute_v1.RegionsClient()
    from google.auth.credentials import AnonymousCredentials

    return compute_v1.RegionsClient(
        credentials=AnonymousCredentials(), client_options={"api_endpoint": f"http://{host}"}
    )
