"""Jobs of a Dataproc cluster: submitted once, followed, cancelled."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.cloud import dataproc_v1

from flowerexp.cluster import JobFiles
from flowerexp.cluster.dataproc.config import Dataproc
from flowerexp.cluster.dataproc.requests import spark_properties
from flowerexp.cluster.google.clients import Clients
from flowerexp.cluster.google.names import SCOPE, job_id, labels, request_id, slug
from flowerexp.cluster.google.staging import GOOGLE_ERRORS, Bucket
from flowerexp.cluster.google.submission import CloudSubmission, Seen, event_log, stage_job
from flowerexp.errors import ClusterError

_State = dataproc_v1.JobStatus.State
_ENDED = (_State.DONE, _State.ERROR, _State.CANCELLED)
_GONE_AFTER = 15  # looks at a running job, after which its cluster is looked at, too
_CLUSTER_GONE = "the cluster was deleted while the job ran"
_GONE_HINT = "by its timers (cluster.idle_delete_minutes, cluster.auto_delete_minutes), or by somebody"


class Job(CloudSubmission):
    """A job of a Dataproc cluster.

    Args:
        clients: how to reach Google.
        bucket: where its files are staged.
        name: its id.
        folder: the job's folder on this machine.
        staged: the URI of its folder in the bucket.
        cluster: the cluster's name.
    """

    def __init__(self, clients: Clients, bucket: Bucket, name: str, folder: Path, staged: str, cluster: str) -> None:
        super().__init__(clients, bucket, name, folder, staged)
        self._cluster = cluster
        self._looks = 0
        self._gone_since: float | None = None

    @property
    def handle(self) -> dict[str, Any]:
        """See `Submission.handle`."""
        return {"job_id": self._name, "cluster": self._cluster, "staged": self._staged}

    def look(self, call: dict[str, Any]) -> Seen:
        """See `CloudSubmission.look`."""
        job = self._clients.jobs.get_job(request={**self._clients.place, "job_id": self._name}, **call)
        state, detail = job.status.state, job.status.details
        # A job that may be restarted is tried again after a failed attempt; flowerexp's are not.
        restarts = job.scheduling.max_failures_per_hour or job.scheduling.max_failures_total
        ended = state in _ENDED or (state == _State.ATTEMPT_FAILURE and not restarts)
        if not ended and self._cluster_gone(call):
            return Seen("LOST", True, False, f"{_CLUSTER_GONE}: {_GONE_HINT}", job.driver_output_resource_uri)
        if ended and state != _State.DONE and "luster" in detail and "delet" in detail:
            detail = f"{detail} ({_GONE_HINT})"
        return Seen(state.name, ended, state == _State.DONE, detail, job.driver_output_resource_uri)

    def _cluster_gone(self, call: dict[str, Any]) -> bool:
        """Now and then: is the cluster of a job that is said to run still there? One denial alone is not an answer."""
        self._looks += 1
        if self._looks % _GONE_AFTER and self._gone_since is None:
            return False
        try:
            self._clients.clusters.get_cluster(request={**self._clients.place, "cluster_name": self._cluster}, **call)
        except exceptions.NotFound:
            self._gone_since = self._gone_since or time.monotonic()
            return time.monotonic() - self._gone_since >= self._clients.pace.lag
        self._gone_since = None
        return False

    @property
    def command(self) -> str:
        """See `CloudSubmission.command`."""
        return f"gcloud dataproc jobs kill {self._name} {self._clients.flags}"

    def _cancel(self) -> None:
        self._clients.jobs.cancel_job(request={**self._clients.place, "job_id": self._name}, **self._clients.once)


def handle(bucket: Bucket, scope: str, folder: Path, cluster: str) -> dict[str, Any]:
    """What finds the job of a folder, before it is submitted as well as after."""
    staged = bucket.uri("jobs", scope, folder.name)
    return {"job_id": job_id(scope, folder.name), "cluster": cluster, "staged": staged}


def running(clients: Clients, scope: str, cluster: str) -> list[str]:
    """The ids of a scope's jobs that have not ended on a cluster.

    Raises:
        ClusterError: Google does not say.
    """
    wanted = f"status.state = ACTIVE AND labels.{SCOPE} = {slug(scope)}"
    request = {**clients.place, "cluster_name": cluster, "filter": wanted}
    try:
        return [job.reference.job_id for job in clients.jobs.list_jobs(request=request, **clients.call)]
    except GOOGLE_ERRORS as error:
        raise clients.explained(error, f"listing the jobs of cluster {cluster}") from error


def submit(clients: Clients, bucket: Bucket, config: Dataproc, cluster: str, files: JobFiles) -> Job:
    """Submit a job; one of the same scope and folder that is there already is that job, and does not run again.

    Another job of the scope that could no longer be followed is ended first: two would disturb each other.

    Raises:
        ClusterError: the bucket, the cluster or Google refuses.
    """
    ids = handle(bucket, files.scope, files.folder, cluster)
    name, staged = ids["job_id"], ids["staged"]
    for other in running(clients, files.scope, cluster):
        if other != name:
            Job(clients, bucket, other, files.folder, staged, cluster).make_way()
    program = stage_job(bucket, files, staged)
    message = {
        "reference": {"project_id": clients.project, "job_id": name},
        "placement": {"cluster_name": cluster},
        "labels": labels(files.scope, config.labels),
        "pyspark_job": {**program, "properties": {**spark_properties(config), **event_log(staged)}},
    }
    request = {**clients.place, "job": message, "request_id": request_id(name)}
    try:
        clients.jobs.submit_job(request=request, **clients.call)
    except exceptions.AlreadyExists:
        pass  # by a call whose answer was lost
    except exceptions.NotFound as error:
        raise ClusterError(f"the cluster {cluster} is gone", hint=f"it was deleted {_GONE_HINT}") from error
    except GOOGLE_ERRORS as error:
        raise clients.explained(error, f"submitting a job to cluster {cluster}") from error
    return Job(clients, bucket, name, files.folder, staged, cluster)
