"""What Google says, as one line that a user can act on; no token and no account's name is in it."""

from __future__ import annotations

import re

from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud.storage.exceptions import InvalidResponse

from flowerexp.config.redact import HIDDEN
from flowerexp.errors import ClusterError, QuotaError

_SECRETS = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # accounts of people and services
    r"|ya29\.[\w.-]+"  # OAuth access tokens
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]*"  # JSON web tokens
    r"|(?<=Bearer )\S+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)
# In the words of Compute Engine, which Dataproc passes on, whatever status code it wraps them in.
_STOCK_OUT = re.compile(r"RESOURCE_POOL_EXHAUSTED|does not have enough resources|STOCKOUT|RESOURCE_NOT_READY")
_INSUFFICIENT = re.compile(
    r"Insufficient '(?P<name>\w+)' quota\. Requested (?P<asked>\d+(\.\d+)?), available (?P<left>\d+(\.\d+)?)"
)
_EXCEEDED = re.compile(r"Quota '(?P<name>\w+)' exceeded\.?\s+Limit: (?P<left>\d+(\.\d+)?)")
_NO_PROJECT = re.compile(r"(?i)unknown project|project \S*\s*(was |is )?(not found|does not exist|invalid)")
_CALLED = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) https?://\S+: ")  # Cloud Storage begins with what it was asked
_TRIED_FOR = re.compile(r"Timeout of ([\d.]+)s exceeded")  # in the words of google.api_core.retry
# The key that a refused request has its value from, by what Google calls it; `{node}` is the master or the workers.
_KEYS = [
    (re.compile(rf"(?i){words}"), key)
    for words, key in (
        ("service.?account", "gcp.service_account"),
        ("autoscaling", "cluster.autoscaling_policy"),
        ("secondary.?worker|preemptib", "cluster.secondary.count"),
        ("subnet", "gcp.subnetwork"),
        ("image version", "cluster.image_version"),
        ("runtime version", "cluster.runtime_version"),
        ("container", "cluster.container"),
        ("machine type", "cluster.{node}.machine_type"),
        ("disk type", "cluster.{node}.disk_type"),
        ("disk", "cluster.{node}.disk_gb"),
        (r"\blabels?\b", "cluster.labels"),
        ("idle.?delete", "cluster.idle_delete_minutes"),
        ("auto.?delete", "cluster.auto_delete_minutes"),
        (r"\bttl\b", "cluster.ttl_minutes"),
        ("property", "cluster.spark"),
        (r"\bzones?\b", "gcp.zones"),
        (r"\bbucket", "gcp.bucket"),
        (r"\bregion|\blocation", "gcp.region"),
        (r"\bproject\b", "gcp.project"),
    )
]
_QUOTA_HINTS = {
    "PREEMPTIBLE_CPUS": "take fewer secondary workers (cluster.secondary.count), or ask Google for more of that quota",
    "CPUS": "take fewer workers (cluster.workers.count) or smaller machines (cluster.workers.machine_type)",
    "IN_USE_ADDRESSES": "set cluster.internal_ip_only=true, or take fewer workers (cluster.workers.count)",
    "SSD_TOTAL_GB": "take smaller disks (cluster.master.disk_gb), or pd-standard for cluster.workers.disk_type",
    "DISKS_TOTAL_GB": "take smaller disks (cluster.workers.disk_gb) or fewer workers (cluster.workers.count)",
}
_ROLES = "you need the roles Dataproc Editor, Storage Admin and Service Account User in that project"
# GoogleCloudPlatform/cloud-bigtable-examples, java/dataproc-wordcount/README.md, has this message:
# "Service Accounts must have either 'Dataproc/Dataproc Worker' role or all permissions granted by the role."
_WORKER_ROLE = "--role=roles/dataproc.worker"
_WORKER = re.compile(r"Dataproc Worker|dataproc\.(agents|tasks)\.")
_LOGIN = "run: gcloud auth application-default login, or name a key's file in GOOGLE_APPLICATION_CREDENTIALS"


def scrubbed(text: str) -> str:
    """A text without tokens and accounts."""
    return _SECRETS.sub(HIDDEN, text)


def message_of(error: BaseException) -> str:
    """What an error of Google's libraries says, in one line."""
    error = last_attempt(error)
    text = error.message if isinstance(error, exceptions.GoogleAPICallError) else str(error)
    return scrubbed(_CALLED.sub("", " ".join(str(text).split())))


def is_stock_out(error: BaseException) -> bool:
    """Has the zone no machines left?"""
    return bool(_STOCK_OUT.search(str(error)))


