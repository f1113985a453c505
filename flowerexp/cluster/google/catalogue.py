"""What the SKUs of the Cloud Billing Catalog say of Compute Engine's prices, in the form of `prices.yaml`.

The catalogue has no field for a series or a disk type: its descriptions name them. They are taken as
https://github.com/Cyclenerd/google-cloud-pricing-cost-calculator (build/mapping.csv, 2026-08-20) has them, such as
`Spot Preemptible N2 Instance Core running in Americas`; what is called otherwise is left out, so that its price is said
not to be known. Dataproc's serverless SKUs were not found described: DCUs and shuffle storage stay the shipped ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

_MACHINE = re.compile(
    r"(?P<spot>Spot Preemptible )?"
    r"(?:(?P<series>[A-Z]\d[A-Z]?) |(?P<n1>(?=Custom ))|(?P<c2>Compute optimized ))"
    r"(?:AMD )?(?:Predefined )?(?P<custom>Custom )?(?P<extended>Extended )?(?:Instance )?(?P<part>Core|Ram)"
    r"(?: running in .+)?"
)
_UNITS = {"Core": "h", "Ram": "GiBy.h"}
_DISKS = {
    "Storage PD Capacity": "pd-standard",
    "Balanced PD Capacity": "pd-balanced",
    "SSD backed PD Capacity": "pd-ssd",
    "Hyperdisk Balanced Capacity": "hyperdisk-balanced",
    "Hyperdisk Balanced IOPS": "hyperdisk-balanced_iops",
    "Hyperdisk Balanced Throughput": "hyperdisk-balanced_mib_s",
}


def regions(skus: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """The prices by region.

    Args:
        skus: of Compute Engine, as `google.cloud.billing_v1.Sku`.

    Returns:
        What `prices.yaml` has under `regions`, of machines and disks.
    """
    found: dict[str, dict[str, Any]] = {}
    for sku in skus:
        for path, usd in _prices(sku):
            for region in sku.service_regions:
                place = found.setdefault(region, {})
                for key in path[:-1]:
                    place = place.setdefault(key, {})
                place[path[-1]] = usd
    return found


def _prices(sku: Any) -> Iterator[tuple[tuple[str, ...], float]]:
    """Where a SKU's price stands in a region's prices, and the price."""
    if not sku.pricing_info:
        return
    expression = sku.pricing_info[-1].pricing_expression
    if not expression.tiered_rates:
        return
    money = expression.tiered_rates[-1].unit_price  # the tiers before it are free
    usd, unit = money.units + money.nanos / 1e9, expression.usage_unit
    disk = _DISKS.get(re.sub(r" in .+$", "", sku.description))
    if disk and sku.category.usage_type == "OnDemand" and re.fullmatch(r"(GiBy\.)?mo", unit):
        yield ("disks", disk), usd
    match = _MACHINE.fullmatch(sku.description)
    if match and unit == _UNITS[match["part"]]:
        spot = bool(match["spot"])
        if sku.category.usage_type != ("Preemptible" if spot else "OnDemand"):
            return
        series = "c2" if match["c2"] else (match["series"] or "n1").lower()
        part = "vcpu" if match["part"] == "Core" else "extended_gb" if match["extended"] else "gb"
        name = f"{series}-custom" if match["custom"] else series
        yield (("machines", name, "spot", part) if spot else ("machines", name, part)), usd
