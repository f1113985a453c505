"""Jobs and batches, really run by Spark."""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile
from typing import Any

import psutil
import pytest
from google.api_core import exceptions
from google.cloud.dataproc_v1 import types

from flowerexp.rehearsal.cloud import Cloud
from tests.rehearsal.clients import Clients, finished, pyspark, single_node, until

# Says what it sees, from driver and worker, and writes and waits for an object through gcsfs.
_SCRIPT = """
import os, sys, time
import helper
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()

def seen(_):
    import helper, importlib.util
    found = []
    for name in ("gcsfs", "cv2", "flowerexp", "hydra", "google.cloud.storage", "brought"):
        try:
            found.append(name if importlib.util.find_spec(name) else f"none of {name}")
        except ModuleNotFoundError as error:
            found.append(str(error))
    return [helper.NAME, found]

print("driver", seen(0), flush=True)
print("worker", spark.sparkContext.parallelize([0], 1).map(seen).collect()[0], flush=True)
print("property", spark.conf.get("spark.flower", ""), spark.conf.get("spark.of.cluster", ""), flush=True)
print("args", sys.argv[1:], "variable", os.environ.get("FLOWER"), flush=True)
if "--wait" in sys.argv:
    import fsspec
    store = fsspec.filesystem("gs")
    store.pipe("gs://staging-bucket/out/result.json", b"{}")
    print("waiting", flush=True)
    while not store.exists("staging-bucket/go"):
        store.invalidate_cache()
        time.sleep(0.1)
print("x" * 3000, flush=True)
sys.exit(3 if "--fail" in sys.argv else 0)
"""

# Needs no Spark session: spark-submit starts it like any other, only faster.
_LIGHT = """
import sys, time
for name in ("google.cloud.storage", "json"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        print(error)
print("waiting", flush=True)
while "--wait" in sys.argv:
    time.sleep(0.1)
sys.exit(3)
"""


@pytest.fixture
def clients(cloud: Cloud) -> Clients:
    bucket = cloud.bucket("staging-bucket")
    bucket.blob("code/main.py").upload_from_string(_SCRIPT)
    bucket.blob("code/light.py").upload_from_string(_LIGHT)
    bucket.blob("code/helper.zip").upload_from_string(_zip({"helper.py": "NAME = 'helped'\n", "hydra.py": ""}))
    bucket.blob("code/env.zip").upload_from_string(_zip({"brought.py": "", "cv2.py": ""}))
    return Clients(cloud)


