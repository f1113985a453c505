"""The config keys that every cluster in Google Cloud has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flowerexp.config import names
from flowerexp.config.fields import ACCOUNT, optional, text
from flowerexp.config.schema import Cluster

_PROJECT_HINT = {"hint": "name your Google Cloud project: gcp.project=ID, or the variable GOOGLE_CLOUD_PROJECT"}


@dataclass(frozen=True, kw_only=True)
class GoogleCluster(Cluster):
    """What every cluster in Google Cloud has.

    Attributes:
        project: the project's id.
        bucket: where jobs find their files and leave their results; made when it is missing.
        region: such as us-central1.
        subnetwork: its URI; None is the network named default.
        service_account: that the machines work as; None is the project's own for Compute Engine.
        internal_ip_only: no external addresses.
        packages: `stage` brings the packages that the entrypoints import; `image` means that the image has them.
        labels: further ones.
    """

    project: str = text(names.PROJECT, **_PROJECT_HINT, **ACCOUNT)
    bucket: str = text(names.BUCKET, **_PROJECT_HINT, **ACCOUNT)
    region: str = text(names.REGION)
    subnetwork: str | None = optional(names.SUBNETWORK, **ACCOUNT)
    service_account: str | None = optional(names.SERVICE_ACCOUNT, **ACCOUNT)
    internal_ip_only: bool = True
    packages: str = field(default="stage", metadata={"choices": ("stage", "image")})
    labels: dict[str, Any] = field(default_factory=dict, metadata={"texts": True, **ACCOUNT})
