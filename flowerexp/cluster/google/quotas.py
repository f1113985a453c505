"""What a region has left of its quotas, as Compute Engine says."""

from __future__ import annotations

import os
from typing import Any

from flowerexp.cluster.quota import QuotaLimits
from flowerexp.errors import ClusterError

# What Compute Engine calls them. That N1 and E2 count as CPUS, N2 separately, and balanced disks as SSD is how we read
# its names; where it counts otherwise, creating the cluster fails. A serverless batch needs CPUS:
# https://cloud.google.com/dataproc-serverless/quotas
_METRICS = {
    "CPUS": "shared_vcpus",
    "N2_CPUS": "n2_vcpus",
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
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        answer = _client().get(project=project, region=region)
    except (GoogleAPIError, GoogleAuthError) as error:
        problem = f"Compute Engine does not say what the quotas of {region} in {project} are: {error}"
        hint = "the Compute Engine API must be enabled, and you need compute.regions.get; or go without: quota=none"
        raise ClusterError(problem, where="quota", hint=hint) from error
    known = [quota for quota in answer.quotas if quota.metric in _METRICS]
    return QuotaLimits(**{_METRICS[quota.metric]: int(quota.limit - quota.usage) for quota in known})


def _client() -> Any:
    from google.cloud import compute_v1

    host = os.environ.get("COMPUTE_EMULATOR_HOST")
    if not host:
        return compute_v1.RegionsClient()
    from google.auth.credentials import AnonymousCredentials

    return compute_v1.RegionsClient(
        credentials=AnonymousCredentials(), client_options={"api_endpoint": f"http://{host}"}
    )