def _zip(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _job(job_id: str, *args: str, **more: Any) -> types.Job:
    uris = ["gs://staging-bucket/code/helper.zip"]
    return pyspark("gs://staging-bucket/code/main.py", job_id, args=args, python_file_uris=uris, **more)


def _light(job_id: str, *args: str, **more: Any) -> types.Job:
    return pyspark("gs://staging-bucket/code/light.py", job_id, args=args, **more)


def test_a_job_runs_with_what_it_brought_and_survives_the_service(cloud, clients):
    cluster = single_node()
    cluster.config.software_config.properties["spark:spark.of.cluster"] = "yes"
    clients.running(cluster)
    events = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": "gs://staging-bucket/events"}
    properties = {
        **events,
        "spark.flower": "daisy",
        "spark.executor.instances": "7",
        "spark.eventLog.rolling.enabled": "false",
    }
    submitted = clients.submit(_job("job-1", "--wait", "two words", properties=properties), request_id="r")
    assert submitted.status.state.name == "PENDING"
    assert clients.submit(_job("job-1"), request_id="r").job_uuid == submitted.job_uuid
    with pytest.raises(exceptions.AlreadyExists, match="jobs/job-1"):
        clients.submit(_job("job-1"))
    prefix = submitted.driver_output_resource_uri
    until(lambda: "waiting" in clients.output(prefix))
    assert clients.job("job-1").status.state.name == "RUNNING"
    cloud.kill_dataproc()
    cloud.storage().bucket("staging-bucket").blob("go").upload_from_string("")
    cloud.start_dataproc()
    assert cloud.wait_job("job-1", ["DONE", "ERROR"]) == "DONE"

    output = clients.output(prefix)
    lacks = "none of flowerexp"
    expected = ["helped", ["gcsfs", "cv2", lacks, "hydra", "google.cloud.storage", "none of brought"]]
    assert f"driver {expected}" in output
    assert f"worker {expected}" in output
    assert "property daisy yes" in output
    assert "args ['--wait', 'two words']" in output
    assert output.endswith("x" * 3000 + "\n")
    names = [blob.name for blob in cloud.storage().list_blobs("staging-bucket")]
    assert f"{prefix.removeprefix('gs://staging-bucket/')}.000000001" in names
    assert any(name.startswith("events/") for name in names)
    assert "out/result.json" in names


def test_a_running_job_is_cancelled_and_another_loses_its_cluster(cloud, clients):
    clients.running()
    clients.running(single_node("two"))
    one = clients.submit(_light("job-1", "--wait"))
    two = clients.submit(_light("job-2", "--wait", cluster="two"))
    for job in (one, two):
        until(lambda job=job: "waiting" in clients.output(job.driver_output_resource_uri))
    with pytest.raises(exceptions.FailedPrecondition):
        clients.jobs.delete_job(project_id=cloud.project, region=cloud.region, job_id="job-1")
    assert clients.cancel("job-1").status.state.name == "CANCEL_PENDING"
    cloud.expire("two")
    cancelled, failed = clients.ended("job-1"), clients.ended("job-2")
    assert cancelled.status.state.name == "CANCELLED"
    history = [each.state.name for each in cancelled.status_history]
    assert history == ["PENDING", "SETUP_DONE", "RUNNING", "CANCEL_PENDING", "CANCEL_STARTED"]
    assert failed.status.state.name == "ERROR"
    assert "deleted" in failed.status.details


def test_jobs_that_fail(cloud, clients):
    clients.running()
    clients.submit(pyspark("gs://staging-bucket/none.py", "missing"))
    missing = clients.ended("missing")
    assert (missing.status.state.name, missing.status.details) == (
        "ERROR",
        "File not found: gs://staging-bucket/none.py",
    )
    cloud.fail_job("Task was not acquired", output="what the driver said\n")
    told = clients.submit(_job("told"))
    assert clients.ended("told").status.details == "Task was not acquired"
    assert clients.output(told.driver_output_resource_uri) == "what the driver said\n"
    cloud.fail_job(state="ATTEMPT_FAILURE")
    clients.submit(_job("attempt"))
    assert cloud.wait_job("attempt", ["ATTEMPT_FAILURE"]) == "ATTEMPT_FAILURE"
    cloud.lacking("cv2", "google.cloud")
    restartable = _light("lacks")
    restartable.scheduling = types.JobScheduling(max_failures_total=1)
    clients.submit(restartable)
    lacks = clients.ended("lacks")
    assert lacks.status.state.name == "ERROR"
    assert [each.state.name for each in lacks.status_history].count("ATTEMPT_FAILURE") == 1
    assert "reports job failure" in lacks.status.details
    assert "No module named 'google.cloud'" in clients.output(lacks.driver_output_resource_uri)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reference": {"job_id": "a b"}}, "a b"),
        ({"labels": {"Sweep": "x"}}, "Sweep"),
        ({"pyspark_job": {"main_python_file_uri": "gs://staging-bucket/main.txt"}}, "main.txt"),
        ({"pyspark_job": {"main_python_file_uri": "/tmp/main.py"}}, "/tmp/main.py"),
        ({"scheduling": {"max_failures_per_hour": 11}}, "per hour"),
    ],
)
def test_jobs_that_google_refuses(clients, change, said):
    job = _job("job")
    for field, value in change.items():
        setattr(job, field, value)
    with pytest.raises(exceptions.InvalidArgument, match=said):
        clients.submit(job)
    with pytest.raises(exceptions.NotFound, match="clusters/one"):
        clients.submit(_job("job"))


def _batch(*args: str, **properties: str) -> types.Batch:
    return types.Batch(
        labels={"sweep": "s1"},
        pyspark_batch={
            "main_python_file_uri": "gs://staging-bucket/code/main.py",
            "args": args,
            "python_file_uris": ["gs://staging-bucket/code/helper.zip"],
            "archive_uris": ["gs://staging-bucket/code/env.zip#packages"],
        },
        runtime_config={
            "version": "2.3",
            "properties": {name.replace("__", "."): value for name, value in properties.items()},
        },
        environment_config={"execution_config": {"staging_bucket": "staging-bucket"}},
    )


