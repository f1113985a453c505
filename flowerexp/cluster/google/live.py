"""Prices and machine types as Google has them today, kept in the user's own folder for the day.

Google's libraries are imported only here, and only when something is to be fetched.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flowerexp import storage
from flowerexp.cluster import java
from flowerexp.cluster.google import catalogue, machines
from flowerexp.errors import ClusterError, require

# Compute Engine in the Cloud Billing Catalog, as `gcloud billing` and services.list name it:
# https://github.com/Cyclenerd/google-cloud-pricing-cost-calculator (build/skus.go)
_COMPUTE = "services/6F81-5844-456A"
_SECONDS = 60.0  # of one call
_WHERE = "budget.prices"
_HINT = "or go without: budget.prices=null takes the shipped prices"


def prices() -> tuple[datetime.date, Mapping[str, Any]]:
    """Today's prices of Compute Engine in all regions, and the day they were fetched.

    The user's own credentials are used, or the server that CLOUD_BILLING_EMULATOR_HOST (HOST:PORT) names.

    Returns:
        The day, and what `prices.yaml` has under `regions`.

    Raises:
        MissingError: Google's libraries are not installed.
        ClusterError: the Cloud Billing Catalog does not answer.
    """
    return _of_today("prices", _fetch_prices)


def machine_types(project: str) -> dict[str, machines.Machine]:
    """All machine types of Compute Engine by name, but those that no cluster can have.

    The user's own credentials are used, or the server that COMPUTE_EMULATOR_HOST (HOST:PORT) names.

    Args:
        project: that is asked.

    Raises:
        MissingError: Google's libraries are not installed.
        ClusterError: Compute Engine does not answer.
    """
    _, found = _of_today(f"machine-types-{project}", lambda: _fetch_machine_types(project))
    return {
        name: machines.Machine(name, name.partition("-")[0], *size)
        for name, size in found.items()
        if not machines.refusal(name)
    }


def _of_today(name: str, fetch: Callable[[], Mapping[str, Any]]) -> tuple[datetime.date, Mapping[str, Any]]:
    """What was fetched today, or is now."""
    path = Path(java.own_folder()) / "google" / f"{name.replace(':', '-')}.json"
    today = datetime.date.today()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["dated"] == today.isoformat():
            return today, kept["content"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none is kept, or it is damaged: it is fetched
    content = fetch()
    text = json.dumps({"dated": today.isoformat(), "content": content}, sort_keys=True)
    storage.write_bytes(str(path), text.encode(), durable=False)
    return today, content


def _fetch_prices() -> Mapping[str, Any]:
    require("budget.prices=live", ("google.cloud.billing_v1", "google.cloud.compute_v1"))
    from google.cloud import billing_v1

    from flowerexp.cluster.google.staging import GOOGLE_ERRORS

    try:
        client = billing_v1.CloudCatalogClient(transport="rest", **_options("CLOUD_BILLING_EMULATOR_HOST"))
        skus = client.list_skus(request={"parent": _COMPUTE, "page_size": 5000}, timeout=_SECONDS)
        found = catalogue.regions(skus)
    except GOOGLE_ERRORS as error:
        problem = f"the Cloud Billing Catalog does not say what Compute Engine costs: {error}"
        hint = f"the API cloudbilling.googleapis.com must be enabled in your project; {_HINT}"
        raise ClusterError(problem, where=_WHERE, hint=hint) from error
    if not found:
        problem = f"the Cloud Billing Catalog has no price of {_COMPUTE} whose description is understood"
        raise ClusterError(problem, where=_WHERE, hint=_HINT.removeprefix("or "))
    return found


def _fetch_machine_types(project: str) -> Mapping[str, Any]:
    require("budget.prices=live", ("google.cloud.billing_v1", "google.cloud.compute_v1"))
    from google.cloud import compute_v1

    from flowerexp.cluster.google.staging import GOOGLE_ERRORS

    try:
        client = compute_v1.MachineTypesClient(**_options("COMPUTE_EMULATOR_HOST"))
        request = {"project": project, "max_results": 500}
        return {
            each.name: [each.guest_cpus, each.memory_mb / 1024]
            for _, place in client.aggregated_list(request=request, timeout=_SECONDS)
            for each in place.machine_types
        }
    except GOOGLE_ERRORS as error:
        problem = f"Compute Engine does not say which machine types project {project} has: {error}"
        hint = f"the Compute Engine API must be enabled, and you need compute.machineTypes.list; {_HINT}"
        raise ClusterError(problem, where=_WHERE, hint=hint) from error


def _options(variable: str) -> dict[str, Any]:
    """How a client connects: to Google, or to the emulator that a variable names."""
    host = os.environ.get(variable)
    if not host:
        return {}
    from google.auth.credentials import AnonymousCredentials

    return {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": f"http://{host}"}}
