"""Google's own clients, pointed at the servers; and requests that Google would take."""

from __future__ import annotations

import time
from typing import Any

import grpc
from google.cloud import dataproc_v1
from google.cloud.dataproc_v1 import types
from google.cloud.dataproc_v1.services.batch_controller.transports import BatchControllerGrpcTransport
from google.cloud.dataproc_v1.services.cluster_controller.transports import ClusterControllerGrpcTransport
from google.cloud.dataproc_v1.services.job_controller.transports import JobControllerGrpcTransport

from flowerexp.rehearsal.cloud import Cloud

JOB_ENDS = ("DONE", "ERROR", "CANCELLED")


class Clients:
    """The three clients of a cloud, without retries of their own."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        channel = grpc.insecure_channel(cloud.dataproc_host)
        self.clusters = dataproc_v1.ClusterControllerClient(transport=ClusterControllerGrpcTransport(channel=channel))
        self.jobs = dataproc_v1.JobControllerClient(transport=JobControllerGrpcTransport(channel=channel))
        self.batches = dataproc_v1.BatchControllerClient(transport=BatchControllerGrpcTransport(channel=channel))
        self._where = {"project_id": cloud.project, "region": cloud.region}

    def create(self, cluster: types.Cluster | None = None, request_id: str = "") -> Any:
        """Ask for a cluster; returns the operation."""
        request = types.CreateClusterRequest(**self._where, cluster=cluster or single_node(), request_id=request_id)
        return self.clusters.create_cluster(request, retry=None)

    def running(self, cluster: types.Cluster | None = None) -> types.Cluster:
        """Create a cluster, and wait for it."""
        return self.create(cluster).result(polling=_quick(), timeout=300)

    def get(self, name: str) -> types.Cluster:
        """A cluster."""
        return self.clusters.get_cluster(types.GetClusterRequest(**self._where, cluster_name=name), retry=None)

    def list(self, text: str = "") -> list[str]:
        """The names of the clusters that a filter finds."""
        request = types.ListClustersRequest(**self._where, filter=text)
        return [cluster.cluster_name for cluster in self.clusters.list_clusters(request)]

    def delete(self, name: str, request_id: str = "") -> Any:
        """Delete a cluster; returns the operation."""
        request = types.DeleteClusterRequest(**self._where, cluster_name=name, request_id=request_id)
        return self.clusters.delete_cluster(request, retry=None)

    def submit(self, job: types.Job, request_id: str = "") -> types.Job:
        """Submit a job."""
        return self.jobs.submit_job(types.SubmitJobRequest(**self._where, job=job, request_id=request_id), retry=None)

    def job(self, job_id: str) -> types.Job:
        """A job."""
        return self.jobs.get_job(types.GetJobRequest(**self._where, job_id=job_id), retry=None)

    def cancel(self, job_id: str) -> types.Job:
        """Cancel a job."""
        return self.jobs.cancel_job(types.CancelJobRequest(**self._where, job_id=job_id), retry=None)

    def ended(self, job_id: str) -> types.Job:
        """Wait until a job has ended."""
        self.cloud.wait_job(job_id, JOB_ENDS)
        return self.job(job_id)

    def output(self, prefix: str) -> str:
        """The driver's output, from all its parts."""
        bucket, _, name = prefix.removeprefix("gs://").partition("/")
        blobs = sorted(self.cloud.storage().list_blobs(bucket, prefix=f"{name}."), key=lambda blob: str(blob.name))
        return b"".join(blob.download_as_bytes() for blob in blobs).decode()


def _quick() -> Any:
    from google.api_core.future.polling import _OperationNotComplete
    from google.api_core.retry import Retry, if_exception_type

    return Retry(predicate=if_exception_type(_OperationNotComplete), initial=0.02, maximum=0.1, timeout=300)


def finished(operation: Any) -> Any:
    """Wait for an operation; returns its result, or raises its error."""
    return operation.result(polling=_quick(), timeout=300)


def until(condition: Any, timeout: float = 300) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def single_node(name: str = "one", bucket: str = "staging-bucket", **more: Any) -> types.Cluster:
    """A cluster of one machine; `more` are fields of its config."""
    config: dict[str, Any] = {
        "config_bucket": bucket,
        "master_config": {
            "num_instances": 1,
            "machine_type_uri": "n1-standard-8",
            "disk_config": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 100},
        },
        "software_config": {
            "image_version": "2.2-debian12",
            "properties": {"dataproc:dataproc.allow.zero.workers": "true"},
        },
        **more,
    }
    labels = {"sweep": "s1", "owner": "me"}
    return types.Cluster(project_id=Cloud.project, cluster_name=name, labels=labels, config=config)


def eight_nodes(name: str = "eight", machine: str = "n1-standard-2", *, internal: bool = False) -> types.Cluster:
    """The notebook's large cluster: a master and seven workers."""
    return types.Cluster(
        project_id=Cloud.project,
        cluster_name=name,
        config={
            "config_bucket": "staging-bucket",
            "gce_cluster_config": {"internal_ip_only": internal},
            "master_config": {
                "num_instances": 1,
                "machine_type_uri": machine,
                "disk_config": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 100},
            },
            "worker_config": {
                "num_instances": 7,
                "machine_type_uri": machine,
                "disk_config": {"boot_disk_type": "pd-standard", "boot_disk_size_gb": 100},
            },
            "software_config": {"image_version": "2.2"},
        },
    )


def pyspark(script: str, job_id: str, cluster: str = "one", **more: Any) -> types.Job:
    """A PySpark job; `more` are fields of its pyspark_job."""
    return types.Job(
        reference={"job_id": job_id},
        placement={"cluster_name": cluster},
        labels={"sweep": "s1"},
        pyspark_job={"main_python_file_uri": script, **more},
    )