def is_quota(error: BaseException) -> bool:
    """Would it exceed a quota of the region? Too many calls a minute are something else."""
    text = str(error)
    return bool(_INSUFFICIENT.search(text) or _EXCEEDED.search(text) or "QUOTA_EXCEEDED" in text)


class StockOutError(ClusterError):
    """A zone has no machines left; another one may have."""


def last_attempt(error: BaseException) -> BaseException:
    """What went wrong at the last attempt of a call that was tried again, as google.api_core has it."""
    if isinstance(error, exceptions.RetryError) and error.cause is not None:
        return last_attempt(error.cause)
    if isinstance(error, InvalidResponse):
        found: BaseException = exceptions.from_http_response(error.response)
        return found
    return error


def _tried(error: BaseException) -> str:
    """How long a call was tried again, if it was."""
    found = _TRIED_FOR.search(error.message) if isinstance(error, exceptions.RetryError) else None
    return f" (tried again for {float(found[1]):g} s)" if found else ""


def explained(error: BaseException, doing: str, project: str, region: str) -> ClusterError:
    """Turn an error of Google's libraries into a `ClusterError`.

    Args:
        error: of google.api_core, google.auth or requests.
        doing: what was being done, such as ``creating cluster x``.
        project: where it was done.
        region: likewise.
    """
    doing, error = f"{doing}{_tried(error)}", last_attempt(error)
    if is_quota(error):
        return _quota(error, doing)
    if is_stock_out(error):
        hint = "name other zones (gcp.zones=[...]), another region or machine type, or try again later"
        return StockOutError(f"{doing}: no machines left: {message_of(error)}", hint=hint)
    text = message_of(error)
    advice = _hint(error, text, project, region)
    return ClusterError(f"{doing}: {_problem(error, text)}", where=_key(error, text), hint=advice)


def _quota(error: BaseException, doing: str) -> QuotaError:
    text = str(error)
    found = [*_INSUFFICIENT.finditer(text)]
    parts = [f"{one['name']}: asked {float(one['asked']):g}, available {float(one['left']):g}" for one in found]
    if not parts:
        found = [*_EXCEEDED.finditer(text)]
        parts = [f"{one['name']}: the limit is {float(one['left']):g}" for one in found]
    # N2_CPUS and CPUS_ALL_REGIONS are CPUS, too.
    hints = dict.fromkeys(
        next((hint for name, hint in _QUOTA_HINTS.items() if name in one["name"]), "") for one in found
    )
    problem = f"{doing}: the region's quota is too small: {', '.join(parts) or message_of(error)}"
    return QuotaError(problem, hint="; ".join(filter(None, hints)) or "ask Google for more, or choose another region")


def _problem(error: BaseException, text: str) -> str:
    if isinstance(error, auth_exceptions.DefaultCredentialsError):
        return "there are no Google Cloud credentials on this machine"
    if isinstance(error, auth_exceptions.RefreshError | exceptions.Unauthenticated):
        return "Google refuses the credentials of this machine: they are wrong or have expired"
    return text


def _key(error: BaseException, text: str) -> str | None:
    """The key whose value Google does not take; None where it says something else."""
    if not isinstance(error, exceptions.BadRequest):
        return None
    found = next((key for words, key in _KEYS if words.search(text)), None)
    return found.format(node="master" if "master" in text else "workers") if found else None


def _hint(error: BaseException, text: str, project: str, region: str) -> str | None:
    if isinstance(error, auth_exceptions.DefaultCredentialsError | auth_exceptions.RefreshError):
        return _LOGIN
    if isinstance(error, exceptions.Unauthenticated):
        return _LOGIN
    if re.search(r"SERVICE_DISABLED|has not been used in project|API .*disabled", text):
        return f"run: gcloud services enable dataproc.googleapis.com storage.googleapis.com --project={project}"
    if _WORKER.search(text):
        grant = f"gcloud projects add-iam-policy-binding {project} --member=serviceAccount:ACCOUNT {_WORKER_ROLE}"
        return f"the clusters' service account needs the role Dataproc Worker; run: {grant}"
    if isinstance(error, exceptions.Forbidden):
        return f"is gcp.project={project} right? {_ROLES}"
    if "Private Google Access" in text:
        enable = f"gcloud compute networks subnets update SUBNETWORK --region={region} --project={project}"
        return f"run: {enable} --enable-private-ip-google-access, or set cluster.internal_ip_only=false"
    if _NO_PROJECT.search(text):
        return f"check gcp.project={project}"
    if isinstance(error, exceptions.ServiceUnavailable | auth_exceptions.TransportError):
        return "check the network, or try again later"
    return None
