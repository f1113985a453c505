"""Serverless batches: Google runs the job on machines of its own; there is no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.cloud import dataproc_v1

from flowerexp.cluster import JobFiles
from flowerexp.cluster.google.clients import CALL_SECONDS, Clients
from flowerexp.cluster.google.logged import LoggedOutput, is_logged, wanted
from flowerexp.cluster.google.names import CLUSTER, SCOPE, cluster_name, job_id, labels, request_id, slug
from flowerexp.cluster.google.staging import GOOGLE_ERRORS, Bucket
from flowerexp.cluster.google.submission import CloudSubmission, Seen, duration, event_log, stage_job
from flowerexp.cluster.google.wheels import Packages
from flowerexp.cluster.serverless import usage
from flowerexp.cluster.serverless.config import Serverless
from flowerexp.cluster.serverless.rate import disk_gb
from flowerexp.cluster.spark_submit import MEASURING, configured
from flowerexp.errors import ClusterError, from_os_error

_State = dataproc_v1.Batch.State
ACTIVE = ("PENDING", "RUNNING", "CANCELLING")
_ENDED = (_State.SUCCEEDED, _State.FAILED, _State.CANCELLED)
_FOLDER = "packages"  # in the working directory of the driver and of each executor


class Batch(CloudSubmission):
    """A serverless batch."""

    noun = "batch"

    @property
    def handle(self) -> dict[str, Any]:
        """See `Submission.handle`."""
        return {"batch_id": self._name, "staged": self._staged}

    def _get(self, call: dict[str, Any]) -> Any:
        return self._clients.batches.get_batch(name=f"{self._clients.parent}/batches/{self._name}", **call)

    def look(self, call: dict[str, Any]) -> Seen:
        """See `CloudSubmission.look`."""
        batch = self._get(call)
        good = batch.state == _State.SUCCEEDED
        return Seen(batch.state.name, batch.state in _ENDED, good, batch.state_message, self._output_of(batch))

    def _output_of(self, batch: Any) -> str:
        """See `Seen.output`."""
        if batch.runtime_info.output_uri or not is_logged(batch.runtime_config.version):
            return str(batch.runtime_info.output_uri)
        if not isinstance(self._output, LoggedOutput):
            self._output = LoggedOutput(self._clients)
        return wanted(self._clients, self._name)

    @property
    def command(self) -> str:
        """See `CloudSubmission.command`."""
        return f"gcloud dataproc batches cancel {self._name} {self._clients.flags}"

    def _cancel(self) -> None:
        cancel(self._clients, self._get(self._clients.once))

    def collect(self) -> None:
        """See `Submission.collect`; what Google has measured of its usage comes, too."""
        try:
            super().collect()
        finally:
            self._keep_usage()

    def _keep_usage(self) -> None:
        try:
            found = self._get(self._clients.call).runtime_info.approximate_usage
            if found.milli_dcu_seconds:  # Google counts it once the batch has ended, and may take a moment
                usage.write(self._folder, found.milli_dcu_seconds, found.shuffle_storage_gb_seconds)
        except exceptions.NotFound:
            return
        except GOOGLE_ERRORS as error:
            raise self._clients.explained(error, f"asking for the usage of batch {self._name}") from error
        except OSError as error:
            problem = from_os_error(error, "writing the usage of a batch")
            raise ClusterError(problem.problem, hint=problem.hint) from error


def cancel(clients: Clients, batch: Any) -> None:
    """Cancel a batch by its operation, as Google wants it; errors are Google's own."""
    if batch.state not in _ENDED:
        clients.batches.transport.operations_client.cancel_operation(batch.operation, timeout=CALL_SECONDS)


def handle(bucket: Bucket, scope: str, folder: Path) -> dict[str, Any]:
    """What finds the batch of a folder, before it is submitted as well as after."""
    return {"batch_id": job_id(scope, folder.name), "staged": bucket.uri("jobs", scope, folder.name)}


