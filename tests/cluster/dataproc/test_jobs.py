"""Jobs against a real server that really runs them: once, followed to every kind of end, and what results appear."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from dataclasses import replace
from typing import Any

import pytest
from google.api_core import exceptions

from flowerexp.cluster.dataproc import jobs
from flowerexp.errors import ClusterError
from flowerexp.job.follow import follow
from flowerexp.job.results import explain
from tests.cluster.conftest import BUCKET, SCOPE, Observer


@pytest.fixture
def opened(dataproc, observer):
    """A backend whose cluster runs."""
    made = dataproc()
    made.open(SCOPE, {}, observer)
    return made


class TestSubmit:
    def test_what_is_printed_comes_line_by_line_and_the_end_is_told(self, opened, files, google):
        program = (
            "import json, sys\nfor n in range(300):\n    print(json.dumps({'flowerexp': {'done': n}}))\nprint('bye')"
        )
        submission = opened.submit(files(program))
        messages: list[dict[str, Any]] = []
        code, tail = follow(submission, messages.append)
        assert code == 0
        assert [message["done"] for message in messages] == list(range(300))  # in several objects, that grow
        assert tail[-1] == "bye"
        assert submission.poll() == ([], 0)

    def test_it_is_what_the_cluster_was_asked_for(self, opened, files, google):
        opened.submit(files())
        (request,) = google.requests("SubmitJob")
        job = request["job"]
        staged = f"gs://{BUCKET}/flowerexp/jobs/{SCOPE}/job"
        *hashes, option, uri = job["pyspark_job"]["args"]
        assert (option, uri) == ("--job", f"{staged}/job.json")
        assert hashes[1::2] == ["flowerexp-0123.zip", "entry.py"]
        assert hashes[2] == hashlib.sha256(b"print('hello')").hexdigest()
        assert job["pyspark_job"]["main_python_file_uri"] == f"{staged}/verify.py"
        code = f"gs://{BUCKET}/flowerexp/code/flowerexp-0123.zip"
        assert job["pyspark_job"]["python_file_uris"] == [code, f"{staged}/entry.py"]
        assert job["pyspark_job"]["properties"]["spark.eventLog.dir"] == f"{staged}/events"
        assert job["pyspark_job"]["properties"]["spark.dynamicAllocation.enabled"] == "false"
        assert job["labels"]["flowerexp-scope"] == SCOPE
        (cluster,) = google.clusters()
        assert job["placement"]["cluster_name"] == cluster

    def test_a_lost_answer_or_a_second_submission_runs_nothing_twice(self, opened, files, google):
        google.drop_next("SubmitJob", after=True)
        one = files()
        first, second = opened.submit(one), opened.submit(one)
        assert first.handle == second.handle
        assert google.counts().jobs == 1

    def test_one_that_is_said_to_be_there_already_is_that_one(self, opened, files, google):
        google.fail_next("SubmitJob", "ALREADY_EXISTS", "Already exists: Failed to submit job", after=True)
        google.fail_job(state="DONE", output="hello")
        assert follow(opened.submit(files()), lambda _: None) == (0, ["hello"])

    def test_jobs_of_one_sweep_are_not_taken_for_each_other(self, opened, files, google):
        google.hold("job")
        for number in range(3):
            opened.submit(files(name=f"1795449300-{number}"))
        assert google.counts().jobs == 3

    def test_one_that_nobody_follows_any_more_is_ended_before_the_next_one_begins(self, opened, files, google):
        google.hold("job")
        first = opened.submit(files())
        google.release("job")
        google.hold("job")
        second = opened.submit(files(name="job-2"))
        states = google.jobs()
        assert states[first.handle["job_id"]] == "CANCELLED"
        assert opened.running(SCOPE) == [second.handle["job_id"]]

    def test_what_finds_it_is_known_before(self, opened, files, google):
        one = files()
        handle = opened.handle(one.folder, SCOPE)
        assert not opened.arrived(handle)
        assert opened.find(one.folder, handle) is None
        assert opened.submit(one).handle == handle
        assert opened.arrived(handle)

    def test_an_upload_is_tried_again(self, opened, files, google):
        google.fail_job(state="DONE", output="hello")
        google.fail_storage("POST", "flowerexp", 503, times=3)
        assert follow(opened.submit(files()), lambda _: None) == (0, ["hello"])

    def test_an_upload_that_fails_for_good_says_how_long_it_was_tried(self, opened, files, google):
        opened.clients.pace = replace(opened.clients.pace, patience=0.5)
        opened.__dict__.pop("bucket", None)
        google.fail_storage("POST", "flowerexp", 503, "the bucket sleeps", times=-1)
        with pytest.raises(ClusterError, match=r"gcp\.bucket: writing to .* \(tried again for 0\.5 s\): .*sleeps"):
            opened.submit(files())

    def test_a_refusal_names_the_key(self, opened, files, google):
        google.fail_next("SubmitJob", "INVALID_ARGUMENT", "Unrecognized property 'spark:x'")
        with pytest.raises(ClusterError, match=r"^cluster\.spark: submitting a job .*Unrecognized property 'spark:x'$"):
            opened.submit(files())

    def test_the_bundle_is_uploaded_once(self, opened, files, google):
        opened.submit(files())
        blob = google.storage().bucket(BUCKET).get_blob("flowerexp/code/flowerexp-0123.zip")
        opened.submit(files(name="job-2"))
        again = google.storage().bucket(BUCKET).get_blob("flowerexp/code/flowerexp-0123.zip")
        assert again.generation == blob.generation
        assert google.counts().jobs == 2

    def test_a_cluster_that_is_gone(self, opened, files, google):
        (name,) = google.clusters()
        google.expire(name)
        with pytest.raises(ClusterError, match="is gone") as caught:
            opened.submit(files())
        assert "cluster.idle_delete_minutes" in str(caught.value)

    def test_where_runs_write_to(self, opened, tmp_path):
        assert opened.output(tmp_path / "7-ab12", SCOPE) == f"gs://{BUCKET}/flowerexp/runs/{SCOPE}/7-ab12/results"


class TestVerified:
    """What was submitted is what runs, whatever the bucket holds when the job starts."""

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("code/flowerexp-0123.zip", "flowerexp-0123.zip in the bucket is not what was submitted"),
            (f"jobs/{SCOPE}/job/entry.py", "entry.py in the bucket is not what was submitted"),
        ],
    )
    @pytest.mark.spark
    def test_what_was_exchanged_is_not_run(self, opened, files, google, name, message):
        google.hold("job")
        submission = opened.submit(files())
        blob = google.storage().bucket(BUCKET).blob(f"flowerexp/{name}")
        planted = io.BytesIO()
        with zipfile.ZipFile(planted, "w") as archive:
            archive.writestr("hashlib.py", "print('planted')")
        blob.upload_from_string(planted.getvalue() if name.endswith("zip") else "print('planted')")
        google.release("job")
        code, tail = follow(submission, lambda _: None)
        assert code == 1
        assert explain(tail) == f"flowerexp: error: {message}"
        assert "planted" not in "".join(tail)

    def test_a_bundle_that_was_exchanged_before_is_uploaded_again(self, opened, files, google):
        google.storage().bucket(BUCKET).blob("flowerexp/code/flowerexp-0123.zip").upload_from_string(b"planted")
        google.fail_job(state="DONE")
        one = files()
        opened.submit(one)
        blob = google.storage().bucket(BUCKET).blob("flowerexp/code/flowerexp-0123.zip")
        assert blob.download_as_bytes() == one.bundle.read_bytes()

    @pytest.mark.spark
    def test_the_script_is_the_main_program_with_its_arguments(self, opened, files, google):
        program = "import sys\nif __name__ == '__main__':\n    print(sys.argv[1:], __file__.rpartition('/')[2])"
        code, tail = follow(opened.submit(files(program)), lambda _: None)
        assert code == 0
        assert tail[-1] == f"['--job', 'gs://{BUCKET}/flowerexp/jobs/{SCOPE}/job/job.json'] entry.py"


class TestEnds:
    def test_a_driver_that_fails_says_why_itself(self, opened, files, google):
        google.fail_job(output="Traceback:\nModuleNotFoundError: No module named cv2\n26/11/23 INFO it ends\n")
        code, tail = follow(opened.submit(files()), lambda _: None)
        assert code == 1
        assert explain(tail) == "ModuleNotFoundError: No module named cv2"

    def test_a_failure_that_google_explains(self, opened, files, google):
        google.fail_job("Task not found. The driver ran out of memory, says someone@example.com", output="begin\n")
        code, tail = follow(opened.submit(files()), lambda _: None)
        assert code == 1
        assert tail[0] == "begin"
        assert "The driver ran out of memory" in explain(tail)
        assert "someone@example.com" not in "".join(tail)

    def test_an_attempt_that_failed_is_an_end(self, opened, files, google):
        google.fail_job("the attempt failed for a reason", state="ATTEMPT_FAILURE")
        code, tail = follow(opened.submit(files()), lambda _: None)
        assert code == 1
        assert "ATTEMPT_FAILURE: the attempt failed for a reason" in explain(tail)

    def test_its_cluster_is_deleted_under_it(self, opened, files, google):
        with google.hold("job"):
            submission = opened.submit(files())
            (name,) = google.clusters()
            google.expire(name)
        code, tail = follow(submission, lambda _: None)
        assert code == 1
        assert "cluster.idle_delete_minutes" in explain(tail)

    def test_the_job_itself_is_unknown(self, opened, files, google):
        google.hold("job")
        submission = opened.submit(files())
        google.fail_next("GetJob", "NOT_FOUND", "Not found: Job x", times=-1)
        submission._clients.pace = replace(submission._clients.pace, lag=0.5)
        code, tail = follow(submission, lambda _: None)
        assert code == 1
        assert "is gone for 0.5 s, deleted by somebody" in explain(tail)

    @pytest.mark.parametrize("code", ["UNKNOWN", "CANCELLED", "NOT_FOUND", "INTERNAL", "DEADLINE_EXCEEDED"])
    def test_one_error_of_a_look_does_not_abandon_a_job_that_runs(self, opened, files, google, code):
        google.fail_job(state="DONE", output="hello")
        submission = opened.submit(files())
        google.fail_next("GetJob", code, "Stream removed", times=2)
        assert follow(submission, lambda _: None) == (0, ["hello"])

    def test_one_denial_of_its_cluster_is_no_answer(self, opened, files, google, monkeypatch):
        monkeypatch.setattr(jobs, "_GONE_AFTER", 1)
        google.fail_job(state="DONE", output="hello")
        google.hold("job")
        submission = opened.submit(files())
        google.fail_next("GetCluster", "NOT_FOUND", "Not found: Cluster x", times=2)
        for _ in range(4):
            submission._next_look = 0.0
            assert submission.poll() == ([], None)
        google.release("job")
        assert follow(submission, lambda _: None) == (0, ["hello"])

    def test_a_server_that_is_away_for_a_while_costs_nothing(self, opened, files, google):
        google.hold("job")
        google.fail_job(state="DONE", output="done\n")
        submission = opened.submit(files())
        assert submission.poll() == ([], None)
        google.kill_dataproc()
        for _ in range(3):
            submission._next_look = 0.0
            assert submission.poll() == ([], None)
        google.start_dataproc()
        google.release("job")
        assert follow(submission, lambda _: None) == (0, ["done"])

    def test_a_server_that_stays_away_is_given_up(self, opened, files, google):
        submission = opened.submit(files())
        submission._clients.pace = type(submission._clients.pace)(look=0.0, patience=0.0, lag=0.0, stop=0.0)
        google.fail_next("GetJob", "UNAVAILABLE", "nobody there, Bearer abc.def", times=-1)
        code, tail = follow(submission, lambda _: None)
        assert code == 1
        assert "can no longer be followed: nobody there, Bearer ***" in explain(tail)

    def test_a_refusal_is_not_waited_for(self, opened, files, google):
        google.hold("job")
        submission = opened.submit(files())
        google.fail_next("GetJob", "PERMISSION_DENIED", "you may not")
        submission._next_look = 0.0
        (line,), code = submission.poll()
        assert code == 1
        assert "you may not" in line
        assert list(google.jobs().values()) == ["CANCELLED"]  # it must not run on beside the next one

    def test_google_is_not_asked_at_each_poll(self, opened, files, google):
        google.hold("job")
        submission = opened.submit(files())
        submission.poll()
        submission._next_look = time.monotonic() + 3600
        before = len(google.requests("GetJob"))
        for _ in range(5):
            assert submission.poll() == ([], None)
        assert len(google.requests("GetJob")) == before


class TestStop:
    def test_it_is_cancelled_and_harmless_twice(self, opened, files, google):
        google.hold("job")
        submission = opened.submit(files())
        submission.stop()
        assert list(google.jobs().values()) == ["CANCELLED"]
        submission.stop()
        code, _ = follow(submission, lambda _: None)
        assert code == 1

    def test_without_a_server_it_returns(self, opened, files, google):
        google.hold("job")
        submission = opened.submit(files())
        submission._clients.pace = replace(submission._clients.pace, stop=0.2)
        google.fail_next("CancelJob", "UNAVAILABLE", times=-1)
        submission.stop()


class TestCollect:
    def test_the_log_comes_home_without_secrets_and_the_event_log_with_it(self, opened, files, google):
        google.fail_job(state="DONE", output="me@project.iam.gserviceaccount.com has no access\nya29.a0Ab-c_d\né")
        one = files()
        submission = opened.submit(one)
        follow(submission, lambda _: None)
        event_log = f"flowerexp/jobs/{SCOPE}/job/events/app-1"
        google.storage().bucket(BUCKET).blob(event_log).upload_from_string(b"{}\n")
        submission.collect()
        assert (one.folder / "driver.log").read_text() == "*** has no access\n***\né\n"
        assert (one.folder / "events" / "app-1").read_bytes() == b"{}\n"

    def test_a_log_that_comes_late_is_waited_for(self, opened, files, google, monkeypatch):
        google.fail_job("an error that says nothing", output="the cause: OutOfMemoryError\n")
        one = files()
        submission = opened.submit(one)
        google.wait_job(submission.handle["job_id"], ["ERROR"])
        sizes = submission._bucket.sizes
        late: list[dict[str, int]] = [{}, {}, {}]
        monkeypatch.setattr(
            submission._bucket, "sizes", lambda *given, **how: late.pop() if late else sizes(*given, **how)
        )
        code, tail = follow(submission, lambda _: None)
        assert code == 1
        assert tail[0] == "the cause: OutOfMemoryError"
        submission.collect()
        assert (one.folder / "driver.log").read_text() == "the cause: OutOfMemoryError\n"

    def test_a_log_that_never_comes_is_said_to(self, opened, files, google, monkeypatch):
        google.fail_job("no")
        one = files()
        submission = opened.submit(one)
        submission._clients.pace = replace(submission._clients.pace, lag=0.2)
        monkeypatch.setattr(submission._bucket, "sizes", lambda *given, **how: {})
        assert follow(submission, lambda _: None)[0] == 1
        with pytest.raises(ClusterError, match=r"nothing that the driver of job .* so its log is empty"):
            submission.collect()

    def test_what_cannot_be_fetched_is_an_error(self, opened, files, google, monkeypatch):
        google.fail_job(state="DONE")
        submission = opened.submit(files())
        follow(submission, lambda _: None)

        def refuse(*_):
            raise exceptions.Forbidden("someone@example.com may not")

        monkeypatch.setattr(submission._output, "everything", refuse)
        with pytest.raises(ClusterError) as caught:
            submission.collect()
        assert "someone@example.com" not in str(caught.value)


class TestFind:
    """A job whose launcher is no more."""

    def test_one_that_waits_is_found(self, opened, dataproc, files, google):
        google.hold("job")
        one = files()
        found = dataproc().find(one.folder, opened.submit(one).handle)
        assert found.poll() == ([], None)

    def test_one_that_ended_well_is_found_for_its_results(self, opened, dataproc, files, google):
        google.fail_job(state="DONE", output="hello")
        one = files()
        first = opened.submit(one)
        follow(first, lambda _: None)
        found = dataproc().find(one.folder, first.handle)
        assert follow(found, lambda _: None) == (0, ["hello"])

    def test_one_that_failed_or_is_unknown_is_not(self, opened, dataproc, files, google):
        google.fail_job("no")
        one = files()
        first = opened.submit(one)
        follow(first, lambda _: None)
        assert dataproc().find(one.folder, first.handle) is None
        assert dataproc().find(one.folder, {**first.handle, "job_id": "unknown"}) is None


class TestServerless:
    @pytest.fixture
    def serverless(self, dataproc):
        made = dataproc("serverless")
        told = Observer()
        made.open(SCOPE, {}, told)
        assert told.states == ["running"]
        return made

    def test_a_batch_is_run_and_followed(self, serverless, files, google):
        google.fail_job(state="SUCCEEDED", output="hello", kind="batch")
        one = files()
        submission = serverless.submit(one)
        assert follow(submission, lambda _: None) == (0, ["hello"])
        submission.collect()
        assert (one.folder / "driver.log").read_text() == "hello\n"
        (request,) = google.requests("CreateBatch")
        batch = request["batch"]
        properties = batch["runtime_config"]["properties"]
        assert properties["spark.executor.instances"] == "2"
        assert properties["spark.executor.cores"] == "4"
        assert properties["spark.dynamicAllocation.enabled"] == "false"
        assert batch["environment_config"]["execution_config"]["ttl"] == "14400s"
        assert batch["environment_config"]["execution_config"]["staging_bucket"] == BUCKET
        assert batch["labels"]["flowerexp-scope"] == SCOPE
        assert google.counts().created == 0

    def test_a_lost_answer_or_a_second_submission_runs_nothing_twice(self, serverless, files, google):
        google.drop_next("CreateBatch", after=True)
        one = files()
        assert serverless.submit(one).handle == serverless.submit(one).handle
        assert google.counts().batches == 1

    def test_a_batch_that_nobody_follows_is_ended_before_the_next_and_at_the_close(self, serverless, files, google):
        google.hold("batch")
        first = serverless.submit(files())
        assert serverless.running(SCOPE) == [first.handle["batch_id"]]
        assert serverless.arrived(first.handle)
        second = files(name="job-2")
        assert serverless.submit(second).handle == serverless.handle(second.folder, SCOPE)
        assert google.counts().batches_active == 1
        told = Observer()
        serverless.close(SCOPE, told)
        assert google.counts().batches_active == 0
        assert told.states == ["deleted"]

    def test_a_failure_is_explained(self, serverless, files, google):
        google.fail_job("the container could not be started", kind="batch")
        code, tail = follow(serverless.submit(files()), lambda _: None)
        assert code == 1
        assert "FAILED: the container could not be started" in explain(tail)

    def test_it_is_cancelled_and_not_found_again(self, serverless, dataproc, files, google):
        google.hold("batch")
        one = files()
        submission = serverless.submit(one)
        assert dataproc("serverless").find(one.folder, submission.handle) is not None
        submission.stop()
        assert google.counts().batches_active == 0
        assert dataproc("serverless").find(one.folder, submission.handle) is None
        submission.stop()
