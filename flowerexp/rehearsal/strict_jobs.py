"""What Google refuses of a job or a batch, each refusal with its source; see `strict`."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
from google.cloud.dataproc_v1 import types

from flowerexp.rehearsal import quotas, strict
from flowerexp.rehearsal.refusal import RefusalError, invalid


def job(given: types.Job) -> None:
    """What types/jobs.py asks of a job: `JobReference.job_id`, `PySparkJob`, `Job.labels`, `JobScheduling`."""
    job_id = given.reference.job_id
    if job_id and not re.fullmatch(r"[-_a-zA-Z0-9]{1,100}", job_id):
        raise invalid(f"Invalid job ID '{job_id}'")
    strict.labels(given.labels)
    if "pyspark_job" not in given:
        raise RefusalError(grpc.StatusCode.UNIMPLEMENTED, "The tests run PySpark jobs only.")
    _pyspark(given.pyspark_job)
    if given.scheduling.max_failures_per_hour > 10 or given.scheduling.max_failures_total > 240:
        raise invalid("Too many failures allowed: at most 10 per hour and 240 in all.")


def _pyspark(given: types.PySparkJob | types.PySparkBatch) -> None:
    """types/jobs.py `PySparkJob` and types/batches.py `PySparkBatch`: which files are supported."""
    for name, uris, suffixes in (
        ("main_python_file_uri", [given.main_python_file_uri], (".py",)),
        ("python_file_uris", given.python_file_uris, (".py", ".egg", ".zip")),
        ("archive_uris", given.archive_uris, (".jar", ".tar", ".tar.gz", ".tgz", ".zip")),
    ):
        for uri in uris:
            if not uri.startswith("gs://") or not Path(uri.partition("#")[0]).name.endswith(suffixes):
                raise invalid(f"Invalid {name} '{uri}': must be a gs:// URI that ends in {' or '.join(suffixes)}.")


def batch(given: types.Batch, batch_id: str, region: str) -> None:
    """What types/batches.py asks of a batch.

    Raises:
        RefusalError: with the code and message of the call.
    """
    if region not in quotas.ZONES:
        raise invalid(f"Region '{region}' is invalid.")
    # types/batches.py `CreateBatchRequest.batch_id`: 4 to 63 of a-z, 0-9 and hyphens.
    if batch_id and not re.fullmatch(r"[a-z0-9][-a-z0-9]{2,61}[a-z0-9]", batch_id):
        raise invalid(f"Invalid batch ID '{batch_id}'")
    strict.labels(given.labels)
    if "pyspark_batch" not in given:
        raise invalid("The tests run PySpark batches only.")
    _pyspark(given.pyspark_batch)
    # https://cloud.google.com/dataproc-serverless/docs/concepts/versions/dataproc-serverless-versions.
    if given.runtime_config.version and not re.fullmatch(
        r"(1\.[12]|2\.[0-3]|3\.0)(\.\d+)?", given.runtime_config.version
    ):
        raise invalid(f"Invalid runtime version '{given.runtime_config.version}'")
    _check_properties(dict(given.runtime_config.properties))
    execution = given.environment_config.execution_config
    # types/shared.py `ExecutionConfig.ttl`: 10 minutes to 14 days.
    if "ttl" in execution and not 600 <= execution.ttl.total_seconds() <= 14 * strict.DAY:
        raise invalid(f"Invalid ttl {execution.ttl.total_seconds():.0f}s: must be between 10 minutes and 14 days.")


def _check_properties(properties: dict[str, str]) -> None:
    """https://cloud.google.com/dataproc-serverless/docs/concepts/properties."""
    for name, value in properties.items():
        # "does not support YARN- and shuffle-related Spark properties, such as spark.master=yarn".
        if name in ("spark.master", "spark.shuffle.service.enabled") or name.startswith("spark.yarn.") or ":" in name:
            raise invalid(f"Unsupported property '{name}'.")
        # "Valid values: 4, 8, 16."
        if name in ("spark.driver.cores", "spark.executor.cores") and value not in ("4", "8", "16"):
            raise invalid(f"Invalid value '{value}' of '{name}': must be 4, 8 or 16.")
        # "standard" or "premium"; a premium disk is "375g, 750g, 1500g, 3000g, 6000g, or 9000g".
        if re.fullmatch(r"spark\.dataproc\.(driver|executor)\.(compute|disk)\.tier", name) and value not in (
            "standard",
            "premium",
        ):
            raise invalid(f"Invalid value '{value}' of '{name}': must be standard or premium.")
        # "the value can be 2 to 2000".
        if name == "spark.executor.instances" and not (value.isdigit() and 2 <= int(value) <= 2000):
            raise invalid(f"Invalid value '{value}' of '{name}': must be between 2 and 2000.")