def running(clients: Clients, scope: str, cluster: str) -> list[str]:
    """The ids of a scope's batches that have not ended, of one cluster config, by its name.

    Raises:
        ClusterError: Google does not say.
    """
    names: list[str] = []
    for state in ACTIVE:
        wanted = f"state = {state} AND labels.{SCOPE} = {slug(scope)} AND labels.{CLUSTER} = {cluster}"
        request = dataproc_v1.ListBatchesRequest(parent=clients.parent, filter=wanted)
        try:
            names += [batch.name for batch in clients.batches.list_batches(request=request, **clients.call)]
        except GOOGLE_ERRORS as error:
            raise clients.explained(error, "listing batches") from error
    return [name.rpartition("/")[2] for name in names]


def end(clients: Clients, bucket: Bucket, scope: str, cluster: str) -> None:
    """End all of them.

    Raises:
        ClusterError: one may still run, and cost money.
    """
    for name in running(clients, scope, cluster):
        Batch(clients, bucket, name, Path(), "").make_way()


def submit(clients: Clients, bucket: Bucket, config: Serverless, packages: Packages | None, files: JobFiles) -> Batch:
    """Submit a batch; one of the same scope and folder that is there already is that batch, and does not run again.

    Raises:
        ClusterError: the bucket or Google refuses.
    """
    ids, cluster = handle(bucket, files.scope, files.folder), cluster_name(files.scope, config)
    name, staged = ids["batch_id"], ids["staged"]
    for other in running(clients, files.scope, cluster):
        if other != name:
            Batch(clients, bucket, other, files.folder, staged).make_way()
    program = stage_job(bucket, files, staged)
    message = {
        "labels": labels(files.scope, config.labels, **{CLUSTER: cluster}),
        "pyspark_batch": {
            **program,
            "archive_uris": [f"{packages.archive}#{_FOLDER}"] if packages else [],
        },
        "runtime_config": _runtime(config, packages, staged),
        "environment_config": {"execution_config": _execution(config)},
    }
    request = {"parent": clients.parent, "batch": message, "batch_id": name, "request_id": request_id(name)}
    try:
        clients.batches.create_batch(request=request, **clients.call)
    except exceptions.AlreadyExists:
        pass  # by a call whose answer was lost
    except GOOGLE_ERRORS as error:
        raise clients.explained(error, "submitting a batch") from error
    return Batch(clients, bucket, name, files.folder, staged)


def _runtime(config: Serverless, packages: Packages | None, staged: str) -> dict[str, Any]:
    properties = {
        **MEASURING,
        "spark.executor.instances": str(config.executors),
        "spark.executor.cores": str(config.cores),
        "spark.driver.cores": str(config.cores),
        **_tier(config),
        **event_log(staged),
    }
    if packages:
        # https://cloud.google.com/dataproc-serverless/docs/concepts/properties
        properties["spark.dataproc.driverEnv.PYTHONPATH"] = f"./{_FOLDER}"
        properties["spark.executorEnv.PYTHONPATH"] = f"./{_FOLDER}"
    runtime = {"version": config.runtime_version, "properties": {**properties, **configured(config)}}
    return {**runtime, "container_image": config.container} if config.container else runtime


def _tier(config: Serverless) -> dict[str, str]:
    """The tier of compute and disks: https://cloud.google.com/dataproc-serverless/docs/concepts/properties.

    Each is named by itself: `dataproc.tier` would choose another engine, too, and so another experiment.
    """
    found = {}
    for role in ("driver", "executor"):
        found[f"spark.dataproc.{role}.compute.tier"] = config.tier
        found[f"spark.dataproc.{role}.disk.tier"] = config.tier
        if config.tier == "premium":
            found[f"spark.dataproc.{role}.disk.size"] = f"{disk_gb(config.cores, config.tier)}g"
    return found


def _execution(config: Serverless) -> dict[str, Any]:
    execution: dict[str, Any] = {"ttl": duration(config.ttl_minutes), "staging_bucket": config.bucket}
    if config.subnetwork:
        execution["subnetwork_uri"] = config.subnetwork
    if config.service_account:
        execution["service_account"] = config.service_account
    return execution
