"""How Google Cloud lets things be called, as limits of the schema: a pattern, what is wanted, and a hint.

Only what is certain is refused here; the rest is left to Google, whose refusal is shown as it is.
"""

from __future__ import annotations

import re
from typing import Any

_ZONE = r"[a-z]+-[a-z]+\d+-[a-z0-9]+"
_BUCKET = r"[a-z0-9]([-_.a-z0-9]*[a-z0-9])?"


def _limits(pattern: str, wanted: str, hint: Any) -> dict[str, Any]:
    return {"pattern": pattern, "pattern_wanted": wanted, "pattern_hint": hint}


def _bucket_hint(value: str) -> str:
    name = value.removeprefix("gs://").partition("/")[0]
    if name != value and re.fullmatch(_BUCKET, name):
        return f"write {name}"
    if ":" in value:
        return "a bucket's name holds no colon, though the project's id does: name a bucket with gcp.bucket=NAME"
    return "3 or more small letters, digits, hyphens, dots and underscores, the first and last a letter or digit"


def _project_hint(value: str) -> str:
    if value.isdigit():
        return "that is a number: write the project's id, which `gcloud projects list` shows beside it"
    return "small letters, digits and hyphens, such as my-project-1, or example.com:my-project-1"


def _region_hint(value: str) -> str:
    zone = re.fullmatch(_ZONE, value)
    return f"that is a zone: write {value.rpartition('-')[0]}" if zone else "write one such as us-central1"


def _zone_hint(value: str) -> str:
    if re.fullmatch(REGION["pattern"], value):
        return f"that is a region: write one of its zones, such as {value}-a, or none"
    return "write one such as us-central1-a"


PROJECT = _limits(r"([a-z0-9.-]+:)?[a-z]([-a-z0-9]{0,28}[a-z0-9])?", "the id of a project", _project_hint)
BUCKET = _limits(rf"(?!goog)(?=.{{3,222}}$){_BUCKET}", "the name of a bucket alone", _bucket_hint)
REGION = _limits(r"[a-z]+-[a-z]+\d+", "a region of Compute Engine", _region_hint)
ZONE = _limits(_ZONE, "a zone of Compute Engine", _zone_hint)
SUBNETWORK = _limits(
    r"(https://\S+/)?(projects/[^/\s]+/)?regions/[a-z0-9-]+/subnetworks/[-a-z0-9]+|[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
    "a subnetwork",
    "write its name, or projects/PROJECT/regions/REGION/subnetworks/NAME",
)
SERVICE_ACCOUNT = _limits(
    r"[^@\s:/]+@[a-z0-9.-]+\.gserviceaccount\.com", "the address of a service account",
    "write NAME@PROJECT.iam.gserviceaccount.com",
)  # fmt: skip
MACHINE_TYPE = _limits(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", "a machine type", "write one such as n1-standard-2")
IMAGE_VERSION = _limits(
    r"\d+\.\d+(\.\d+)?(-[A-Za-z0-9]+)*", "a version of Dataproc's images", "write one such as 2.2-debian12"
)
RUNTIME_VERSION = _limits(
    r"\d+\.\d+(\.\d+)?(-[A-Za-z0-9]+)*", "a version of the serverless runtime", 'write one such as "2.3"'
)
CONTAINER = _limits(
    r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[^\s/]+)+", "the name of a container image", "write HOST/PROJECT/REPOSITORY/NAME:TAG"
)
AUTOSCALING_POLICY = _limits(
    r"[A-Za-z0-9][-_A-Za-z0-9]{1,48}[A-Za-z0-9]", "the id of an autoscaling policy",
    "write the id alone, as `gcloud dataproc autoscaling-policies list` shows it: 3 to 50 letters, digits, _ and -",
)  # fmt: skip
PATH = _limits(
    r"(?s)(?!gc?s:)(?!gs//).*|gs://[a-z0-9][-_.a-z0-9]*(/.*)?", "a folder, or gs://BUCKET/FOLDER",
    "a bucket's name is of small letters, digits, hyphens, dots and underscores",
)  # fmt: skip
HOME = _limits(
    r"(?s)(?!.*://)(?!gc?s:)(?!.*\$\{).+", "a folder of this machine, without ${ in its path",
    "buckets are for dataset and storage, and Hydra would resolve ${",
)  # fmt: skip