def _create(clients: Clients, batch: types.Batch, batch_id: str) -> Any:
    parent = f"projects/{clients.cloud.project}/locations/{clients.cloud.region}"
    return clients.batches.create_batch(parent=parent, batch=batch, batch_id=batch_id, retry=None)


@pytest.mark.long
def test_batches_run_with_their_archive_fail_and_are_cancelled(cloud, clients):
    cloud.lacking("cv2", "gcsfs")
    packages = {"spark__dataproc__driverEnv__PYTHONPATH": "packages", "spark__executorEnv__PYTHONPATH": "packages"}
    operation = _create(clients, _batch("--fail", spark__dataproc__driverEnv__FLOWER="rose", **packages), "batch-1")
    batch = finished(operation)
    output = clients.output(batch.runtime_info.output_uri)
    expected = ["helped", ["none of gcsfs", "cv2", "none of flowerexp", "hydra", "google.cloud.storage", "brought"]]
    assert f"driver {expected}" in output
    assert f"worker {expected}" in output
    assert "variable rose" in output
    assert batch.state.name == "FAILED"

    with cloud.hold("batch"):
        operation = _create(clients, _batch(), "batch-2")
        name = operation.metadata.batch
        assert clients.batches.get_batch(name=name).state.name == "PENDING"
        with pytest.raises(exceptions.FailedPrecondition):
            clients.batches.delete_batch(name=name)
        operation.cancel()
        until(lambda: clients.batches.get_batch(name=name).state.name == "CANCELLED")
    assert cloud.counts().batches_active == 0
    parent = name.partition("/batches/")[0]
    found = clients.batches.list_batches(
        types.ListBatchesRequest(parent=parent, filter="labels.sweep = s1 AND state = FAILED")
    )
    assert [each.name.rpartition("/")[2] for each in found] == ["batch-1"]
    clients.batches.delete_batch(name=name)
    assert len(cloud.batches()) == 1


def test_batches_that_google_refuses(clients):
    for properties in ({"spark__executor__cores": "2"}, {"spark__executor__instances": "1"}, {"spark__master": "yarn"}):
        with pytest.raises(exceptions.InvalidArgument, match=r"property|value"):
            _create(clients, _batch(**properties), "batch")
    with pytest.raises(exceptions.InvalidArgument, match="Invalid batch ID"):
        _create(clients, _batch(), "abc")


def test_requests_are_recorded_as_json(cloud, clients):
    clients.running()
    cloud.fail_job(state="DONE")
    clients.submit(_job("job-1", "--flag"))
    clients.ended("job-1")
    recorded = cloud.requests("SubmitJob")
    assert recorded[0]["job"]["pyspark_job"]["args"] == ["--flag"]
    json.dumps(cloud.requests())


@pytest.mark.slow
def test_nothing_runs_on_when_the_servers_end(tmp_path):
    with Cloud(tmp_path) as cloud:
        cloud.bucket("staging-bucket").blob("code/light.py").upload_from_string(_LIGHT)
        clients = Clients(cloud)
        clients.running()
        job = clients.submit(_light("job", "--wait"))
        until(lambda: "waiting" in clients.output(job.driver_output_resource_uri))
        running = json.loads(next(tmp_path.glob("dataproc/*/runs/*/run.json")).read_bytes())["pid"]
        assert _group(running)
    until(lambda: not _group(running))


def _group(leader: int) -> list[int]:
    found = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_the_output_may_come_after_the_end(cloud, clients):
    clients.running()
    cloud.late_output(0.5)
    clients.submit(_light("late"))
    prefix = clients.ended("late").driver_output_resource_uri
    assert clients.output(prefix) == ""
    until(lambda: "waiting" in clients.output(prefix))


def test_lists_come_in_pages_and_a_token_is_of_its_own_list(cloud, clients):
    clients.running()
    with cloud.hold("job"):
        for number in range(5):
            clients.submit(_light(f"job-{number}"))
        place = {"project_id": cloud.project, "region": cloud.region}
        pages = list(clients.jobs.list_jobs(types.ListJobsRequest(**place, page_size=2)).pages)
        assert [len(page.jobs) for page in pages] == [2, 2, 1]
        assert len(list(clients.jobs.list_jobs(types.ListJobsRequest(**place)))) == 5
        other = types.ListJobsRequest(**place, cluster_name="two", page_token=pages[0].next_page_token)
        with pytest.raises(exceptions.InvalidArgument, match="page token"):
            clients.jobs.list_jobs(other)
