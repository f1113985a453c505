"""What a batch uses: DCUs and shuffle storage, from its properties."""

from __future__ import annotations

from collections.abc import Mapping

from google.cloud.dataproc_v1 import types


def _each(properties: Mapping[str, str], role: str) -> tuple[int, float, int]:
    """vCPUs, DCUs and GB of disk of the driver or an executor.

    https://cloud.google.com/dataproc-serverless/pricing: a vCPU is 0.6 DCU, a GB of memory 0.1; 4 vCPUs have 16 GB.
    https://cloud.google.com/dataproc-serverless/docs/concepts/properties: 100 GiB of disk for each core by default.
    """
    cores = int(properties.get(f"spark.{role}.cores", 4))
    size = properties.get(f"spark.dataproc.{role}.disk.size", f"{100 * cores}g")
    return cores, cores * (0.6 + 4 * 0.1), int(size[:-1])


def _totals(properties: Mapping[str, str]) -> tuple[float, int]:
    """The DCUs and the GB of shuffle storage of a batch while it runs."""
    _, driver, driver_gb = _each(properties, "driver")
    _, executor, executor_gb = _each(properties, "executor")
    executors = int(properties.get("spark.executor.instances", 2))
    return driver + executors * executor, driver_gb + executors * executor_gb


def while_running(properties: Mapping[str, str]) -> types.UsageSnapshot:
    """`RuntimeInfo.current_usage`: "Snapshot of current workload resource usage"."""
    dcu, gigabytes = _totals(properties)
    if properties.get("spark.dataproc.executor.compute.tier") == "premium":
        return types.UsageSnapshot(milli_dcu_premium=round(1000 * dcu), shuffle_storage_gb_premium=gigabytes)
    return types.UsageSnapshot(milli_dcu=round(1000 * dcu), shuffle_storage_gb=gigabytes)


def in_all(properties: Mapping[str, str], seconds: float) -> types.UsageMetrics:
    """`RuntimeInfo.approximate_usage`: "calculated when the workload completes"."""
    dcu, gigabytes = _totals(properties)
    return types.UsageMetrics(
        milli_dcu_seconds=round(1000 * dcu * seconds), shuffle_storage_gb_seconds=round(gigabytes * seconds)
    )
