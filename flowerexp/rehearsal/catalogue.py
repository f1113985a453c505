"""The Cloud Billing Catalog: the SKUs of Compute Engine, as far as they are needed. A program, see `pages`.

Descriptions, units and groups are as in https://github.com/Cyclenerd/google-cloud-pricing-cost-calculator
(build/mapping.csv); the prices are made up, and told apart from Google's by that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from zlib import crc32

from flowerexp.rehearsal.pages import page, refused, serve

_COMPUTE = "6F81-5844-456A"
_MOST = 10  # SKUs in a page; Google gives up to 5,000
_PLACES = {"us-central1": "Americas", "us-east1": "Americas", "mars-north1": "Mars"}
_NAMES = {"n1": "N1 Predefined", "c2": "Compute optimized", "n2d": "N2D AMD", "c2d": "C2D AMD"}


def price(series: str, part: str, spot: bool = False) -> float:
    """What a vCPU (`Core`) or a GB (`Ram`) of a series costs here in an hour, in US dollars."""
    return (0.1 if part == "Core" else 0.01) * len(series) / (2 if spot else 1)


def _sku(description: str, unit: str, usd: float, regions: list[str], usage: str = "OnDemand") -> dict[str, Any]:
    nanos = round(usd * 1e9)
    rates = [
        {"startUsageAmount": amount, "unitPrice": {"currencyCode": "USD", "units": str(whole), "nanos": rest}}
        for amount, whole, rest in [(0, 0, 0), (1, nanos // 10**9, nanos % 10**9)][0 if "PD" in description else 1 :]
    ]
    family = "Storage" if unit.endswith("mo") else "Compute"
    return {
        "name": f"services/{_COMPUTE}/skus/{crc32(description.encode()):X}",
        "skuId": f"{crc32(description.encode()):X}",
        "description": description,
        "category": {"serviceDisplayName": "Compute Engine", "resourceFamily": family, "usageType": usage},
        "serviceRegions": regions,
        "pricingInfo": [{"pricingExpression": {"usageUnit": unit, "tieredRates": rates}}],
    }


def skus() -> Iterator[dict[str, Any]]:
    """All of them."""
    for place in sorted(set(_PLACES.values())):
        regions = [region for region, named in _PLACES.items() if named == place]
        for series in ("n1", "n2", "n2d", "e2", "c2", "c2d", "c3", "c4", "n4", "n4d"):
            instance = _NAMES.get(series, series.upper()) + ("" if series == "c2" else " Instance")
            for part, unit in (("Core", "h"), ("Ram", "GiBy.h")):
                what = f"{instance} {part} running in {place}"
                yield _sku(what, unit, price(series, part), regions)
                yield _sku(f"Spot Preemptible {what}", unit, price(series, part, spot=True), regions, "Preemptible")
                yield _sku(
                    f"Commitment v1: {series.upper()} {part} in {place} for 1 Year", unit, 9, regions, "Commit1Yr"
                )
        for part, unit in (("Core", "h"), ("Ram", "GiBy.h")):
            yield _sku(f"N2 Custom Instance {part} running in {place}", unit, price("n2++", part), regions)
            yield _sku(f"Custom Instance {part} running in {place}", unit, price("n1+", part), regions)
            yield _sku(f"N2 Sole Tenancy Instance {part} running in {place}", unit, 9, regions)
        yield _sku(f"N2 Custom Extended Instance Ram running in {place}", "GiBy.h", 0.5, regions)
        for name, usd in (
            ("Storage PD", 0.5),
            ("Balanced PD", 1.5),
            ("SSD backed PD", 2.5),
            ("Regional Balanced PD", 9),
        ):
            yield _sku(f"{name} Capacity in {place}", "GiBy.mo", usd, regions)
        yield _sku(f"Hyperdisk Balanced Capacity in {place}", "GiBy.mo", 0.75, regions)
        yield _sku(f"Hyperdisk Balanced IOPS in {place}", "mo", 0.003, regions)
        yield _sku(f"Hyperdisk Balanced Throughput in {place}", "mo", 0.03, regions)


def answer(path: str, query: Mapping[str, str]) -> tuple[int, Mapping[str, Any]]:
    """https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list."""
    if path != f"/v1/services/{_COMPUTE}/skus":
        return refused(404, "NOT_FOUND", f"no such resource: {path}")
    if int(query.get("pageSize") or 0) > 5000:
        return refused(400, "INVALID_ARGUMENT", "Page size must be at most 5000.")
    some, following = page(list(skus()), query, "pageSize", _MOST)
    return 200, {"skus": some, "nextPageToken": following}


if __name__ == "__main__":
    serve("catalogue", answer)
