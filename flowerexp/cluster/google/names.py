"""The names of clusters, jobs, batches and labels: they follow from sweep and config, so that they are found again."""

from __future__ import annotations

import getpass
import hashlib
import re
import socket
from collections.abc import Mapping
from typing import Any

from flowerexp.config import key_of
from flowerexp.config.schema import Cluster

SCOPE = "flowerexp-scope"
OWNER = "flowerexp-owner"
CLUSTER = "flowerexp-cluster"
BUCKET_LABEL = "flowerexp"
_MOST_LABELS = 32  # of a cluster, job or batch


def slug(text: str, longest: int = 63) -> str:
    """A text as lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].strip("-")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def cluster_name(scope: str, cluster: Cluster) -> str:
    """The name of a scope's cluster of one config: at most 51 characters, `[a-z]([-a-z0-9]{0,49}[a-z0-9])?`."""
    shape = slug(cluster.name or cluster.kind, 16)
    shape = shape if shape[:1].isalpha() else f"c-{shape}"[:16].strip("-")
    digest = _digest(scope, key_of(cluster))
    return "-".join(part for part in (shape, slug(scope, 24), digest) if part)


def job_id(scope: str, folder: str) -> str:
    """The id of the job in a folder: the same for the same folder, so that a second submission finds the first one.

    At most 63 characters that a batch may have, too: `[a-z0-9][-a-z0-9]{2,61}[a-z0-9]`.
    """
    return "-".join(part for part in (slug(scope, 30), slug(folder, 22), _digest(scope, folder)) if part)


def request_id(name: str) -> str:
    """The id of the request that submits a job: the same for the same job alone; at most 40 characters."""
    return hashlib.sha256(name.encode()).hexdigest()[:40]


def owner() -> str:
    """Who created them, on which machine, as a label can say it; what belongs to a sweep is known by its scope."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, in a container
        user = "nobody"
    return slug(f"{user}-{socket.gethostname()}") or "nobody"


def labels(scope: str, further: Mapping[str, Any], **more: str) -> dict[str, str]:
    """The labels of flowerexp and of the user in Google's form: up to 63 of `[-_a-z0-9]`; keys begin with a letter."""
    given = {}
    for key, value in further.items():
        name = re.sub(r"[^-_a-z0-9]", "-", str(key).lower()).lstrip("-_0123456789")[:63]
        if name:
            given[name] = re.sub(r"[^-_a-z0-9]", "-", str(value).lower())[:63]
    ours = {SCOPE: slug(scope), OWNER: owner(), **more}
    given = {key: value for key, value in given.items() if key not in ours}
    return {**dict(list(given.items())[: _MOST_LABELS - len(ours)]), **ours}
